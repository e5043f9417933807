"""Whether a file has changed since it was read."""

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
