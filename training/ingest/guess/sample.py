"""The first rows of a raw table, for guessing its mapping."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DataRejected, InvalidInput
from training.ingest.files.delimited import FAULT, RAW, read_delimited
from training.ingest.files.json_lines import read_json_lines
from training.ingest.files.literals import nested_value
from training.ingest.files.location import TABLE_SUFFIXES, DataFile, Location, has_suffix, is_json, opened
from training.ingest.files.names import refuse_named_twice
from training.ingest.files.nested import paths_in, with_nested, with_rows
from training.ingest.guess.words import is_called, is_key_of

UNSURE: Final = "# ? "
"""Before what is guessed and a person must look at."""
SAMPLE_BYTES, SAMPLE_ROWS, SHOWN = 1 << 20, 1000, 3
ENCODINGS: Final = ("WINDOWS-1252", "ISO-8859-1")
"""Tried where a text is not UTF-8; the last one takes every byte."""
BINARY: Final = (b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
MAX_PATHS: Final = 60
PHP: Final = re.compile(r"a:\d+:\{")
"""How PHP's serialize() begins an array."""


@dataclass(frozen=True)
class Link:
    """A file that rows name, whose columns are called `name.column`."""

    name: str
    file: str
    by: str  # the column of the rows
    key: str  # the file's column with the same values
    encoding: str = ""

    def owns(self, column: str) -> bool:
        """Whether a column is one of the file's."""
        return column.startswith(f"{self.name}.")

    def said(self) -> str:
        """What the mapping says of it."""
        options = {"file": self.file, "by": self.by, "key": self.key, "encoding": self.encoding}
        named = {name: value for name, value in options.items() if value and (name != "key" or value != self.by)}
        return "{" + ", ".join(f"{name}: {quoted(value)}" for name, value in named.items()) + "}"


@dataclass(frozen=True)
class Sample:
    """Names of the columns and the first rows of a file, or of the first part of a folder of parts."""

    path: Path
    rows: pa.Table
    encoding: str = ""  # which makes text of it; empty: UTF-8
    rows_of: str = ""  # a column with lists, of which each entry is a row here
    parts: tuple[str, ...] = ()  # names of the files that are one table; empty: the path is the table
    links: tuple[Link, ...] = ()  # files whose columns are among the columns

    @property
    def columns(self) -> list[str]:
        """The names of the columns, as in the file; of an object the paths to its values."""
        return [name for name in self.rows.column_names if name not in (FAULT, RAW)]

    @property
    def faults(self) -> dict[str, int]:
        """Rows that cannot be read, by reason."""
        if FAULT not in self.rows.column_names:
            return {}
        return dict(Counter(reason for reason in self.rows.column(FAULT).to_pylist() if reason is not None))

    def values(self, column: str) -> list[Any]:
        """Distinct values that are there, in the order of the rows."""
        present = (value for value in self.rows.column(column).to_pylist() if value not in (None, ""))
        return list({repr(value) if isinstance(value, list | dict) else value: value for value in present}.values())

    def shown(self, column: str) -> str:
        """Some values for people, on one line."""
        return ", ".join(" ".join(str(value).split())[:40] for value in self.values(column)[:SHOWN])


class _Start:
    """The first whole lines of a file as UTF-8, as `DataFile.open` gives them."""

    header = ""

    def __init__(self, file: DataFile) -> None:
        with file.open(compression="infer") as stream:
            start = stream.read(SAMPLE_BYTES)
            if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"["):  # an array has an end
                start += stream.read()
        self.name, self.encoding = file.name, _encoding(start)
        text = start.decode(self.encoding, errors="ignore").encode() if self.encoding else start
        whole = text.rfind(b"\n") + 1 if len(start) == SAMPLE_BYTES else len(text)
        self._start = text[: whole or len(text)]

    def open(self, compression: str | None = None) -> io.BytesIO:
        """The lines, decompressed."""
        return io.BytesIO(self._start)


