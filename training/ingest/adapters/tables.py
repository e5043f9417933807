"""The files of one table as one table, whatever kinds of files and types its parts are."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import pyarrow as pa

from contracts.errors import DataRejected
from contracts.limits import MAX_ID
from training.ingest.files.delimited import FAULT, RAW, read_delimited
from training.ingest.files.json_lines import read_json_lines
from training.ingest.files.list_text import parsed_lists
from training.ingest.files.location import JSON_SUFFIXES, DataFile, has_suffix
from training.ingest.files.nested import with_nested, with_rows
from training.ingest.files.parquet import read_parquet_file
from training.ingest.profiles import NOTES
from training.ingest.values.texts import as_text

KEPT = (FAULT, RAW)


def read_table(
    connection: ibis.BaseBackend,
    files: Sequence[DataFile],
    lists: Sequence[str] = (),
    *,
    rows_of: str = "",
    nested: Sequence[str] = (),
    careful: bool = False,
) -> ibis.Table:
    """The rows of all files, with FAULT and RAW; the columns `lists` as arrays, also where they are text.

    rows_of: a column with lists, of which each entry is a row. nested: paths into columns, as with_nested reads them.
    Raises DataRejected naming the file that is empty, cut short or of another shape than the others.
    """
    try:
        parts = [_with_lists(_read_file(connection, file, careful=careful), lists) for file in files]
    except UnicodeDecodeError as error:  # of an encoding that the mapping says
        raise DataRejected(f"{files[0].name} cannot be read as {error.encoding}: {error.reason}.") from error
    if any(has_suffix(file.name, JSON_SUFFIXES) for file in files):  # a line names only the keys that it has
        parts = _with_all_columns(parts)
    table = reduce(ibis.union, _alike(parts, [file.name for file in files]))
    return with_nested(with_rows(table, rows_of) if rows_of else table, nested)


def _read_file(connection: ibis.BaseBackend, file: DataFile, *, careful: bool) -> ibis.Table:
    if has_suffix(file.name, JSON_SUFFIXES):
        return ibis.memtable(read_json_lines(file))
    if has_suffix(file.name, (".parquet",)):
        return read_parquet_file(connection, file, careful=careful)
    return ibis.memtable(read_delimited(file))


def _with_lists(table: ibis.Table, lists: Sequence[str]) -> ibis.Table:
    texts = [name for name in lists if name in table.columns and not table[name].type().is_array()]
    if not texts:
        return table
    rows: pa.Table = table.mutate(**{name: table[name].cast("string") for name in texts}).to_pyarrow()
    for name in texts:
        rows = rows.set_column(rows.column_names.index(name), name, parsed_lists(rows.column(name)))
    return ibis.memtable(rows)


def _with_all_columns(parts: list[ibis.Table]) -> list[ibis.Table]:
    names = list(dict.fromkeys(name for part in parts for name in part.columns))
    return [part.mutate(**{name: ibis.null("string") for name in names if name not in part.columns}) for part in parts]


def _alike(parts: list[ibis.Table], files: Sequence[str]) -> list[ibis.Table]:
    """The parts with the same columns in the same types: a column that differs becomes text.

    Raises DataRejected where a part lacks a column, or holds lists where another holds none.
    """
    first = parts[0]
    for other, file in zip(parts[1:], files[1:], strict=True):
        if set(first.columns) != set(other.columns):
            shown = "; ".join(", ".join(name for name in part.columns if name not in KEPT) for part in (first, other))
            raise DataRejected(
                f"Parts of a table differ in columns: {shown}. The first are those of {files[0]}, the others those of "
                f"{file}. Give every part all columns, with nothing in those that it has no values for."
            )
    kinds = {name: {part[name].type().copy(nullable=True) for part in parts} for name in first.columns}
    differing = {name for name, found in kinds.items() if len(found) > 1}
    for name in sorted(differing):
        if any(kind.is_nested() for kind in kinds[name]):
            raise DataRejected(
                f"Parts of a table differ in the type of {name}: {', '.join(sorted(map(str, kinds[name])))}. "
                "Write all parts with the same type."
            )
    return [part.select(**_columns(part, first.columns, differing)) for part in parts]


def _columns(part: ibis.Table, names: Sequence[str], as_texts: set[str]) -> Mapping[str, Any]:
    return {name: as_text(part[name]) if name in as_texts else part[name] for name in names}


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


def moment_text(moment: Any) -> Any:
    """UTC to the microsecond, empty for null: a part of ids, spelt the same by every engine."""
    return moment.cast("timestamp(6)").cast("string").fill_null("")
