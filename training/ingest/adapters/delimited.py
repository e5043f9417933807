"""Delimited text to Arrow, every column as text, with each line accounted for.

An engine's own reader is not used: DuckDB 2.0 with `store_rejects` reports one bad row for a stray quote and skips
everything up to the end of the file with it. Here only the line with the quote is lost, and it is returned.
"""

import csv
import io
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.csv

from contracts.errors import DataRejected
from training.ingest.adapters.location import DataFile

FAULT, RAW = "__fault", "__raw"  # why a line is not a row, and its text; both null for rows
MALFORMED, NOT_UTF8 = "malformed_row", "not_utf8"
CHUNK_BYTES = 16 << 20
QUOTED_LINES = 100  # a quoted field over more lines than this is a stray quote


def read_delimited(file: DataFile) -> pa.Table:
    """One row a record: the header's columns as strings (empty is null), then FAULT and RAW.

    Raises DataRejected for a file without a header or with a column named twice.
    """
    with file.open(compression="infer") as stream:
        first = stream.readline()
        delimiter = _delimiter(first, file.name)
        names = _header(first, delimiter, file.name)
        schema = pa.schema([(name, pa.string()) for name in (*names, FAULT, RAW)])
        batches = [_parse(lines, names, delimiter, schema) for lines in _whole_records(stream)]
    return pa.concat_tables(batches) if batches else schema.empty_table()


def _delimiter(header: bytes, file_name: str) -> str:
    """A tab by the file's name; else a comma, or the semicolon of spreadsheets where commas are decimal."""
    if ".tsv" in file_name:
        return "\t"
    return ";" if header.count(b";") > header.count(b",") else ","


def _header(line: bytes, delimiter: str, file_name: str) -> list[str]:
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataRejected(f"The header of {file_name} is not UTF-8: {line[:80]!r}. Save the file as UTF-8.") from error
    if not text.strip():
        raise DataRejected(f"{file_name} is empty: expected a line of column names, then rows.")
    # pandas writes its index under no name.
    names = [name or f"column_{at}" for at, name in enumerate(next(csv.reader([text], delimiter=delimiter)))]
    if len(set(names)) < len(names):
        raise DataRejected(f"{file_name} names a column twice: {', '.join(names)}.")
    return names


def _whole_records(stream: IO[bytes]) -> Iterator[bytes]:
    """Slices of about CHUNK_BYTES that end with a line."""
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        rest += chunk
        if cut := _end_of_record(rest):
            yield rest[:cut]
            rest = rest[cut:]
    if rest.strip():
        yield rest


def _end_of_record(data: bytes) -> int:
    """Where the last whole line ends; with an odd number of quotes before it, where the line of the last one starts."""
    end = data.rfind(b"\n") + 1
    if data.count(b'"', 0, end) % 2:
        opened = data.rfind(b'"', 0, end)
        return data.rfind(b"\n", 0, opened) + 1 or end
    return end


def _parse(lines: bytes, names: list[str], delimiter: str, schema: pa.Schema) -> pa.Table:
    """Arrow's reader when every line is one good row, else a reading line by line."""
    if lines.count(b'"') % 2:
        return _parse_by_line(lines, names, delimiter, schema)
    try:
        table = pa.csv.read_csv(
            io.BytesIO(lines),
            read_options=pa.csv.ReadOptions(column_names=names, block_size=max(len(lines), 1), use_threads=False),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid:
        return _parse_by_line(lines, names, delimiter, schema)
    if table.num_rows != lines.count(b"\n") + (not lines.endswith(b"\n")):
        return _parse_by_line(lines, names, delimiter, schema)
    nothing = pa.nulls(table.num_rows, pa.string())
    return table.append_column(FAULT, nothing).append_column(RAW, nothing)


def _parse_by_line(data: bytes, names: list[str], delimiter: str, schema: pa.Schema) -> pa.Table:
    lines = data.split(b"\n")
    rows: list[list[str | None]] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        taken, values = _record(lines, at, len(names), delimiter)
        if values is None:
            rows.append([*(None for _ in names), *_fault(lines[at])])
        else:
            rows.append([*(value or None for value in values), None, None])
        at += taken
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)


def _record(lines: list[bytes], at: int, width: int, delimiter: str) -> tuple[int, list[str] | None]:
    """(lines taken, values), values None when no record of the right width starts at this line."""
    quotes = 0
    for taken in range(1, min(QUOTED_LINES, len(lines) - at) + 1):
        quotes += lines[at + taken - 1].count(b'"')
        if quotes % 2 == 0:
            values = _values(b"\n".join(lines[at : at + taken]), delimiter)
            return (taken, values) if values is not None and len(values) == width else (1, None)
    return 1, None


def _values(record: bytes, delimiter: str) -> list[str] | None:
    try:
        text = record.removesuffix(b"\r").decode()
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows[0] if len(rows) == 1 else None


def _fault(line: bytes) -> list[str | None]:
    try:
        return [MALFORMED, line.decode().rstrip("\r")]
    except UnicodeDecodeError:
        return [NOT_UTF8, line.decode(errors="backslashreplace").rstrip("\r")]