def _encoding(start: bytes) -> str:
    """What the bytes are, unless most of their lines beyond ASCII are UTF-8: a few broken ones are only that."""
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    if start.startswith(BINARY):
        return ""
    beyond = [line for line in start.split(b"\n") if not line.isascii()]
    wrong = sum(not _decodes(line, "UTF-8") for line in beyond[:-1] or beyond)  # the last may be cut inside a character
    if 2 * wrong <= len(beyond[:-1] or beyond):
        return ""
    return next(one for one in ENCODINGS if _decodes(start, one))


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def quoted(name: str) -> str:
    """A name as the mapping has it."""
    return json.dumps(name, ensure_ascii=False)


def sample(path: Path) -> Sample:
    """The first rows of a file, or of the first part in a folder of parts.

    Raises InvalidInput for a file that is not there or of another kind, DataRejected for one that is damaged.
    """
    if not path.exists():
        raise InvalidInput(f"There is no file {path}.")
    filesystem, _ = opened(str(path))
    if path.is_dir():
        file = Location(filesystem, str(path.absolute().parent), str(path.parent)).required(path.name)[0]
    elif has_suffix(path.name, TABLE_SUFFIXES):
        file = DataFile(filesystem, str(path.absolute()))
    else:
        raise InvalidInput(f"{path} is not a file of {', '.join(TABLE_SUFFIXES)}.")
    if has_suffix(file.name, (".parquet",)):
        return _opened(Sample(path, _parquet(file)))
    start: Any = _Start(file)
    read = read_json_lines if is_json(file.name) else read_delimited
    return _opened(Sample(path, read(start).slice(0, SAMPLE_ROWS), start.encoding))


def _parquet(file: DataFile) -> pa.Table:
    try:
        with file.open() as stream:
            parts = pq.ParquetFile(stream)
            refuse_named_twice(parts.schema_arrow.names, file.name)
            batches = list(parts.iter_batches(SAMPLE_ROWS, row_groups=[0])) if parts.num_row_groups else []
            return pa.Table.from_batches(batches[:1], parts.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise DataRejected(f"{file.name} is not a whole Parquet file ({error}). Copy it again.") from error


def _opened(one: Sample) -> Sample:
    """The sample with a column for each value inside its objects, and a row for each object of one of its lists.

    Of several lists the one is opened that names items, wherever it lies.
    """
    one = _with_objects(one)
    lists = [name for name in one.columns if _all(one, name, list) and any(map(_is_object, _inside(one, name)))]
    if not lists:
        return one
    listed = next((name for name in lists if _names_items(one, name)), lists[0])
    return _with_objects(replace(one, rows=_plain(with_rows(ibis.memtable(_noted(one.rows)), listed)), rows_of=listed))


def _with_objects(one: Sample) -> Sample:
    for name in one.columns:
        if _all(one, name, dict):
            paths = dict.fromkeys(path for value in map(_json, one.values(name)) for path in paths_in(value, name))
            rows = _plain(with_nested(ibis.memtable(_noted(one.rows)), list(paths)[:MAX_PATHS]))
            one = replace(one, rows=rows.drop_columns([name]))
    return one


def _names_items(one: Sample, column: str) -> bool:
    keys = dict.fromkeys(key for entry in _inside(one, column) if _is_object(entry) for key in entry)
    return any(is_called("item_id", f"{column}.{key}") or is_key_of("item_id", key) for key in keys)


def _plain(table: ibis.Table) -> pa.Table:
    rows: pa.Table = table.to_pyarrow()
    return rows.drop_columns([name for name in rows.column_names if name.endswith("[]")])


def _noted(rows: pa.Table) -> pa.Table:
    """The rows with FAULT and RAW, which Parquet has not."""
    for name in (FAULT, RAW):
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


def _all(one: Sample, column: str, kind: type) -> bool:
    """Whether the column has values, and each is a list, or an object, or its JSON."""
    values = one.values(column)
    return bool(values) and all(isinstance(_json(value), kind) for value in values)


def _inside(one: Sample, column: str) -> Iterator[Any]:
    return (entry for value in one.values(column) for entry in _json(value))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def is_nested(value: Any) -> bool:
    """Whether a value is a list or an object, or the text of one in JSON, Python or PHP."""
    return isinstance(_json(value), list | dict) or bool(PHP.match(str(value)))


def _json(value: Any) -> Any:
    """What a text of JSON says, or of Python, where it looks like an object or a list; else the value."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return nested_value(value)
    except ValueError:
        return value
