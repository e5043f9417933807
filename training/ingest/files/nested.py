"""Values inside of objects and lists, as JSON and Parquet nest them: `buyer.id`, a row for each line of an order."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import InvalidInput
from training.ingest.files.delimited import FAULT, RAW
from training.ingest.files.json_lines import Repeated, as_text
from training.ingest.files.literals import nested_value
from training.ingest.files.plain_types import WRONG_TYPE

WITHOUT_ITEMS = "basket_without_items"


def with_rows(table: ibis.Table, column: str, separator: str = "", commas: Collection[str] = ()) -> ibis.Table:
    """One row for each entry of the lists in the column: the entry in place of the list, its number in `column[]`.

    column: may be a path into another one. separator: what stands between the entries, where the lists are plain text.
    commas: columns whose numbers have a comma before decimals.
    A row without entries is kept as WITHOUT_ITEMS, one with something else than a list as WRONG_TYPE. Raises
    InvalidInput where there is no such column.
    """
    table = with_nested(table, [column])
    if column not in table.columns:
        named = ", ".join(name for name in table.columns if name not in (FAULT, RAW))
        raise InvalidInput(f"rows is {column!r}, which is no column: there is {named}.")
    separator = separator if table[column].type().is_string() else ""
    rows, texts = _as_json(table, column)
    parents, entries, places, faults, shown = [], [], [], [], []
    for parent, text in enumerate(texts):
        found, fault = _parted(text, separator) if separator else _entries(text)
        for place, entry in enumerate(found or [None]):
            parents.append(parent)
            entries.append(as_text(entry, comma=column in commas))
            places.append(place)
            faults.append(fault)
            shown.append(f"{column}={text or ''}" if fault else None)
    taken = rows.take(pa.array(parents, pa.int64()))
    taken = _replaced(taken, column, entries).append_column(f"{column}[]", pa.array(places, pa.int64()))
    return ibis.memtable(_with_faults(taken, faults, shown))


def with_nested(table: ibis.Table, paths: Sequence[str], commas: Collection[str] = ()) -> ibis.Table:
    """The table with a column for each path that leads into another one: an object, or the text of one in JSON.

    What is a column by itself, or leads nowhere in every row, is left to the caller. An object without the key has null
    there; text that is no JSON object is its row's fault. commas: paths whose numbers have a comma before decimals.
    """
    for path in dict.fromkeys(paths):
        heads = [name for name in table.columns if path.startswith(f"{name}.")]
        if path in table.columns or not heads:
            continue
        head = max(heads, key=len)
        keys = path[len(head) + 1 :].split(".")
        if not table[head].type().is_string():
            value = _field(table[head], keys)
            table = table if value is None else table.mutate(**{path: value})
        else:
            table = _from_text(table, head, keys, path, comma=path in commas)
    return table


def paths_in(value: Any, name: str) -> Iterator[str]:
    """Where the plain values below a name lie: of {"id": 1, "home": {"city": "x"}} name.id and name.home.city."""
    if not isinstance(value, dict):
        yield name
        return
    for key, inside in value.items():
        yield from paths_in(inside, f"{name}.{key}")


def _as_json(table: ibis.Table, column: str) -> tuple[pa.Table, list[str | None]]:
    """(the rows, the column as JSON)."""
    if not table[column].type().is_string():
        table = table.mutate(**{column: table[column].cast("json").cast("string")})
    rows = table.to_pyarrow()
    return rows, rows.column(column).to_pylist()


def _entries(text: str | None) -> tuple[list[Any], str | None]:
    """(what the list holds, why it holds nothing)."""
    try:
        found = nested_value(text) if text is not None else []
    except ValueError:
        return [], WRONG_TYPE
    if found is None or found == []:
        return [], WITHOUT_ITEMS
    return (found, None) if isinstance(found, list) else ([], WRONG_TYPE)


def _parted(text: str | None, separator: str) -> tuple[list[Any], str | None]:
    found = [entry for part in (text or "").split(separator) if (entry := part.strip())]
    return found, None if found else WITHOUT_ITEMS


def _from_text(table: ibis.Table, column: str, keys: Sequence[str], path: str, *, comma: bool) -> ibis.Table:
    rows = table.to_pyarrow()
    coded = rows.column(column).cast(pa.large_string()).combine_chunks().dictionary_encode()
    found = [_value(text, keys, comma=comma) for text in coded.dictionary.to_pylist()]
    if not any(there for there, _, _ in found):
        return table
    values = pa.array([value for _, value, _ in found], pa.string()).take(coded.indices)
    faults = pa.array([fault for _, _, fault in found], pa.string()).take(coded.indices)
    shown = pc.if_else(faults.is_valid(), pc.binary_join_element_wise(f"{column}=", rows.column(column), ""), None)
    return ibis.memtable(_with_faults(rows.append_column(path, values), faults, shown))


def _value(text: str, keys: Sequence[str], *, comma: bool) -> tuple[bool, str | None, str | None]:
    """(whether the keys lead somewhere, the value there, why the text cannot be looked into)."""
    try:
        found = nested_value(text)
    except ValueError:
        return False, None, WRONG_TYPE
    if not isinstance(found, dict | Repeated):
        return False, None, None if found is None else WRONG_TYPE
    for key in keys:
        if isinstance(found, Repeated):  # the key may be one of its own
            return True, None, WRONG_TYPE
        if not isinstance(found, dict) or key not in found:
            return False, None, None
        found = found[key]
    return True, as_text(found, comma=comma) or None, None


def _field(value: Any, keys: Sequence[str]) -> Any:
    """The field of a struct that the keys lead to; None where there is none."""
    for key in keys:
        if not value.type().is_struct() or key not in value.type().names:
            return None
        value = value[key]
    return value


def _replaced(rows: pa.Table, column: str, values: Any) -> pa.Table:
    return rows.set_column(rows.column_names.index(column), column, pa.array(values, pa.string()))


def _with_faults(rows: pa.Table, faults: Any, shown: Any) -> pa.Table:
    """The rows with these faults where they had none."""
    fresh = rows.column(FAULT).is_null()
    for name, values in ((FAULT, faults), (RAW, shown)):
        values = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values, pa.string())
        known = rows.column(name).cast(pa.string())
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, pc.if_else(fresh, values.cast(pa.string()), known))
    return rows
