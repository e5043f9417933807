"""Whether a file has changed since it was read."""

import time
from pathlib import Path

Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """A value that changes when the file does, also where a link to it is moved, as Kubernetes moves mounted files.

    None where there is no file.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class FileChanges:
    """Whether a file has changed since it was last asked: each change is said once."""

    def __init__(self, path: Path, every_seconds: float = 0.0, *, gone_counts: bool = False) -> None:
        """every_seconds: the file is looked at no more often. gone_counts: a file that is gone has changed, too."""
        self._path = path
        self._every_seconds = every_seconds
        self._gone_counts = gone_counts
        self._seen = stamp_of(path)
        self._looked = time.monotonic()

    def happened(self) -> bool:
        """Whether there is something to read again."""
        now = time.monotonic()
        if now - self._looked < self._every_seconds:
            return False
        self._looked = now
        stamp = stamp_of(self._path)
        if stamp == self._seen or (stamp is None and not self._gone_counts):
            return False
        self._seen = stamp
        return True
