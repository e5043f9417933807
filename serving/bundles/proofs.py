"""Which bundles have loaded and answered on this machine, with these libraries: a restart need not try them again."""

import hashlib
import platform
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from contracts import CONTRACT_VERSION

KEPT: Final = 50
"""Files of proofs; the oldest go."""
DECIDING: Final = ("onnxruntime", "faiss-cpu", "numpy")
"""Packages by whose versions a bundle may load in one process and not in the next."""


class Proofs:
    """Empty files in the cache of bundles, named by what was proven. Who can write there can write bundles, too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        facts = [platform.node(), platform.machine(), platform.python_version(), str(CONTRACT_VERSION)]
        self._process = " ".join([*facts, *map(version, DECIDING)])

    def has(self, digest: str) -> bool:
        """Whether the bundle with this digest of its manifest has been tried."""
        return self._path(digest).is_file()

    def keep(self, digest: str) -> None:
        """Notes that it has been tried; where that cannot be written, it is tried again next time."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path(digest).touch()
            proofs = sorted(self._folder.glob(".proven-*"), key=lambda path: path.stat().st_mtime)
            for old in proofs[:-KEPT]:
                old.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._folder / f".proven-{hashlib.sha256(f'{digest} {self._process}'.encode()).hexdigest()[:32]}"
