"""The canonical tables against their rules: each kind of rule once, and what the schema says of a table as a whole."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest

from contracts.errors import DataRejected
from contracts.events.schema import (
    EVENT_COLUMNS,
    EVENT_RULES,
    ITEM_COLUMNS,
    ITEM_RULES,
    USER_COLUMNS,
    USER_RULES,
    EventType,
    Rule,
)
from contracts.limits import MAX_TERM
from tests.support.each import each
from training.ingest.validation import broken, refuse_broken

GOOD: dict[str, Any] = {
    "event_id": "e1", "event_type": "purchase", "user_id": "u1", "item_id": "milk",
    "event_timestamp": datetime(2024, 1, 1, tzinfo=UTC), "basket_id": None,
    "quantity": 1, "price": 0.0, "discount": None,
}  # fmt: skip
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def events(*rows: dict[str, Any]) -> ibis.Table:
    kinds = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    types = {name: kinds.get(kind, pa.timestamp("us", "UTC")) for name, kind in EVENT_COLUMNS.items()}
    table = pa.Table.from_pylist([GOOD | row for row in rows], pa.schema(list(types.items())))
    typed: ibis.Table = ibis.memtable(table).cast(EVENT_COLUMNS)
    return typed


def reasons(row: dict[str, Any]) -> list[str]:
    table = events(row)
    verdicts = table.select(**{str(i): broken(rule, table) for i, rule in enumerate(EVENT_RULES)}).to_pyarrow()
    (found,) = verdicts.to_pylist()
    return list(dict.fromkeys(rule.reason for i, rule in enumerate(EVENT_RULES) if found[str(i)]))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"event_id": None}, "missing_id"),
        ({"item_id": None}, "missing_id"),
        ({"event_timestamp": None}, "missing_timestamp"),
        ({"event_timestamp": TOMORROW}, "timestamp_in_future"),
        ({"event_type": "teleport"}, "unknown_event_type"),
        ({"event_type": None}, "unknown_event_type"),
        ({"quantity": 0}, "quantity_not_positive"),
        ({"quantity": None}, "quantity_not_positive"),
        ({"price": math.nan}, "money_not_finite"),
        ({"discount": math.inf}, "money_not_finite"),
        ({"price": -0.01}, "negative_money"),
    ],
)
def test_each_kind_of_rule_finds_its_rows(row: dict[str, Any], reason: str) -> None:
    assert reasons(row)[0] == reason
    with pytest.raises(DataRejected, match=f"events table does not keep its contract: .*{reason}"):
        refuse_broken(events({}, row), "events", EVENT_COLUMNS, EVENT_RULES)


@pytest.mark.parametrize("column", ["department", "category", "subcategory", "brand", "manufacturer"])
@pytest.mark.parametrize(
    ("text", "too_long"),
    [
        (" | ".join(["c" * MAX_TERM] * 20), False),
        ("c" * (MAX_TERM + 1), True),
        (f"a | {'c' * (MAX_TERM + 1)} | b", True),
        (f"{'c' * 200}|{'d' * 200}", True),
        (None, False),
    ],
)
def test_each_category_of_several_may_be_as_long_as_one(column: str, text: str | None, too_long: bool) -> None:
    table = ibis.memtable(pa.table({column: pa.array([text], pa.string())}))
    (rule,) = (one for one in ITEM_RULES if one.column == column)
    assert table.select(found=broken(rule, table)).to_pyarrow().to_pylist() == [{"found": too_long}]


def test_what_is_not_known_breaks_no_rule() -> None:
    assert reasons({"price": None, "basket_id": None}) == []
    assert reasons({"event_type": EventType.SEARCH.value, "item_id": None}) == []


def test_an_unknown_type_without_an_item_is_not_said_to_lack_one() -> None:
    assert reasons({"event_type": "teleport", "item_id": None}) == ["unknown_event_type"]


def test_every_fault_of_a_table_is_named_at_once() -> None:
    table = (
        events({"quantity": 0}, {"price": -1.0})
        .mutate(basket_id=ibis.literal(7))
        .drop("discount")
        .mutate(till=ibis.literal("7"))
    )
    with pytest.raises(DataRejected) as refused:
        refuse_broken(table, "events", EVENT_COLUMNS, EVENT_RULES[:-1])
    assert str(refused.value) == (
        "The events table does not keep its contract: column 'basket_id' is int8, not string; column 'discount' is "
        "missing; column 'till' is not in the contract; price: negative_money; quantity: quantity_not_positive."
    )


def test_rules_that_read_a_missing_column_are_left_out() -> None:
    with pytest.raises(DataRejected, match="contract: column 'event_type' is missing; quantity: quantity_not_positive"):
        refuse_broken(events({"quantity": 0}).drop("event_type"), "events", EVENT_COLUMNS, EVENT_RULES)


def test_another_order_of_columns_is_refused() -> None:
    with pytest.raises(DataRejected, match="columns are in the order discount, event_id, "):
        refuse_broken(
            events({}).select("discount", *[one for one in EVENT_COLUMNS if one != "discount"]),
            "events",
            EVENT_COLUMNS,
            EVENT_RULES,
        )


def test_good_and_empty_tables_pass() -> None:
    refuse_broken(events({}), "events", EVENT_COLUMNS, EVENT_RULES)
    refuse_broken(events(), "events", EVENT_COLUMNS, EVENT_RULES)


def test_rules_name_columns_that_there_are() -> None:
    for columns, rules in ((EVENT_COLUMNS, EVENT_RULES), (USER_COLUMNS, USER_RULES), (ITEM_COLUMNS, ITEM_RULES)):
        assert {rule.column for rule in rules} <= columns.keys()
        assert all(rule != Rule(rule.column, rule.reason) for rule in each(rules))  # each demands something
