"""The files of a bundle as the bytes that were signed: what is checked is what is parsed, and each is hashed once.

A path that is checked and then opened again may lead to another file by then: of 40 loads under renames 9 took an
unsigned ranker.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.bundle.files import MANIFEST, files_of
from contracts.bundle.manifest import altered, listing_faults, manifest_from, refuse, require_manifest
from contracts.errors import BundleRefused
from serving.bundles.signature import check_signed


class SealedFiles:
    """A bundle's manifest, and each of its files by name."""

    def __init__(self, folder: Path, keys: Sequence[Ed25519PublicKey] = ()) -> None:
        """The manifest and its signature are checked, and that files and manifest name each other.

        Raises MissingArtifact, or BundleRefused naming every file that is missing, unlisted or no plain file.
        """
        self.folder = folder.resolve()  # a link like `current` may move while files are read
        require_manifest(self.folder)
        raw = regular_bytes(self.folder / MANIFEST)
        self.digest = hashlib.sha256(raw).hexdigest()
        self.manifest = manifest_from(raw, self.folder)
        check_signed(self.folder, raw, keys)
        refuse(self.manifest, listing_faults(self.manifest, self.folder, for_serving=True))
        self._unread = set(self.manifest.files)

    def read(self, name: str) -> bytes:
        """The file's bytes. Raises BundleRefused unless they are those that the manifest names."""
        content = regular_bytes(self.folder / name)
        found, listed = hashlib.sha256(content).hexdigest(), self.manifest.files[name].sha256
        if found != listed:
            raise BundleRefused(f"Bundle {self.folder.name} is refused: {altered(name, found, listed)}.")
        self._unread.discard(name)
        return content

    def check_rest(self) -> None:
        """Reads what nobody has read, as a bundle is refused whole.

        Raises BundleRefused, like `read`; what serving does not need may be absent.
        """
        for name in sorted(self._unread & set(files_of(self.folder))):
            self.read(name)

    def has(self, name: str) -> bool:
        """Whether the bundle has such a file; bundles of earlier releases lack some."""
        return name in self.manifest.files


def regular_bytes(path: Path) -> bytes:
    """What a plain file holds. Raises BundleRefused for a link, a pipe, a folder, and where it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for without end
    except OSError as error:
        raise BundleRefused(f"{path.name} of bundle {path.parent.name} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise BundleRefused(f"{path.name} of bundle {path.parent.name} is not a plain file.")
    with os.fdopen(file, "rb") as opened:
        return opened.read()
