"""Words for what the machine or an engine underneath did to a command: no fault of its data, and none of its code.

In: an error of any library. Out: one sentence with what to do, or None where the trace says more than we could.
"""

import errno
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT)
REFUSED: Final = {
    errno.EROFS: "is on a disk that is mounted read-only",
    errno.EACCES: "may not be written by this user",
}
SAID_OF_FULL_DISKS: Final = ("no space left on device", "disk quota exceeded", "database or disk is full")
"""In the words of DuckDB, Arrow, SQLite, TensorFlow and DVC, whose errors have no number."""
LONGEST: Final = 300


def in_words(error: BaseException, command: Sequence[str]) -> str | None:
    """What happened, for the person at the screen; None for an error that is of neither kind.

    command: the arguments of `tandem`, for what was computed and where.
    """
    named = f"`tandem {' '.join(part for part in command[:1])}`" if command else "the command"
    for one in _chain(error):
        if _is_full(one):
            return _full(one, named, command)
        if isinstance(one, OSError) and one.errno in REFUSED and one.filename:
            return f"{named} cannot go on: {one.filename} {REFUSED[one.errno]}."
        if said := _of_engine(one, named):
            return said
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that led to it."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        yield found
        seen.add(id(found))
        found = found.__cause__ or found.__context__


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return any(said in str(error).casefold() for said in SAID_OF_FULL_DISKS)


def _full(error: BaseException, named: str, command: Sequence[str]) -> str:
    what = error.filename if isinstance(error, OSError) else None
    if quoted := re.search(r'file "([^"]+)"', str(error)):  # DuckDB's way to name it
        what = quoted[1]
    free = " and ".join(f"{shutil.disk_usage(place).free / 1e6:,.0f} MB below {place}" for place in _places(command))
    return (
        f"The disk is full: {named} could not write {what or 'what it computes'}. Free are {free}. Make room there and "
        "start the same command again; what was finished before is kept. Where only the folder of temporary files is "
        "full, TMPDIR or duckdb.spill_folder in params.yaml names another one."
    )


def _places(command: Sequence[str]) -> list[Path]:
    """Where commands write: the workspace, and the folder of temporary files where it is on another disk."""
    given = [words[1] for words in pairwise(command) if words[0] == "--root"]
    places = [Path(*given[-1:]).resolve(), Path(tempfile.gettempdir())]
    there = [next(one for one in (place, *place.parents) if one.exists()) for place in places]
    return there if there[0].stat().st_dev != there[1].stat().st_dev else there[:1]


def _of_engine(error: BaseException, named: str) -> str | None:
    """Of DuckDB's, those that say nothing of the data; it is not loaded where it was not asked."""
    duckdb = sys.modules.get("duckdb")
    if duckdb is None or not isinstance(error, duckdb.Error):
        return None
    said = " ".join(str(error).split("Stack Trace")[0].split())[:LONGEST]
    if isinstance(error, duckdb.OutOfMemoryException):
        return (
            f"{named} needs more memory than DuckDB may use ({said}). Give it more (duckdb.memory_gb in params.yaml), "
            "a folder to spill to on a disk with room (duckdb.spill_folder), or fewer threads (duckdb.threads: 1)."
        )
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return (
            f"DuckDB {duckdb.__version__} failed inside itself while {named} computed: a fault of the engine, not of "
            f"the data or of what was asked. It says: {said}. Try fewer threads (duckdb.threads: 1 in params.yaml) and "
            "report it with this version and these words."
        )
    return None
