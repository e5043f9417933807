"""The files of one table as one table, whatever kinds of files and types its parts are."""

from collections.abc import Collection, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa

from contracts.errors import DataRejected
from contracts.limits import MAX_ID
from training.ingest.adapters.source import Source
from training.ingest.files.delimited import FAULT, RAW, read_delimited
from training.ingest.files.json_lines import read_json_lines
from training.ingest.files.list_text import parsed_lists
from training.ingest.files.location import DataFile, has_suffix, is_json
from training.ingest.files.names import as_in_file, told_apart
from training.ingest.files.nested import with_nested, with_rows
from training.ingest.files.parquet import read_parquet_file
from training.ingest.profiles import NOTES
from training.ingest.values.columns import Part
from training.ingest.values.texts import as_text
from training.ingest.values.totals import TOTALS_ROW


def read_table(
    connection: ibis.BaseBackend,
    files: Sequence[DataFile],
    lists: Sequence[str] = (),
    *,
    rows_of: str = "",
    separator: str = "",
    nested: Sequence[str] = (),
    in_path: Sequence[str] = (),
    wanted: Collection[str] = (),
    commas: Collection[str] = (),
    careful: bool = False,
) -> tuple[ibis.Table, dict[str, list[Part]]]:
    """(the rows of all files, with FAULT and RAW; columns that only some files have, where they are null).

    The columns `lists` are arrays, also where they are text. Files may have their columns in any order.

    rows_of: a column with lists, of which each entry is a row; separator: between entries that are plain text.
    nested: paths into columns, as with_nested reads them. in_path: patterns of the files' paths, each of which becomes
    a column of what stands there. wanted: names of the columns that the adapter reads, and paths into them; a table
    whose files name none, like an empty list of JSON, has these without rows.
    commas: columns whose texts have a comma before decimals; what is a number already, in JSON or Parquet, is spelt
    like them where it has to be text.
    Raises DataRejected naming the file that is empty or cut short, a column of lists in one and of texts in another, or
    two wanted columns that differ in case alone.
    """
    parts = [
        _with_lists(_read_file(connection, file, wanted, commas, careful=careful), lists).mutate(
            **{pattern: ibis.literal(file.in_path(pattern)) for pattern in in_path}
        )
        for file in files
    ]
    table = reduce(ibis.union, _alike(_told_apart(parts, files, wanted), files, commas))
    if not set(table.columns) - {FAULT, RAW, *in_path}:
        named = {*wanted, *([rows_of] if rows_of else ())}
        table = table.mutate(**{name: ibis.null("array<string>" if name in lists else "string") for name in named})
    table = with_rows(table, rows_of, separator, commas) if rows_of else table
    return with_nested(table, nested, commas), _lacking(parts, files)


def _read_file(
    connection: ibis.BaseBackend, file: DataFile, wanted: Collection[str], commas: Collection[str], *, careful: bool
) -> ibis.Table:
    if has_suffix(file.name, (".parquet",)):
        return read_parquet_file(connection, file, wanted, careful=careful)
    rows = read_json_lines(file, commas) if is_json(file.name) else read_delimited(file)
    return ibis.memtable(rows.rename_columns(told_apart(rows.column_names, {*wanted, FAULT, RAW}, file.name)))


def _told_apart(parts: list[ibis.Table], files: Sequence[DataFile], wanted: Collection[str]) -> list[ibis.Table]:
    """The parts with names that differ in more than case over all of them."""
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    renamed = dict(zip(names, told_apart(names, {*wanted, FAULT, RAW}, files[0].name), strict=True))
    return [part.rename({renamed[name]: name for name in part.columns if renamed[name] != name}) for part in parts]


def _with_lists(table: ibis.Table, lists: Sequence[str]) -> ibis.Table:
    texts = [name for name in lists if name in table.columns and not table[name].type().is_array()]
    if not texts:
        return table
    rows: pa.Table = table.mutate(**{name: table[name].cast("string") for name in texts}).to_pyarrow()
    for name in texts:
        rows = rows.set_column(rows.column_names.index(name), name, parsed_lists(rows.column(name)))
    return ibis.memtable(rows)


def _alike(parts: list[ibis.Table], files: Sequence[DataFile], commas: Collection[str]) -> list[ibis.Table]:
    """The parts with the columns of all, in the same types: one that a part lacks is null, one that differs is text.

    Raises DataRejected where a part holds lists and another holds none.
    """
    kinds: dict[str, dict[dt.DataType, str]] = {}  # by column each type, and a part that has it
    for part, file in zip(parts, files, strict=True):
        for name, kind in part.schema().items():
            kinds.setdefault(name, {}).setdefault(kind.copy(nullable=True), file.name)
    for name, found in sorted(kinds.items()):
        if len(found) > 1 and any(kind.is_nested() for kind in found):
            raise DataRejected(
                f"Parts of a table differ in the type of {name}: "
                f"{', '.join(f'{kind} in {file}' for kind, file in found.items())}. Write all parts with the same type."
            )
    return [
        part.select(**{name: _column(part, name, list(found), comma=name in commas) for name, found in kinds.items()})
        for part in parts
    ]


def _column(part: ibis.Table, name: str, kinds: Sequence[dt.DataType], *, comma: bool) -> ibis.Value:
    if name not in part.columns:
        return ibis.null("string" if len(kinds) > 1 else kinds[0])
    if len(kinds) == 1:
        return part[name]
    text = as_text(part[name])
    return text.replace(".", ",") if comma and part[name].type().is_numeric() else text


def _lacking(parts: list[ibis.Table], files: Sequence[DataFile]) -> dict[str, list[Part]]:
    """By column the parts that have others and not this one; a line of JSON names only the keys that it has."""
    everywhere = {name: None for part in parts for name in part.columns}
    found: dict[str, list[Part]] = {}
    for part, file in zip(parts, files, strict=True):
        lacks = [name for name in everywhere if name not in part.columns]
        if lacks and not is_json(file.name):
            columns = tuple(as_in_file(name) for name in part.columns if name not in (FAULT, RAW))
            one = Part(file.name, columns, int(part.count().execute()))
            for name in lacks:
                found.setdefault(name, []).append(one)
    return found


def with_faults(table: ibis.Table, *others: ibis.Table) -> ibis.Table:
    """The table, and the unreadable rows of tables that it was joined with: they must be counted somewhere."""
    for other in others:
        faulty = other.filter(other.reason.notnull())
        nothing = {name: ibis.null(kind) for name, kind in table.schema().items() if name not in NOTES}
        notes = {name: faulty[name] for name in NOTES if name in table.columns}
        table = table.union(faulty.select(**nothing, **notes).select(*table.columns))
    return table


def seen_users(rows: ibis.Table, column: str = "user_id") -> ibis.Table:
    """Users of a source without a table of users: every valid id that some row names."""
    named = rows.filter(rows[column].notnull() & (rows[column].length() <= MAX_ID))
    return named.select(user_id=column).distinct()


def named_in(events: ibis.Table, fault: str) -> ibis.Table:
    """Users of events whose column `fault` says why a row cannot be read: lines of totals name nobody."""
    return seen_users(events.filter(events[fault].fill_null("") != TOTALS_ROW))


def users_of(source: Source) -> ibis.Table:
    """The source's table of users, or whoever its events name."""
    return named_in(source.events, "reason") if source.users is None else source.users


def moment_text(moment: Any) -> Any:
    """UTC to the microsecond, empty for null: a part of ids, spelt the same by every engine."""
    return moment.cast("timestamp(6)").cast("string").fill_null("")
