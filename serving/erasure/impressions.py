"""A person's lines in the log of shown lists, which a server may be writing to."""

import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path

from contracts.erasure.suppression import IsErased
from serving.events.log import user_of


def logs_of(path: Path) -> list[Path]:
    """The log and those before it, whatever has begun them anew; those that there are."""
    return [log for log in (*sorted(path.parent.glob(f"{escape(path.name)}.*")), path) if log.is_file()]


def logs_beside(path: Path) -> list[Path]:
    """The logs of other servers in the same folder, of some that run no more too."""
    own = logs_of(path)
    return sorted(
        log for end in ("*.jsonl", "*.jsonl.*") for log in path.parent.glob(end) if log.is_file() and log not in own
    )


def erase_lines(log: Path, chosen: IsErased) -> int:
    """How many lines of chosen users were blanked out.

    In place: a file that took its name would leave a server writing into the old one. Readers pass over blank lines.
    """
    removed = 0
    with log.open("r+b") as file:
        for at, line in _lines(file.fileno()):
            user_id = user_of(line.decode("utf-8", "replace"))
            if user_id is not None and chosen(user_id):
                os.pwrite(file.fileno(), b" " * (len(line) - 1), at)
                removed += 1
        os.fsync(file.fileno())
    return removed


def lines_of(log: Path, user_id: str) -> list[str]:
    """The lines of one user."""
    with log.open("rb") as file:
        texts = (line.decode("utf-8", "replace") for _, line in _lines(file.fileno()))
        return [text for text in texts if user_of(text) == user_id]


def _lines(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """(position, line with its end) of every line that ends; one that is being written has no end yet."""
    at = 0
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield at, line
            at += len(line)
