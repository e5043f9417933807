"""Signs and checks receipts of erasures with Ed25519, the algorithm that bundles are signed with."""

import base64
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.bundle.signature import public_key_text
from contracts.erasure.receipt import UNSIGNED, Receipt
from contracts.errors import InvalidInput, MissingArtifact, NotAllowed
from serving.bundles.signature import has_signed


def signed(receipt: Receipt, key_file: Path | None) -> Receipt:
    """The receipt with a signature, or without a key with a note that there is none.

    Raises MissingArtifact without the file, InvalidInput where it holds another kind of key.
    """
    if key_file is None:
        return receipt.model_copy(update={"note": f"{receipt.note} {UNSIGNED}".strip()})
    key = private_key(key_file)
    named = receipt.model_copy(update={"public_key": public_key_text(key.public_key().public_bytes_raw())})
    signature = base64.b64encode(key.sign(named.signed_bytes())).decode()
    return named.model_copy(update={"signature": signature})


def check(receipt: Receipt, trusted: Sequence[Ed25519PublicKey]) -> None:
    """Passes a receipt that one of the keys has signed, and that nobody has changed since.

    Raises NotAllowed with what is wrong.
    """
    if not receipt.signature:
        raise NotAllowed(f"The receipt is not signed. {receipt.note}".strip())
    try:
        signature = base64.b64decode(receipt.signature, validate=True)
    except ValueError as error:  # also for letters beyond ASCII
        raise NotAllowed("The receipt's signature is not base64.") from error
    if not any(has_signed(key, signature, receipt.signed_bytes()) for key in trusted):
        raise NotAllowed(
            "The receipt is refused: its signature is not of a key that is trusted, or it was changed after it was "
            "signed."
        )


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key in a file. Raises MissingArtifact without the file, InvalidInput where it holds another kind of key."""
    if not path.is_file():
        raise MissingArtifact(f"There is no signing key at {path}. Make one with `tandem keys new {path}`.")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} is not a private key in PEM without a passphrase.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path} is a key of another kind; receipts are signed with Ed25519 (`tandem keys new`).")
    return key
