"""Lines of a mapping that do nothing with the files that are there: their author expects something of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from training.ingest.adapters.event_names import plain
from training.ingest.adapters.mapping import COLUMN_OPTIONS, EVENT_TYPES, READING_OPTIONS
from training.ingest.adapters.once import LATEST
from training.ingest.files.location import JSON_SUFFIXES, DataFile, has_suffix
from training.ingest.values.columns import Columns

READ_BY = {"decimal": {"units", "money"}, "time_zone": {"times"}, "epoch_unit": {"times"}, "date_format": {"times"}}
"""Of what kinds of columns each option says how they are read."""


def idle_lines(
    mapping: Mapping[str, str], opened: Mapping[str, Columns], tables: Mapping[str, Iterable[str]]
) -> Iterator[str]:
    """A sentence for each reason. opened: the tables that are there and were read; tables: all, with our columns."""
    for table, columns in tables.items():
        if table in opened:
            yield from _of_table(mapping, opened[table], table, columns)
        else:
            yield from said([key for key in mapping if key.startswith(f"{table}.")], f"there is no file of {table}")
    kinds = {kind for rows in opened.values() for kind in rows.kinds.values()}
    of_all = [option for option in READING_OPTIONS if option in mapping and option != "time_zone"]  # the shop's, too
    yield from said([option for option in of_all if not READ_BY[option] & kinds], "no table has a column of that kind")
    constant = mapping.get("interactions.event_type.value")
    names = [key for key in mapping if key.startswith(EVENT_TYPES)]
    if constant is not None:
        others = [key for key in names if plain(key.removeprefix(EVENT_TYPES)) != plain(constant)]
        yield from said(others, f"every row is said to be a {constant}")


def idle_of_files(mapping: Mapping[str, str], files: Sequence[DataFile], table: str) -> Iterator[str]:
    """A sentence where the table's header or encoding is said, and none of its files is read by it."""
    if all(has_suffix(file.name, (".parquet",)) for file in files):
        yield from said(_there(mapping, f"{table}.encoding"), "Parquet says its encoding by itself")
    if all(has_suffix(file.name, (".parquet", *JSON_SUFFIXES)) for file in files):
        yield from said(_there(mapping, f"{table}.header"), "Parquet and JSON name their columns by themselves")


def _of_table(mapping: Mapping[str, str], rows: Columns, table: str, columns: Iterable[str]) -> Iterator[str]:
    for name in columns:
        options = [f"{table}.{name}.{option}" for option in COLUMN_OPTIONS]
        if there := _there(mapping, *options):
            yield from said([] if rows.has(name) else there, f"{table} has no column {name}")
    mapped = _there(mapping, *(f"{table}.{name}" for name in columns))
    yield from said([key for key in mapped if mapping[key] not in rows.used], "nothing reads it")
    kinds = set(rows.kinds.values())
    idle = [option for option in READING_OPTIONS if not READ_BY[option] & kinds]
    yield from said(_there(mapping, *(f"{table}.{option}" for option in idle)), f"{table} has no column of that kind")
    if mapping.get(f"{table}.repeated") != LATEST:
        yield from said(_there(mapping, f"{table}.latest_by"), f"it is read with `repeated: {LATEST}` alone")
    if f"{table}.rows" not in mapping:
        yield from said(_there(mapping, f"{table}.rows.separator"), "rows names no column (`rows: {column: …}`)")
    if table == "interactions" and not rows.has("basket_id"):
        yield from said(_there(mapping, "return_prefix"), "interactions has no column basket_id")


def _there(mapping: Mapping[str, str], *keys: str) -> list[str]:
    return [key for key in keys if key in mapping]


def said(keys: Sequence[str], why: str) -> Iterator[str]:
    """The sentence that these lines do nothing; none without lines."""
    if keys:
        yield f"{', '.join(keys)} in the mapping {'do' if len(keys) > 1 else 'does'} nothing: {why}."
