"""Signs bundles: the side that holds the private key."""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from contracts.bundle.signature import public_key_text, signed_bytes, write_signature
from contracts.errors import InvalidInput, MissingArtifact

Sign = Callable[[Path], None]
"""Signs the bundle in a folder."""


NoteKey = Callable[[str], None]
"""Notes a key that is about to be written, by its public half."""


def not_noted(_: str) -> None:
    """Where nobody keeps an audit log."""


def new_key(path: Path, note: NoteKey = not_noted) -> str:
    """The public key, as TANDEM_BUNDLE_PUBLIC_KEY takes it, of a new private key written to path.

    The file is PEM, PKCS 8, readable by its owner alone: what `openssl genpkey -algorithm ed25519` writes, too.
    Raises InvalidInput where there is a file already: a lost key cannot be made again.
    """
    key = Ed25519PrivateKey.generate()
    public = public_key_text(key.public_key().public_bytes_raw())
    write_private(key, path, lambda: note(public))
    return public


def write_private(key: PrivateKeyTypes, path: Path, note: Callable[[], None]) -> None:
    """Writes a private key as PEM, PKCS 8, without a passphrase, readable by its owner alone.

    note: called once the file is there and before it holds the key; where it raises, the file goes again.
    Raises InvalidInput where there is a file already, or where none can be written.
    """
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            try:
                note()
                file.write(pem)
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        raise InvalidInput(f"{path} exists, and a key that is overwritten is lost. Name another file.") from error
    except OSError as error:
        raise InvalidInput(f"Cannot write a key to {path}: {error.strerror}.") from error


def read_private(path: Path, command: str) -> PrivateKeyTypes:
    """The private key in a PEM file; command makes such a key.

    Raises MissingArtifact without the file and InvalidInput where it holds none.
    """
    if not path.is_file():
        raise MissingArtifact(f"There is no signing key at {path}. Make one with `{command} {path}`.")
    try:
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"{path} is not a private key in PEM without a passphrase.") from error


def signer(path: Path) -> Sign:
    """What signs a bundle with the private key in a file.

    Raises MissingArtifact without the file and InvalidInput where it holds another kind of key.
    """
    key = read_private(path, "tandem keys new")
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path} is a key of another kind; bundles are signed with Ed25519 (`tandem keys new`).")
    return lambda bundle: write_signature(bundle, key.sign(signed_bytes(bundle)))
