"""JSON, one object a line, to Arrow: every value as text, with each line accounted for."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from contracts.errors import DataRejected
from training.ingest.files.delimited import FAULT, MALFORMED, NOT_UTF8, RAW
from training.ingest.files.location import DataFile

ROWS_AT_ONCE = 50_000
Line = dict[str, str | None]
HALF = re.compile("[\ud800-\udfff]")
"""Half of a character beyond the first plane: JSON can spell it alone, UTF-8 cannot."""


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
    """(line, fault) of each line that is not blank; lines end as they do on Unix, Windows or old Macs.

    Raises DataRejected for a file without any.
    """
    with file.open(compression="infer") as stream:
        empty = True
        for number, ended in enumerate(stream):
            text = ended.removeprefix(b"\xef\xbb\xbf") if number == 0 else ended
            for line in filter(bytes.strip, text.removesuffix(b"\n").removesuffix(b"\r").split(b"\r")):
                empty = False
                try:
                    yield line.decode(), None
                except UnicodeDecodeError:
                    yield line.decode(errors="backslashreplace"), NOT_UTF8
    if empty:
        raise DataRejected(f"{file.name} is empty.")


def parsed(text: str) -> Any:
    """What the JSON says, with numbers as their own digits.

    Raises ValueError for text that is not JSON, or nests deeper than anything that can be stored.
    """
    try:
        return json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=Digits)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class Digits(str):
    """A number of JSON, as it was written: Python refuses one of 5,000 digits, and .10 is not .1 as an id."""

    __slots__ = ()


def as_text(value: Any) -> str | None:
    """A value of JSON as a column of text holds it; half a character is U+FFFD."""
    if value is None:
        return None
    text = str(value) if isinstance(value, str) else _written(value)
    return HALF.sub("\ufffd", text)


def _written(value: Any) -> str:
    if isinstance(value, Digits):
        return str(value)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_written(v)}" for key, v in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _rows(file: DataFile) -> Iterator[Line]:
    for line, fault in text_lines(file):
        found = None if fault else _object(line)
        yield {FAULT: fault or MALFORMED, RAW: line} if found is None else found


def _object(line: str) -> Line | None:
    """None where the line is something else."""
    try:
        found = parsed(line)
        return (
            {as_text(name) or "": as_text(v) or None for name, v in found.items()} if isinstance(found, dict) else None
        )
    except (ValueError, RecursionError):
        return None
