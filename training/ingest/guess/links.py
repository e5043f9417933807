"""Which files name rows of other files: lines their order, items their category."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from training.ingest.guess.columns import EVENTS, PRODUCTS, columns_of
from training.ingest.guess.sample import Link, Sample
from training.ingest.guess.words import is_called, is_key, is_key_of, plain, whole_names, words_in

ORDER: Final = "order"
BOUGHT: Final = {"user_id", "event_timestamp"}
"""What an order says of all its lines."""


def with_orders(samples: Sequence[Sample]) -> list[Sample]:
    """The samples; where one has lines of orders, and another one the orders, they are one."""
    found = {id(one): columns_of(one, EVENTS).keys() for one in samples}
    orders = [one for one in samples if found[id(one)] >= BOUGHT and "item_id" not in found[id(one)]]
    lines = [one for one in samples if "item_id" in found[id(one)] and not found[id(one)] >= BOUGHT]
    for line in lines:
        for order in orders:
            if by := next(_keys(line, order, of="basket_id"), None):
                rest = [one for one in samples if one is not line and one is not order]
                return [_linked(line, order, Link(ORDER, order.path.name, *by, order.encoding)), *rest]
    return list(samples)


def with_lookups(items: Sample, others: Sequence[Sample]) -> Sample:
    """The items with the columns of the files that name what they have numbers of; these may name others in turn."""
    left = [one for one in others if len(one.columns) > 1]
    while True:
        found = ((one, by) for one in left for by in _keys(items, one) if not is_called("item_id", by[1]))
        other, by = next(found, (None, None))
        if other is None or by is None:
            return _trimmed(items, list(columns_of(items, PRODUCTS).values()))
        left = [one for one in left if one is not other]
        *rest, last = words_in(other.path.stem) or [ORDER]
        name = last if all(link.name != last for link in items.links) else "_".join([*rest, last])
        items = _linked(items, other, Link(name, other.path.name, *by, other.encoding))


def needed(one: Sample, columns: Sequence[str]) -> list[Link]:
    """The links from which any of the columns come, in their order; one may need a column of another."""
    kept: list[Link] = []
    for link in reversed(one.links):
        if any(link.owns(column) for column in (*columns, *(later.by for later in kept))):
            kept.insert(0, link)
    return kept


def _trimmed(one: Sample, columns: Sequence[str]) -> Sample:
    """The sample without the files of whose columns none is among these."""
    kept = needed(one, columns)
    idle = [column for link in one.links if link not in kept for column in one.columns if link.owns(column)]
    return replace(one, rows=one.rows.drop_columns(idle), links=tuple(kept))


def _keys(one: Sample, other: Sample, of: str = "") -> Iterator[tuple[str, str]]:
    """(column of the one, column of the other) that mean the same, where the other has each value once.

    They are called alike, or order_id is the id of orders. of: what of ours such a column must be the key of; empty:
    any.
    """
    for column in one.columns:
        called = column.rpartition(".")[2]
        fits = is_called(of, called) or is_key_of(of, called) if of else is_key(called)
        for key in other.columns if fits else ():
            if plain(called) in (whole_names(other.path.stem, key) or {plain(key)}) and _each_once(other, key):
                yield column, key


def _each_once(one: Sample, column: str) -> bool:
    values = [value for value in one.rows.column(column).to_pylist() if value not in (None, "")]
    return len(set(map(str, values))) == len(values) > 0


def _linked(one: Sample, other: Sample, link: Link) -> Sample:
    """For guessing what the columns hold alone: a row whose match is not in the sample has any row's."""
    theirs = other.rows.to_pylist()
    by_key: dict[str, Any] = {str(row[link.key]): row for row in theirs}
    named = one.rows.column(link.by).to_pylist()
    matches = [by_key.get(str(value), theirs[at % len(theirs)]) for at, value in enumerate(named)]
    rows = one.rows
    for column in other.columns:
        if column != link.key:
            values = pa.array([row[column] for row in matches], other.rows.schema.field(column).type)
            rows = rows.append_column(f"{link.name}.{column}", values)
    return replace(one, rows=rows, links=(*one.links, link))
