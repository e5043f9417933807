"""A person's rows in every table below the data folder, whichever command wrote them.

What is read by name loses the rows. Of the training sets and models (data/dataset, data/models) row i of several files
belongs together, so there the id alone goes, for a name by chance that stands for nobody; the next run makes them anew.
"""

import csv
import json
import os
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.features.names import USER_ID
from contracts.outside_text import in_sheet
from training.workspace import Workspace

RAW: Final = "raw"
"""Text of a row that ingest could not read; the id may be anywhere in it."""
KEPT_ALIGNED: Final = ("dataset", "models")


def erase_tables(workspace: Workspace, user_id: str, stand_in: str) -> dict[str, int]:
    """Rows that were removed, or that have the stand-in now, by path below the root; files without any are left out."""
    found: dict[str, int] = {}
    shown = workspace.impression_log
    logs_being_written = (shown, shown.with_name(f"{shown.name}.1"))  # a server's; serving/erasure/impressions.py
    for path in sorted(workspace.data.rglob("*")):
        rewrite = _rewrite_of(path)
        if rewrite is None or not path.is_file() or path.is_symlink() or path in logs_being_written:
            continue
        aligned = path.relative_to(workspace.data).parts[0] in KEPT_ALIGNED
        if rows := rewrite(path, user_id, stand_in if aligned else None):
            found[str(path.relative_to(workspace.root))] = rows
    return found


def rows_of(workspace: Workspace, user_id: str) -> dict[str, list[dict[str, Any]]]:
    """The person's rows of every table below the data folder, by path below the root."""
    found = {}
    for path in sorted(workspace.data.rglob("*.parquet")):
        if not path.is_file() or not (columns := _columns(path)):
            continue
        parts = [batch.filter(_mask(batch, columns, user_id)) for batch in pq.ParquetFile(path).iter_batches()]
        if rows := [row for part in parts for row in part.to_pylist()]:
            found[str(path.relative_to(workspace.root))] = rows
    return found


def names(text: str, user_id: str) -> bool:
    """Whether the id stands in a text as a word of its own (`u12` is not in `u123`), plain or as CSV or JSON has it."""
    return _spelled(user_id).search(text) is not None


@lru_cache(maxsize=1)  # of every row it is asked again
def _spelled(user_id: str) -> re.Pattern[str]:
    in_json = (json.dumps(user_id, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    spellings = "|".join(re.escape(one) for one in {user_id, user_id.replace('"', '""'), *in_json})
    return re.compile(rf"(?<![^\W_])(?:{spellings})(?![^\W_])")


def erase_parquet(path: Path, user_id: str, stand_in: str | None) -> int:
    """Rows of the user that were removed, or that got the stand-in."""
    columns = _columns(path)
    file = pq.ParquetFile(path)
    if not columns or not any(_mask(batch, columns, user_id).true_count for batch in file.iter_batches()):
        return 0
    found = 0
    temporary = path.with_name(f".{path.name}.erasing")
    with pq.ParquetWriter(temporary, file.schema_arrow) as writer:
        for batch in file.iter_batches():
            mask = _mask(batch, columns, user_id)
            found += mask.true_count
            kept = batch.filter(pc.invert(mask)) if stand_in is None else _renamed(batch, mask, stand_in)
            if kept.num_rows:
                writer.write_batch(kept)
    _exchange(temporary, path)
    return found


def erase_csv(path: Path, user_id: str, _: str | None) -> int:
    """Rows of a table with a column user_id that were removed.

    Ids may be plain or marked for a sheet, and a file does not say which: where the marked id is another's plain one,
    that row goes too.
    """
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        lines = file.readlines()
    rows = csv.reader(lines)
    header = [name.removeprefix("\ufeff") for name in next(rows, [])]
    if USER_ID not in header:
        return 0
    at, spellings = header.index(USER_ID), (user_id, in_sheet(user_id))
    kept, end, found = lines[: rows.line_num], rows.line_num, 0
    for row in rows:  # what is kept is kept as it was written: not every writer quotes what another one has to
        if len(row) > at and row[at] in spellings:
            found += 1
        else:
            kept += lines[end : rows.line_num]
        end = rows.line_num
    if found:
        temporary = path.with_name(f".{path.name}.erasing")
        with temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(kept)
        _exchange(temporary, path)
    return found


def erase_json_lines(path: Path, user_id: str, _: str | None) -> int:
    """Lines of the user that were removed. A line ends at \\n alone: a text in it may hold what else ends lines."""
    lines = path.read_bytes().split(b"\n")
    kept = [line for line in lines if _user_of(line) != user_id]
    if len(kept) == len(lines):
        return 0
    temporary = path.with_name(f".{path.name}.erasing")
    temporary.write_bytes(b"\n".join(kept))
    _exchange(temporary, path)
    return len(lines) - len(kept)


def erase_json(path: Path, user_id: str, stand_in: str | None) -> int:
    """Places in lists of ids under `user_id` or `example_user_ids` that were removed, or got the stand-in."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return 0
    found = 0
    for name in (USER_ID, "example_user_ids"):
        listed = content.get(name) if isinstance(content, dict) else None
        if isinstance(listed, list) and user_id in listed:
            found += listed.count(user_id)
            content[name] = [stand_in if one == user_id else one for one in listed if one != user_id or stand_in]
    if found:
        temporary = path.with_name(f".{path.name}.erasing")
        temporary.write_text(json.dumps(content))
        _exchange(temporary, path)
    return found


REWRITES: Final[dict[str, Callable[[Path, str, str | None], int]]] = {
    ".parquet": erase_parquet,
    ".csv": erase_csv,
    ".jsonl": erase_json_lines,
    ".json": erase_json,
}


def _rewrite_of(path: Path) -> Callable[[Path, str, str | None], int] | None:
    """By the name's end; `….jsonl.1` is a log that a server has begun anew."""
    return REWRITES[".jsonl"] if ".jsonl" in path.suffixes else REWRITES.get(path.suffix)


def _columns(path: Path) -> list[str]:
    return [name for name in pq.read_schema(path).names if name in (USER_ID, RAW)]


def _mask(batch: pa.RecordBatch, columns: list[str], user_id: str) -> pa.BooleanArray:
    mask = pa.array([False] * batch.num_rows)
    if USER_ID in columns:
        mask = pc.fill_null(pc.equal(batch.column(USER_ID).cast(pa.string()), user_id), False)
    if RAW in columns:
        texts = batch.column(RAW).cast(pa.string()).to_pylist()
        mask = pc.or_(mask, pa.array([text is not None and names(text, user_id) for text in texts], pa.bool_()))
    return mask


def _renamed(batch: pa.RecordBatch, mask: pa.BooleanArray, stand_in: str) -> pa.RecordBatch:
    at = batch.schema.get_field_index(USER_ID)
    ids = batch.column(at)
    kept = pc.if_else(mask, pa.scalar(stand_in), ids.cast(pa.string())).cast(ids.type)
    return batch.set_column(at, batch.schema.field(at), kept)


def _user_of(line: bytes) -> Any:
    try:
        fields = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return None
    return fields.get(USER_ID) if isinstance(fields, dict) else None


def _exchange(temporary: Path, path: Path) -> None:
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.chmod(path.stat().st_mode)
    temporary.replace(path)
