"""What the two sides of a bundle's signature agree on: which bytes are signed, where the signature lies, what a key is.

The signature is Ed25519 over the bytes of manifest.json, which holds the digest of every other file. It lies in
manifest.sig, outside of those digests, so that signing does not change the version. Contracts import no cryptography:
the private key is used in training/release/signing.py, the public key in serving/bundles/signature.py; both are short.
"""

import base64
import binascii
from pathlib import Path
from typing import Final

from contracts.bundle.files import MANIFEST, SIGNATURE
from contracts.errors import BundleRefused, InvalidInput

PUBLIC_KEY_BYTES: Final = 32


def signed_bytes(bundle: Path) -> bytes:
    """What the signature is over."""
    return (bundle / MANIFEST).read_bytes()


def write_signature(bundle: Path, signature: bytes) -> None:
    """Writes the signature next to the manifest."""
    (bundle / SIGNATURE).write_text(base64.b64encode(signature).decode() + "\n")


def read_signature(bundle: Path) -> bytes:
    """The signature next to the manifest. Raises BundleRefused where it is missing or malformed."""
    path = bundle / SIGNATURE
    if not path.is_file():
        raise BundleRefused(
            f"Bundle {bundle.name} is refused: it is not signed ({SIGNATURE} is missing), and this server has a public "
            "key. Sign it with `tandem bundle --sign-key FILE`."
        )
    try:
        return base64.b64decode(path.read_bytes().strip(), validate=True)
    except binascii.Error as error:
        raise BundleRefused(f"Bundle {bundle.name} is refused: {SIGNATURE} is not base64.") from error


def public_key_text(raw: bytes) -> str:
    """A public key as settings carry it: base64 of its 32 bytes."""
    return base64.b64encode(raw).decode()


def public_key_bytes(text: str) -> bytes:
    """The 32 bytes of a public key. Raises InvalidInput with what was expected."""
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError:  # also for letters beyond ASCII
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        raise InvalidInput(
            f"{text!r} cannot be a public key: expected base64 of {PUBLIC_KEY_BYTES} bytes, as `tandem keys new` "
            "prints it."
        )
    return raw
