"""The small trained workspace, made once and kept: training it takes a minute, a copy a tenth of a second."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.repository import ROOT
from tests.support.workspaces.workspace import PIPELINE, SLICE

CACHE = ROOT / ".cache" / "trained"
KEPT = 3
MADE_FROM = ("contracts", "training", "feature_repo", "tandem/commands", "locks/dev.txt")
"""What a trained workspace depends on besides its parameters."""


def digest() -> str:
    """Digest of code, definitions, locks and parameters: another digest is another workspace."""
    files = [path for name in MADE_FROM for path in sorted((ROOT / name).rglob("*")) or [ROOT / name]]
    total = hashlib.sha256(repr((SLICE, PIPELINE)).encode())
    for path in files:
        if path.suffix in (".py", ".yaml", ".txt"):
            total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def kept(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name in the cache. The first process makes it; others wait for it meanwhile.

    A folder without its mark was left by an interrupted run, and is made again. It is not made elsewhere and moved:
    Feast's registry holds absolute paths.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "lock"):
        folder, mark = cache / name, cache / f"{name}.whole"
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
        mark.touch()
        _forget_oldest(cache)
        return folder


def _forget_oldest(cache: Path) -> None:
    """Leaves the last few: a branch that is gone back to need not train again."""
    for mark in sorted(cache.glob("*.whole"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        mark.unlink()
        shutil.rmtree(mark.with_suffix(""))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While it is held, other processes wait; a killed process lets go."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
