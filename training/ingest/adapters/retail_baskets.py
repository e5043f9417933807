"""Baskets of a shop's till: products.txt and transactions.txt.

products.txt is tab separated without a header: product id, category code, product name. transactions.txt is JSON, an
array of transactions or one a line; its items are product ids, or objects with an id and what else is known.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import ibis

from contracts.events.schema import EventType
from training.ingest.adapters.mapping import READING_OPTIONS, refuse_unknown_keys, time_zone_of
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.files.delimited import FAULT, MALFORMED, RAW
from training.ingest.files.json_lines import Line, Repeated, Unparsed, as_text, table_of, text_lines, values_of
from training.ingest.files.location import DataFile, locate
from training.ingest.files.plain_types import WRONG_TYPE
from training.ingest.values.columns import Columns

# What each value is called in the JSON; `transactions.<name>` and `items.<name>` in the mapping say otherwise.
TRANSACTION = {"transaction_id": "id", "user_id": "customer_id", "event_timestamp": "timestamp", "items": "items"}
ITEM = {"item_id": "id", "quantity": "quantity", "price": "price", "discount": "discount"}
NUMBERS = ("quantity", "price", "discount")
KEYS = (
    *READING_OPTIONS,
    "products.file",
    "transactions.file",
    *(f"transactions.{name}" for name in TRANSACTION),
    *(f"items.{name}" for name in ITEM),
)
PRODUCT_COLUMNS = ("product_id", "category_code", "product_name")
LINE_COLUMNS = ("transaction_id", "user_id", "event_timestamp", *ITEM, "content", FAULT, RAW)
WHOLE = re.compile(r"\+?0*[1-9]\d{0,14}")
"""Units that can be added up; a return, which is negative, stays a line of its own."""


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables; each product of a basket is one purchase, with its units as quantity.

    Raises MissingArtifact without one of the files, DataRejected for JSON that is cut short.
    """
    refuse_unknown_keys(options.mapping, KEYS, "retail-baskets")
    zone = time_zone_of(options.mapping)
    location = locate(options.path, "retail-baskets")
    (products,) = location.required(options.mapping.get("products.file", "products.txt"), (".txt", ".tsv"))
    (transactions,) = location.required(
        options.mapping.get("transactions.file", "transactions.txt"), (".txt", ".json", ".jsonl")
    )
    lines = (line for one in values_of(transactions) for line in _lines(one, options.mapping))
    events = _events(_table(lines, LINE_COLUMNS), options.mapping)
    return Source(
        events=events,
        users=None,
        items=_items(_table(_products(products), (*PRODUCT_COLUMNS, FAULT, RAW))),
        time_zone=zone,
    )


def _table(rows: Iterable[Line], names: tuple[str, ...]) -> ibis.Table:
    return ibis.memtable(table_of(rows, names))


def _products(file: DataFile) -> Iterator[Line]:
    for line, fault in text_lines(file):
        values = line.split("\t")
        if fault is None and len(values) != len(PRODUCT_COLUMNS):
            fault = MALFORMED
        if fault is None:
            yield dict(zip(PRODUCT_COLUMNS, values, strict=True))
        else:
            yield {FAULT: fault, RAW: line}


def _lines(transaction: Any, mapping: Mapping[str, str]) -> list[Line]:
    """One line for each product of a basket; its units are added up, as a till may list a product twice."""
    if isinstance(transaction, Unparsed):
        return [transaction.line]
    shown = as_text(transaction) or "null"
    if not isinstance(transaction, dict):
        return [{FAULT: MALFORMED, RAW: shown}]
    names = {name: mapping.get(f"transactions.{name}", key) for name, key in TRANSACTION.items()}
    head = {name: as_text(transaction.get(key)) for name, key in names.items() if name != "items"}
    items = transaction.get(names["items"])
    if not isinstance(items, list) or not items:
        return [head | {FAULT: "basket_without_items" if items in (None, []) else WRONG_TYPE, RAW: shown}]
    if any(isinstance(item, list | bool | Repeated) or item is None for item in items):
        return [head | {FAULT: WRONG_TYPE, RAW: shown}]
    own = {name: mapping.get(f"items.{name}", key) for name, key in ITEM.items()}
    commas = NUMBERS if mapping.get("decimal", "") == "," else ()
    listed = [
        {name: as_text(item.get(key), comma=name in commas) for name, key in own.items()}
        if isinstance(item, dict)
        else {"item_id": as_text(item)}
        for item in items
    ]
    digest = hashlib.md5(shown.encode(), usedforsecurity=False).hexdigest()
    return [head | item | {"content": f"{digest}-{place}"} for place, item in enumerate(_added_up(listed))]


def _added_up(items: Iterable[Line]) -> Iterator[Line]:
    """The items, those that differ in nothing but their units as one; one without a number of units stays by itself."""
    units: dict[tuple[tuple[str, str], ...], int] = {}
    for item in items:
        quantity = item.get("quantity") or "1"
        rest = tuple(sorted((name, value or "") for name, value in item.items() if name != "quantity" and value))
        if WHOLE.fullmatch(quantity):
            units[rest] = units.get(rest, 0) + int(quantity)
        else:
            yield item
    for rest, total in units.items():
        yield {**dict(rest), "quantity": str(total)}


def _events(table: ibis.Table, mapping: Mapping[str, str]) -> ibis.Table:
    rows = Columns(table, "lines", {key: mapping[key] for key in READING_OPTIONS if key in mapping})
    return rows.select(
        event_id=ibis.null("string"),
        content=rows.text("content"),
        event_type=ibis.literal(EventType.PURCHASE.value),
        user_id=rows.id("user_id"),
        item_id=rows.id("item_id"),
        event_timestamp=rows.timestamp("event_timestamp"),
        basket_id=rows.id("transaction_id"),
        quantity=rows.number("quantity", "int64").fill_null(1),
        price=rows.number("price"),
        discount=rows.number("discount"),
    )


def _items(table: ibis.Table) -> ibis.Table:
    rows = Columns(table, "products", {})
    return rows.select(
        item_id=rows.id("product_id"),
        title=rows.text("product_name"),
        category=rows.id("category_code"),
    )
