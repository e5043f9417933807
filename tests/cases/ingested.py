"""Cases that one ingest answers: what is looked at in its tables, and the right value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

NOON = "2024-01-05T{}:00+00:00"


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    exit_code: int
    said: str  # on either stream
    data: Path  # data/ingested

    def rows(self, table: str, *columns: str) -> list[Any]:
        """Sorted tuples of some columns, or their values where one is asked for; no file: []."""
        path = self.data / f"{table}.parquet"
        if not path.exists():
            return []
        with path.open("rb") as file:  # an open file, so that no folder's name becomes a column
            found = pq.read_table(file, columns=list(columns)).to_pylist()
        cells = [tuple(row[column] for column in columns) for row in found]
        return sorted((cell[0] if len(columns) == 1 else cell for cell in cells), key=str)


Look = Callable[[Outcome], Any]


@dataclass(frozen=True)
class IngestCase:
    """One ingest of a case's folder."""

    right: Any
    look: Look
    adapter: str = "ecommerce"
    path: str = "input"


def _counts(outcome: Outcome) -> Any:
    return outcome.exit_code, len(outcome.rows("events", "event_id")), len(outcome.rows("quarantine", "reason"))


def _users(outcome: Outcome) -> Any:
    return outcome.rows("events", "user_id")


def _times(outcome: Outcome) -> Any:
    return [(user, f"{moment:%H:%M}") for user, moment in outcome.rows("events", "user_id", "event_timestamp")]


def _units(outcome: Outcome) -> Any:
    units: dict[Any, int] = {}
    for basket, item, quantity in outcome.rows("events", "basket_id", "item_id", "quantity"):
        units[basket, item] = units.get((basket, item), 0) + quantity
    return units


def _zones(outcome: Outcome) -> Any:
    """Of the four users with one right time, the users that were kept with another time."""
    right = {"z00": "10:00", "z01": "15:00", "z02": "09:00", "z09": "13:00"}
    return [(user, time) for user, time in _times(outcome) if user in right and time != right[user]]


def _says(*texts: str) -> Look:
    return lambda outcome: (outcome.exit_code, [text for text in texts if text not in outcome.said])


def _column(table: str, *columns: str) -> Look:
    return lambda outcome: outcome.rows(table, *columns)


INGESTED = {
    "basket-lists-item-twice-as-object": IngestCase(
        {("t1", "a"): 2, ("t1", "b"): 1, ("t2", "a"): 5, ("t2", "b"): 1, ("t3", "a"): 5}, _units, "retail-baskets"
    ),
    "clickstream-ids-with-spaces": IngestCase(
        [("k1", "sku 2"), ("k2", "sku 2"), ("k2", "ü-5"), ("k3", "it'm"), ("k4", "x[1]")],
        _column("events", "user_id", "item_id"),
        "clickstream",
    ),
    "dash-in-ids-ecommerce": IngestCase((0, 2, 0), _counts),
    "epoch-one-absurd-number": IngestCase((0, 1, 1), _counts),
    "epoch-unit-for-all-tables": IngestCase((0, 1, 0), _counts),
    "epoch-us-read-as-s": IngestCase((2, []), _says("epoch_unit")),
    "error-text-in-brackets": IngestCase((2, []), _says("[event_type]", "[user_id]", "[item_id]", "[event_timestamp]")),
    "error-text-with-closing-bracket": IngestCase((2, []), _says("needs a column user_id")),
    "ids-longer-than-128": IngestCase([], lambda outcome: [one for one in _users(outcome) if len(one) > 128]),
    "inch-mark-odd": IngestCase((0, 2, 0), _counts),
    "json-half-emoji-title": IngestCase(
        [("A", "Party hat \U0001f389"), ("B", "Party hat, cut \ufffd")], _column("items", "item_id", "title")
    ),
    "json-too-deep-line": IngestCase((0, 1, 1), _counts),
    "mac-line-ends": IngestCase((0, 2, 0), _counts),
    "mapping-key-on": IngestCase(["purchase", "view"], _column("events", "event_type")),
    "mapping-to-unknown-event-type": IngestCase((2, []), _says("purchased", "purchase, ")),
    "parquet-binary-text": IngestCase(
        [("plain", "Früchte"), ("Käse", "Früchte"), ("日本", "Früchte")],
        lambda outcome: sorted(outcome.rows("items", "title", "department"), key=lambda row: (row[0] != "plain", row)),
    ),
    "parquet-float-text-columns": IngestCase(
        [("0.33", None), ("0.5", "1.2"), ("1.5", "2.7")], _column("items", "package_size", "brand")
    ),
    "parquet-parts-int-and-float": IngestCase((0, 5, 1), _counts),
    "parquet-parts-null-column": IngestCase((0, 6, 0), _counts),
    "path-of-date-folder": IngestCase(
        [("u1", "10:00"), ("u2", "12:00"), ("u3", "23:30")], _times, path="date=2024-01-05"
    ),
    "path-of-key-value-folder": IngestCase(["x", "y", "z"], _column("items", "brand"), path="brand=acme"),
    "path-with-glob-characters": IngestCase(["u1", "u2", "u3"], _users, path="stores [12]"),
    "same-second-differing-rows": IngestCase((0, 4, 1), _counts),
    "two-digit-years": IngestCase([], lambda o: [m for m in o.rows("events", "event_timestamp") if m.year < 2000]),
    "zone-abbreviations": IngestCase([], _zones),
}
