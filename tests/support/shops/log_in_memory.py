"""A log of five users and seven items in memory, at moments on which the windows of features begin and end."""

from datetime import UTC, datetime
from typing import Any

import ibis

from contracts.features import names
from training.features.build import pairs_as_of
from training.features.user_features import user_statistics, visits_of
from training.timeline import Timeline

Event = tuple[str | float | None, ...]
DAY, HOUR, QUARTER = 86_400, 3600, 900
AT = int(datetime(2024, 1, 29, tzinfo=UTC).timestamp())  # a Monday's midnight
EVENT = {
    "event_type": "string", "user_id": "string", "item_id": "string", "basket_id": "string",
    "quantity": "int64", "price": "float64", "discount": "float64", "seconds": "int64",
}  # fmt: skip
ITEM = {
    "item_id": "string", "department": "string", "subcategory": "string", "brand": "string",
    "available_from": "timestamp('UTC', 6)",
}  # fmt: skip


def days(number: float) -> int:
    """The moment this number of days before AT."""
    return AT - int(number * DAY)


def bought(
    user: str, basket: str | None, item: str, at: int, quantity: int = 1, price: float = 2.0, off: float = 0.0
) -> Event:
    return ("purchase", user, item, basket, quantity, price, off, at)


def looked(user: str, kind: str, item: str | None, at: int) -> Event:
    return (kind, user, item, None, 1, None, None, at)


ADA = [
    bought("ada", "old", "milk", days(365) - QUARTER, 9, 100.0),  # a quarter hour too old
    bought("ada", "a", "milk", days(365)),  # to the second: a Sunday's midnight
    bought("ada", "a", "soap", days(365), price=5.0),
    bought("ada", "b", "bread", days(91), 2, 3.0, 0.5),
    bought("ada", "c", "milk", days(28) - QUARTER),  # a quarter hour before 28 days: Sunday, 23:45
    bought("ada", "d", "milk", days(7), 1, 4.0, 1.0),
    bought("ada", "d", "salt", days(7), price=1.0),
    bought("ada", None, "bread", days(2.5), price=3.0),  # Friday noon, in a basket that the source does not know
    bought("ada", "f", "salt", days(1.75), 3, 1.0),  # Saturday, 6:00
    bought("ada", "f", "bread", days(1.75) + 1200, price=3.0),  # the same basket twenty minutes later
    bought("ada", "f", "salt", AT, 50, 99.0, 9.0),  # at the very moment: not known
    looked("ada", "view", "milk", days(91) - QUARTER),
    looked("ada", "view", "pepper", days(7)),
    looked("ada", "view", "milk", days(1)),
    looked("ada", "view", None, days(1)),
    looked("ada", "like", "milk", days(1)),
    looked("ada", "cart_add", "milk", days(28)),
    looked("ada", "view", "milk", AT),
]  # fmt: skip
OTHERS = [
    bought("bob", "v1", "tea", days(4)), bought("bob", "v2", "tea", days(3.5), price=4.0),
    bought("cid", "w1", "tea", days(40), price=6.0), bought("cid", "w2", "tea", days(39), price=6.0),
    bought("dan", "x1", "tea", days(20), price=9.0), bought("dan", "x1", "sample", days(20), price=0.0, off=1.0),
    looked("eve", "view", "pepper", days(200)),
]  # fmt: skip
ITEMS = [
    ("milk", "food", "dairy", "farm", None), ("bread", "food", "bakery", "own", None),
    ("salt", "spices", "spice", "farm", AT + 5 * DAY), ("soap", None, None, None, None),
    ("tea", "drinks", None, "own", days(50)), ("sample", "drinks", "free", "own", None),
    ("pepper", "spices", None, "farm", None),
]  # fmt: skip
EARLY, LATER = days(91), days(28)
SNAPSHOTS = (EARLY, LATER, AT)


def events_of(rows: list[Event]) -> ibis.Table:
    return ibis.memtable([dict(zip(EVENT, row, strict=True)) for row in rows], schema=EVENT)


def timeline(time_zone: str = "UTC") -> Timeline:
    return Timeline(
        time_zone=time_zone, data_end=AT, cutoff=AT, ranker_starts=(LATER,), two_tower_start=EARLY,
        snapshots=SNAPSHOTS, history_snapshots=(AT,),
    )  # fmt: skip


def items_table() -> ibis.Table:
    rows: list[dict[str, Any]] = [dict(zip(ITEM, row, strict=True)) for row in ITEMS]
    for row in rows:
        at = row["available_from"]
        row["available_from"] = None if at is None else datetime.fromtimestamp(at, UTC)
    return ibis.memtable(rows, schema=ITEM)


def by_key(table: ibis.Table, key: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows by entity and moment."""
    rows = table.to_pyarrow().to_pylist()
    found = {(row[key], int(row["event_timestamp"].timestamp())): row for row in rows}
    assert len(found) == len(rows)
    return found


def statistics_of(rows: list[Event], snapshots: tuple[int, ...] = (AT,), time_zone: str = "UTC") -> dict[Any, Any]:
    events = events_of(rows)
    pairs = pairs_as_of(events.filter(events.event_type == "purchase").mutate(in_run_up=False), SNAPSHOTS)
    table = user_statistics(visits_of(events, timeline(time_zone)), pairs, items_table(), snapshots)
    return {
        key: dict(zip(names.USER_STATISTICS, row[names.USER_STATISTICS_VALUES], strict=True))
        for key, row in by_key(table, "user_id").items()
    }


def windows(name: str, *values: float) -> dict[str, float]:
    return {f"{name}_{length}d": value for length, value in zip(names.WINDOWS_DAYS, values, strict=True)}
