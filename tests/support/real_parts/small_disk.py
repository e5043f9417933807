"""A file system of 1 MiB in memory that a test may fill to the last byte or make read-only."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILLING = "filling"


def mount(*options: object) -> list[str]:
    """The command."""
    return [shutil.which("mount") or "mount", *map(str, options)]


@contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Whether a file system was mounted there, for as long as the block runs; it needs root."""
    command = mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", folder)
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run([shutil.which("umount") or "umount", "--lazy", str(folder)], check=True)


def fill_disk(folder: Path) -> None:
    """Takes the last byte, in a file that may be removed again."""
    with (folder / FILLING).open("wb", buffering=0) as file:
        for block in (65_536, 4096):
            with suppress(OSError):
                while file.write(b"x" * block) == block:
                    pass
