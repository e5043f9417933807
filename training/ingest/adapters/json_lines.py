"""JSON, one object a line, to Arrow: every value as text, with each line accounted for."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from contracts.errors import DataRejected
from training.ingest.adapters.delimited import FAULT, MALFORMED, NOT_UTF8, RAW
from training.ingest.adapters.location import DataFile

ROWS_AT_ONCE = 50_000
Line = dict[str, str | None]


def read_json_lines(file: DataFile) -> pa.Table:
    """One row a line: the keys of all lines as string columns (left out or null is null), then FAULT and RAW.

    Arrays and objects stay JSON, numbers their own digits. Raises DataRejected for a file without lines.
    """
    names = dict.fromkeys(name for row in _rows(file) for name in row if name not in (FAULT, RAW))
    return table_of(_rows(file), (*names, FAULT, RAW))


def table_of(rows: Iterable[Line], names: Sequence[str]) -> pa.Table:
    """The rows as string columns; in slices, as a dictionary takes ten times the memory of its row."""
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = iter(rows)
    slices = iter(lambda: list(islice(rows, ROWS_AT_ONCE)), [])
    return pa.concat_tables([schema.empty_table(), *(pa.Table.from_pylist(s, schema) for s in slices)])


def text_lines(file: DataFile) -> Iterator[tuple[str, str | None]]:
    """(line, fault) of each line that is not blank.

    Raises DataRejected for a file without any.
    """
    with file.open(compression="infer") as stream:
        empty = True
        for number, line in enumerate(stream):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
            if line.strip():
                empty = False
                try:
                    yield line.decode().rstrip("\r\n"), None
                except UnicodeDecodeError:
                    yield line.decode(errors="backslashreplace").rstrip("\r\n"), NOT_UTF8
    if empty:
        raise DataRejected(f"{file.name} is empty.")


def as_text(value: Any) -> str | None:
    """A value of JSON as a column of text holds it."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _rows(file: DataFile) -> Iterator[Line]:
    for line, fault in text_lines(file):
        found = None if fault else _object(line)
        if found is None:
            yield {FAULT: fault or MALFORMED, RAW: line}
        else:
            yield {name: as_text(value) or None for name, value in found.items()}


def _object(line: str) -> dict[str, Any] | None:
    """None where the line is something else."""
    try:
        found = json.loads(line, parse_int=str, parse_float=str)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
