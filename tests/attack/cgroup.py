"""A control group with a limit of memory for one process, made by hand where the system lets us."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MEMORY = Path("/sys/fs/cgroup/memory")  # of version 1
UNIFIED = Path("/sys/fs/cgroup")  # of version 2
LIMIT_BYTES = 2 << 30


@contextmanager
def memory_group(name: str, limit_bytes: int = LIMIT_BYTES) -> Iterator[Path | None]:
    """A new group below the one of this process, removed at the end; None where none can be made."""
    parent, limit = _own_group()
    group = parent / name
    try:
        group.mkdir()
        (group / limit).write_text(str(limit_bytes))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        with suppress(OSError):  # a process that has not ended yet
            group.rmdir()


def peak_mb(group: Path) -> int:
    """Most memory that the group ever held, caches of files included."""
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        with suppress(OSError):
            return int((group / name).read_text()) >> 20
    return 0


def _own_group() -> tuple[Path, str]:
    """(the group's folder, the name of its limit) of this process."""
    lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return MEMORY / path.lstrip("/"), "memory.limit_in_bytes"
    path = next((path for _, controllers, path in lines if not controllers), "/")
    return UNIFIED / path.lstrip("/"), "memory.max"
