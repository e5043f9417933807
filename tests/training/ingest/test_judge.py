"""Which units returns take back, against a judge of its own that goes through the events one by one."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest

from contracts.events.schema import EVENT_COLUMNS
from training.engine import connect_duckdb
from training.ingest.judge import cancelled

START = datetime(2024, 1, 1, tzinfo=UTC)


def judged(*events: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Events of one item as (user, day, units); negative units are a return."""
    return [
        {"event_id": f"e{at:03}", "event_type": "purchase", "user_id": user, "item_id": "tea", "quantity": units,
         "event_timestamp": START + timedelta(days=day), "reason": "return" if units < 0 else None}
        for at, (user, day, units) in enumerate(events)
    ]  # fmt: skip


def left(rows: list[dict[str, Any]], *, keep_copies: bool = False) -> dict[str, int]:
    """By id the units of each purchase that is kept."""
    schema = ibis.schema(EVENT_COLUMNS).to_pyarrow().append(pa.field("reason", pa.string()))
    table: pa.Table = connect_duckdb().to_pyarrow(
        cancelled(ibis.memtable(pa.Table.from_pylist(rows, schema)), keep_copies=keep_copies)
    )
    found = table.to_pylist()
    assert len(found) == len(rows)
    assert all(row["taken"] == 0 for row in found if row["reason"] == "return")
    assert all(row["taken"] == row["quantity"] for row in found if row["reason"] == "returned")
    return {row["event_id"]: row["quantity"] for row in found if row["reason"] is None}


def one_by_one(rows: list[dict[str, Any]]) -> dict[str, int]:
    stacks: dict[tuple[str, str], list[list[Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["event_timestamp"], row["reason"] is not None)):
        stack, units = stacks[row["user_id"], row["item_id"]], row["quantity"]
        if row["reason"] is None:
            stack.append([row["event_id"], units])
        while units < 0 and stack:
            taken = min(-units, stack[-1][1])
            units += taken
            stack[-1][1] -= taken
            if not stack[-1][1]:
                stack.pop()
    return {event: units for stack in stacks.values() for event, units in stack}


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ([("u", 1, -1), ("u", 2, 2), ("u", 3, -1)], {"e001": 1}),  # nobody knows what came back on day 1
        ([("u", 1, 1), ("u", 2, -1), ("u", 3, 1), ("u", 4, 1), ("u", 5, -1)], {"e002": 1}),
        ([("u", 1, 1), ("u", 2, -3), ("u", 3, 2), ("u", 4, -1)], {"e002": 1}),  # two of the three are not known
        ([("u", 1, 5), ("u", 2, 3), ("u", 3, -4), ("u", 4, 1)], {"e000": 4, "e003": 1}),
        ([("u", 1, 1), ("v", 1, 1), ("u", 1, -1)], {"e001": 1}),  # at one moment the purchase was first
    ],
)
def test_each_return_takes_from_the_latest_purchase_before_it(
    events: list[tuple[str, int, int]], kept: dict[str, int]
) -> None:
    assert left(judged(*events)) == kept == one_by_one(judged(*events))


def test_drawn_histories_are_what_they_are_event_by_event() -> None:
    drawn = random.Random(7)
    days = {user: drawn.sample(range(60), 40) for user in "abcdefghij"}
    rows = judged(*((user, day, drawn.choice([-4, -2, -1, 1, 2, 3])) for user, its in days.items() for day in its))
    assert left(rows) == one_by_one(rows)


def test_a_return_that_is_there_twice_was_given_back_once_unless_copies_are_kept() -> None:
    rows = judged(("u", 1, 3), ("u", 2, -1), ("u", 2, -1))
    rows[2]["event_id"] = rows[1]["event_id"]
    assert left(rows) == {"e000": 2}
    assert left(rows, keep_copies=True) == {"e000": 1}


def test_a_row_that_was_dropped_with_the_id_of_a_purchase_stays_as_it_was() -> None:
    rows = judged(("u", 1, 2), ("u", 1, 2), ("u", 2, -2))
    rows[1] |= {"event_id": rows[0]["event_id"], "reason": "exact_copy"}
    assert left(rows) == {}


def test_users_whose_events_share_an_id_have_their_own_units() -> None:
    rows = judged(("v", 1, 3), ("u", 1, 2), ("u", 2, -2))
    rows[1]["event_id"] = rows[0]["event_id"]
    assert left(rows) == {"e000": 3}
