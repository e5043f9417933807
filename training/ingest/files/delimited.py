"""CSV and TSV to Arrow: every column as text, with each line accounted for.

An engine's own reader is not used: DuckDB 2.0 with `store_rejects` reports one bad row for a stray quote and skips
everything up to the end of the file with it. Here only the line with the quote is lost, and it is returned.

A field is quoted when it begins with a quote (RFC 4180); elsewhere a quote is a character, as in 27" of a screen.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from contracts.errors import DataRejected
from training.ingest.files.location import DataFile
from training.ingest.files.names import as_in_file, beside, refuse_named_twice
from training.ingest.files.packed import bare

FAULT, RAW = "__fault", "__raw"  # why a line is not a row, and its text; both null for rows
MALFORMED, NOT_UTF8, REPEATED_HEADER = "malformed_row", "not_utf8", "repeated_header"
SEPARATOR = re.compile(rb"[Ss][Ee][Pp]=([,;\t|])[\r\n]*")
"""A line before the header by which Excel is told what stands between fields."""
NO_NAME = re.compile(r"[\d\s.,:/+-]*\d[\d\s.,:/+-]*")
"""A number or a time, where a name of a column should be."""
NAMELESS = "column_{}"
UNIT_SEPARATOR = b"\x1f"
DELIMITERS = (b"\t", b";", b"|", b"::", b",")
QUOTED = re.compile(rb'"(?:[^"]|"")*"')
CHUNK_BYTES = 16 << 20
QUOTED_LINES = 1000  # a quoted field over more lines than this is a stray quote
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TO_UTF8 = "Save the file as UTF-8, or say its encoding in the mapping (ecommerce): `encoding: {encoding}`."
UNPACK = "unpack it, or compress it by gzip and end its name in .csv.gz."
OTHER_KINDS = (
    (rb"PAR1", "a Parquet file: end its name in .parquet."),
    (rb"PK\x03\x04|\xd0\xcf\x11\xe0", "an Excel workbook or a zip file: save the sheet as CSV, or unpack the file."),
    (rb"\x1f\x8b", "compressed by gzip: end its name in .csv.gz, or unpack it."),
    (rb"BZh\d", f"compressed by bzip2: {UNPACK}"),
    (rb"\xfd7zXZ", f"compressed by xz: {UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"compressed by zstd: {UNPACK}"),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", f"UTF-32. {TO_UTF8.format(encoding='UTF-32')}"),
    (rb"\xff\xfe|\xfe\xff", f"UTF-16. {TO_UTF8.format(encoding='UTF-16')}"),
    (rb'\s*(?:\[\s*)?\{\s*(?:"|\}|\Z)', "JSON: end its name in .jsonl{packed}."),
)
"""How files begin that are no delimited text, and what to do with them."""


@dataclass(frozen=True)
class Dialect:
    """How a file separates fields and lines."""

    delimiter: bytes
    newline: bytes
    doubled: bool = False  # lines end in \r\r\n, as they do where Windows adds to an end that has its \r already

    @property
    def plain_quotes(self) -> "re.Pattern[bytes]":
        """A quoted field on one line, from its first quote to the delimiter or line end behind it."""
        edge = re.escape(self.delimiter)
        return re.compile(rb'(?:^|(?<=[%s\n]))"(?:[^"\n]|"")*"(?=[%s\r\n]|\Z)' % (edge, edge))


def read_delimited(file: DataFile) -> pa.Table:
    """One row a record: the header's columns as strings (empty is null), then FAULT and RAW.

    Raises DataRejected for a file without a header or with a column named twice.
    """
    with file.open(compression="infer") as stream:
        first, rest = _header_line(stream, file.name)
        said = SEPARATOR.fullmatch(first)
        if said is not None:
            first, rest = _header_line(stream, file.name, rest)
        newline, doubled = b"\r" if first.endswith(b"\r") else b"\n", first.endswith(b"\r\r\n")
        if file.header:
            first, rest = file.header.encode(), first + rest
        delimiter = said[1] if said is not None else _delimiter(first, rest, file.name)
        dialect = Dialect(delimiter, newline, doubled)
        names = _header(first, dialect, file.name)
        schema = pa.schema([(name, pa.string()) for name in (*names, FAULT, RAW)])
        batches = list(_batches(stream, rest, names, dialect, schema))
    return pa.concat_tables(batches) if batches else schema.empty_table()


def looks_like_a_row(names: Sequence[str]) -> bool:
    """Whether names of columns are values: the file has no line of names."""
    return bool(names) and 2 * sum(NO_NAME.fullmatch(name) is not None for name in names) >= len(names)


def _header_line(stream: IO[bytes], file_name: str, data: bytes = b"") -> tuple[bytes, bytes]:
    """(the first line that is not empty, with its end), (what was read behind it). data: what was read already."""
    data = data.lstrip(b"\r\n")
    while not (end := re.search(rb"\r*\n|\r(?=[^\r\n])", data)) and (more := stream.read(CHUNK_BYTES)):
        data = (data + more).removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
    _refuse_other_kinds(data, file_name)
    if not data.strip():
        raise DataRejected(f"{file_name} is empty: expected a line of column names, then rows.")
    return (data[: end.end()], data[end.end() :]) if end else (data, b"")


def _refuse_other_kinds(start: bytes, file_name: str) -> None:
    """Raises DataRejected for a file that is not a text, or is JSON, by whatever name: what it is, and what to do."""
    for kinds, what in OTHER_KINDS:
        if re.match(kinds, start):
            raise DataRejected(f"{file_name} is {what.format(packed=file_name.removeprefix(bare(file_name)))}")


def _delimiter(header: bytes, rest: bytes, file_name: str) -> bytes:
    """A tab by the file's name; else what the header has most of, outside of quotes.

    Names may hold commas, as in `price, EUR`: what the first row has as often comes first, and a comma last.
    """
    if ".tsv" in file_name.rpartition("/")[2].lower():
        return b"\t"
    row = re.split(rb"[\r\n]", rest.lstrip(b"\r\n"), maxsplit=1)[0]
    counts = {one: (_count(one, header), _count(one, row)) for one in DELIMITERS}
    there = [one for one in DELIMITERS if counts[one][0]]
    alike = [one for one in there if counts[one][0] == counts[one][1]]
    return max(alike or there, key=lambda one: counts[one][0], default=b",")


def _count(delimiter: bytes, line: bytes) -> int:
    return QUOTED.sub(b"", line).count(delimiter)


def _header(line: bytes, dialect: Dialect, file_name: str) -> list[str]:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise DataRejected(
            f"The header of {file_name} is not UTF-8: {line[:80]!r}. {TO_UTF8.format(encoding='WINDOWS-1252')}"
        ) from error
    record = _record(line.strip(b"\r\n"), 0, dialect)
    if not isinstance(record, Record):
        raise DataRejected(f"The header of {file_name} has a quote that does not end: {line[:80]!r}.")
    # pandas writes its index under no name.
    names = [field.decode() or NAMELESS.format(at) for at, field in enumerate(record.fields)]
    refuse_named_twice(names, file_name)
    return [beside(name, (FAULT, RAW)) for name in names]


def _batches(
    stream: IO[bytes], rest: bytes, names: list[str], dialect: Dialect, schema: pa.Schema
) -> Iterator[pa.Table]:
    """The rows in slices of about CHUNK_BYTES."""
    ended = False
    while not ended:
        chunk = stream.read(CHUNK_BYTES)
        ended = not chunk
        rest += chunk
        if dialect.doubled:
            rest = re.sub(rb"\r+\n", b"\r\n", rest)
        end = len(rest) if ended else rest.rfind(dialect.newline) + 1
        if not end or not rest[:end].strip(b"\r\n"):
            continue
        if (table := _parse(rest[:end], names, dialect, schema)) is not None:
            yield _without_headers(table)
            rest = rest[end:]
            continue
        table, taken = _parse_by_record(rest, names, dialect, schema, ended=ended)
        yield _without_headers(table)
        rest = rest[taken:]


def _without_headers(table: pa.Table) -> pa.Table:
    """The rows, with a fault where one says the names of the columns: files were written one behind the other."""
    *names, _, _ = map(as_in_file, table.column_names)
    repeated = pc.is_in(table.column(0), pa.array([names[0], f"\ufeff{names[0]}", f'\ufeff"{names[0]}"']))
    for at, name in enumerate(names):
        if at:
            repeated = pc.and_(repeated, pc.equal(table.column(at), name).fill_null(name == NAMELESS.format(at)))
        if not pc.any(repeated).as_py():
            return table
    fault, header = pa.scalar(REPEATED_HEADER), pa.scalar(",".join(names))
    said = [*(pa.scalar(None, pa.string()) for _ in names), fault, header]
    columns = [pc.if_else(repeated, one, column) for one, column in zip(said, table.columns, strict=True)]
    return pa.table(columns, schema=table.schema)


def _parse(lines: bytes, names: list[str], dialect: Dialect, schema: pa.Schema) -> pa.Table | None:
    """Arrow's reader where every line is one good row, else None."""
    if dialect.newline == b"\r" or lines.count(b"\r") != lines.count(b"\r\n"):
        return None
    if b'"' in lines and (len(dialect.delimiter) > 1 or b'"' in dialect.plain_quotes.sub(b"", lines)):
        return None
    if len(dialect.delimiter) > 1:  # Arrow knows delimiters of one character
        if UNIT_SEPARATOR in lines:
            return None
        lines = lines.replace(dialect.delimiter, UNIT_SEPARATOR)
        dialect = Dialect(UNIT_SEPARATOR, dialect.newline)
    try:
        table = pa.csv.read_csv(
            io.BytesIO(lines),
            read_options=pa.csv.ReadOptions(column_names=names, block_size=max(len(lines), 1), use_threads=False),
            parse_options=pa.csv.ParseOptions(delimiter=dialect.delimiter.decode(), newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != lines.count(b"\n") + (not lines.endswith(b"\n")):
        return None
    nothing = pa.nulls(table.num_rows, pa.string())
    return table.append_column(FAULT, nothing).append_column(RAW, nothing)


@dataclass(frozen=True)
class Record:
    """The fields of one record, and where the next one begins."""

    fields: list[bytes]
    end: int


LONGEST_END = len(b"\r\r\r\n")
OPEN = "open"
"""A quoted field that the data at hand does not end."""


def _parse_by_record(
    data: bytes, names: list[str], dialect: Dialect, schema: pa.Schema, *, ended: bool
) -> tuple[pa.Table, int]:
    """(rows, bytes taken); a record that what comes next may end is left."""
    rows: list[list[str | None]] = []
    at = 0
    while at < len(data):
        line_end = data.find(dialect.newline, at)
        if line_end < 0 and not ended:
            break
        line_end = len(data) if line_end < 0 else line_end
        line = data[at:line_end].removesuffix(b"\r")
        record = _record(data, at, dialect) if line else None
        if record == OPEN and not ended and data.count(dialect.newline, at) < QUOTED_LINES:
            break
        if isinstance(record, Record) and len(record.fields) == len(names):
            rows.append(_row(record.fields, data[at : record.end]))
            at = record.end
            continue
        if line:
            rows.append([*(None for _ in names), *_fault(line)])
        at = line_end + 1
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema), at


def _record(data: bytes, at: int, dialect: Dialect) -> Record | str | None:
    """The record that starts here; OPEN where a quote is not closed; None where something follows a closing quote."""
    fields: list[bytes] = []
    last_line = at
    while True:
        if data[at : at + 1] == b'"':
            close = _closing_quote(data, at + 1)
            if close < 0 or data.count(dialect.newline, last_line, close) > QUOTED_LINES:
                return OPEN
            fields.append(data[at + 1 : close].replace(b'""', b'"'))
            at = close + 1
        else:
            end = min(_found(data, dialect.delimiter, at), _found(data, dialect.newline, at))
            fields.append(data[at:end])
            at = end
        if data.startswith(dialect.delimiter, at):
            at += len(dialect.delimiter)
        elif at >= len(data) or data[at : at + 1] == dialect.newline or data[at : at + 2] == b"\r\n":
            break
        else:  # the data may end inside of the line's end
            return None if data[at : at + LONGEST_END].strip(b"\r") else OPEN
    if dialect.newline == b"\n":
        if data[at : at + 1] == b"\r":  # behind a quote
            at += 1
        else:
            fields[-1] = fields[-1].removesuffix(b"\r")
    return Record(fields, at + 1)


def _found(data: bytes, what: bytes, at: int) -> int:
    place = data.find(what, at)
    return len(data) if place < 0 else place


def _closing_quote(data: bytes, at: int) -> int:
    while (quote := data.find(b'"', at)) >= 0 and data[quote + 1 : quote + 2] == b'"':
        at = quote + 2
    return quote


def _row(fields: list[bytes], record: bytes) -> list[str | None]:
    try:
        return [*(field.decode() or None for field in fields), None, None]
    except UnicodeDecodeError:
        return [*(None for _ in fields), *_fault(record.rstrip(b"\r\n"))]


def _fault(line: bytes) -> list[str | None]:
    try:
        return [MALFORMED, line.decode().rstrip("\r")]
    except UnicodeDecodeError:
        return [NOT_UTF8, line.decode(errors="backslashreplace").rstrip("\r")]
