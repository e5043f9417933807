"""Checks who signed a bundle: the side that holds public keys alone."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.bundle.signature import public_key_bytes, read_signature
from contracts.errors import BundleRefused


def public_keys(texts: str) -> tuple[Ed25519PublicKey, ...]:
    """The keys of a comma-separated setting: several, so that a new key is trusted before the old one goes.

    Raises InvalidInput for a text that cannot be a key.
    """
    return tuple(Ed25519PublicKey.from_public_bytes(public_key_bytes(text)) for text in texts.split(",") if text)


def check_signed(bundle: Path, manifest: bytes, keys: Sequence[Ed25519PublicKey]) -> None:
    """Passes a bundle that one of the keys has signed; without keys nothing is checked.

    manifest: its bytes as they were read, so that no others are used later.
    Raises BundleRefused for an unsigned bundle and for a signature by a key that is not trusted.
    """
    if keys and not any(has_signed(key, read_signature(bundle), manifest) for key in keys):
        raise BundleRefused(
            f"Bundle {bundle.name} is refused: its signature is not of a key this server trusts "
            "(TANDEM_BUNDLE_PUBLIC_KEY), or its manifest was changed after it was signed."
        )


def has_signed(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the signature is the key's, over these bytes."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
