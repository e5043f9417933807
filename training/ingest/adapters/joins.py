"""Tables that the rows of another table name: the order of each line, the genre of each track."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import ibis
from ibis import _

from contracts.errors import DataRejected, InvalidInput
from training.ingest.files.delimited import FAULT, RAW
from training.ingest.files.names import as_in_file
from training.ingest.values.texts import as_id

OPTIONS: Final = ("file", "by", "key", "encoding", "header")
BY, KEY, FOUND = "__by", "__key", "__found"


@dataclass(frozen=True)
class Join:
    """One table that the rows of another one name. Its columns are called `name.column`."""

    table: str  # whose rows name it
    name: str
    file: str
    by: str  # the column of the rows
    key: str  # the column of the file, which has each value once

    @property
    def section(self) -> str:
        """Where the mapping has it."""
        return f"{self.table}.join.{self.name}"

    def own(self, columns: Iterable[str]) -> set[str]:
        """Those of the mapping's columns that are its own, as its file calls them."""
        start = f"{self.name}."
        return {column.removeprefix(start) for column in columns if column.startswith(start)}


def joins_of(mapping: Mapping[str, str], table: str) -> list[Join]:
    """What the mapping says of the tables that a table's rows name, in its order.

    Raises InvalidInput for one without a file or a column, or with another option.
    """
    said: dict[str, dict[str, str]] = {}
    for key, value in mapping.items():
        if key.startswith(start := f"{table}.join."):
            name, _sep, option = key.removeprefix(start).partition(".")
            said.setdefault(name, {})[option] = value
    for name, options in said.items():
        if options.keys() - {*OPTIONS} or not {"file", "by"} <= options.keys():
            raise InvalidInput(
                f"{table}.join.{name} has {', '.join(sorted(filter(None, options))) or 'no options'}; it takes "
                f'{", ".join(OPTIONS)}, and needs file and by, as in `{table}: {{join: {{order: {{file: "orders.csv", '
                'by: "order_id"}}}`.'
            )
    return [Join(table, name, one["file"], one["by"], one.get("key", one["by"])) for name, one in said.items()]


def with_join(
    rows: ibis.Table, other: ibis.Table, join: Join, wanted: Collection[str]
) -> tuple[ibis.Table, Iterator[str]]:
    """(the rows with the wanted columns of the table that they name, null where it lacks what they name; notes).

    Rows of the other table that cannot be read are added, so that they are counted.
    Raises InvalidInput for a column that is not there, DataRejected where the other table has a key twice and says two
    things of it.
    """
    _refuse_missing(rows, join.table, join.by, f"{join.section}.by")
    _refuse_missing(other, join.file, join.key, f"{join.section}.key")
    own = sorted(wanted)
    for column in own:
        _refuse_missing(other, join.file, column, f"{join.name}.{column} of {join.table}")
    fine = other.filter(other[FAULT].isnull()).select(list(dict.fromkeys([join.key, *own]))).distinct()
    _refuse_twice(fine, join)
    named = fine.select(
        **{KEY: as_id(fine[join.key]), FOUND: True}, **{f"{join.name}.{column}": fine[column] for column in own}
    )
    asking = rows.mutate(**{BY: as_id(rows[join.by])})
    found = asking.left_join(named, asking[BY] == named[KEY])
    lost = found.filter(_[BY].notnull() & _[FOUND].isnull())
    joined = found.drop(BY, KEY, FOUND)
    faulty = other.filter(other[FAULT].notnull())
    nothing = {name: ibis.null(kind) for name, kind in joined.schema().items() if name not in (FAULT, RAW)}
    everything = joined.union(faulty.select(**nothing, **{FAULT: _[FAULT], RAW: _[RAW]}).select(*joined.columns))
    return everything, _unnamed(lost, rows, join)


def _refuse_missing(table: ibis.Table, shown: str, column: str, said: str) -> None:
    if column not in table.columns:
        there = ", ".join(as_in_file(name) for name in table.columns if name not in (FAULT, RAW))
        raise InvalidInput(f"{said} is {column!r}; {shown} has {there}.")


def _refuse_twice(table: ibis.Table, join: Join) -> None:
    key = as_id(table[join.key])
    twice = table.filter(key.notnull()).group_by(key=key).agg(rows=_.count()).filter(_.rows > 1)
    for first in twice.order_by("key").limit(1).execute().itertuples():
        raise DataRejected(
            f"{join.file} has {first.rows} different rows whose {join.key} is {first.key}. It must have one: else "
            f"the rows of {join.table} that name it would count {first.rows} times."
        )


def _unnamed(lost: ibis.Table, rows: ibis.Table, join: Join) -> Iterator[str]:
    """A sentence where rows name what the other table lacks."""
    count = int(lost.count().execute())
    if count:
        first: Any = lost.select(BY).order_by(BY).limit(1).execute().iloc[0, 0]
        yield (
            f"{count:,} of {int(rows.count().execute()):,} rows of {join.table} name by {join.by} what "
            f"{join.file} lacks, {first} first. Its columns are null there."
        )
