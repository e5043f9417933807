"""Ingest of a made-up shop: each fault of an event once, and every row accounted for."""

import json
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from training.engine import connect_duckdb
from training.ingest.adapters.source import Source
from training.ingest.ingest import ingest, ingest_source
from training.ingest.report import IngestReport
from training.settings import IngestSettings
from training.workspace import Workspace

ACCEPT_ALL = IngestSettings(adapter="made-up", max_dropped_share=1.0)
EVENT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("event_id", "event_type", "user_id", "item_id", "basket_id", "till")]
    + [("event_timestamp", pa.timestamp("us", "UTC")), ("quantity", pa.int64())]
    + [("price", pa.float64()), ("discount", pa.float64())]
)


def event(event_id: str | None, day: int = 1, **changes: Any) -> dict[str, Any]:
    """A good event of user u1, with a column that the contract does not know."""
    return {
        "event_id": event_id,
        "event_type": "purchase",
        "user_id": "u1",
        "item_id": "milk",
        "basket_id": "b1",
        "till": "7",
        "event_timestamp": datetime(2024, 1, day, 12, tzinfo=UTC),
        "quantity": 1,
        "price": 2.0,
        "discount": 0.0,
    } | changes


GOOD = [
    event("later", day=9, user_id="u2"),
    event("first", day=2),
    event("free", day=3, price=0.0, discount=None),
    event("seen", day=4, event_type="view", basket_id=None, price=None, discount=None),
]
BAD = [
    ("missing_id", event(None)),
    ("missing_id", event("no-user", user_id=None)),
    ("missing_id", event("no-item", item_id=None)),
    ("missing_timestamp", event("no-time", event_timestamp=None)),
    ("unknown_event_type", event("odd", event_type="teleport")),
    ("unknown_event_type", event("untyped", event_type=None)),
    ("money_not_finite", event("nan", price=math.nan)),
    ("money_not_finite", event("endless", discount=math.inf)),
    ("quantity_not_positive", event("none", quantity=0)),
    ("quantity_not_positive", event("returned", quantity=-1)),
    ("quantity_not_positive", event("uncounted", quantity=None)),
    ("negative_money", event("paid-out", price=-0.01)),
    ("negative_money", event("surcharge", discount=-0.01)),
    ("item_not_in_catalogue", event("ghost", item_id="unicorn")),
    ("duplicate_event_id", event("first", day=5)),
]


def source_of(events: list[dict[str, Any]]) -> Source:
    """Two users, the second without a profile; two items, the second never bought."""
    users: list[dict[str, Any]] = [{"user_id": "u1", "age_band": "25-34"}, {"user_id": "u2"}]
    items: list[dict[str, Any]] = [{"item_id": "milk", "title": "Milk"}, {"item_id": "salt", "title": "Salt"}]
    return Source(
        events=ibis.memtable(pa.Table.from_pylist(events, schema=EVENT_SCHEMA)),
        users=ibis.memtable(pa.Table.from_pylist(users, pa.schema([(name, pa.string()) for name in USER_COLUMNS]))),
        items=ibis.memtable(pa.Table.from_pylist(items, pa.schema([(name, pa.string()) for name in ITEM_COLUMNS]))),
        time_zone="Europe/Paris",
        notices=("Made up.",),
    )


def ingested(root: Path, events: list[dict[str, Any]], settings: IngestSettings = ACCEPT_ALL) -> IngestReport:
    return ingest_source(Workspace(root), settings, source_of(events), connect_duckdb())


def rows_of(root: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(Workspace(root).ingested(table)).to_pylist()
    return rows


def test_every_row_is_kept_or_dropped_for_the_first_rule_it_fails(tmp_path: Path) -> None:
    report = ingested(tmp_path, GOOD + [row for _, row in BAD])
    assert report.events_dropped == {
        "duplicate_event_id": 1,
        "item_not_in_catalogue": 1,
        "missing_id": 3,
        "missing_timestamp": 1,
        "money_not_finite": 2,
        "negative_money": 2,
        "quantity_not_positive": 3,
        "unknown_event_type": 2,
    }
    assert (report.events_in, report.events_kept) == (19, 4)  # 1 + 1 + 3 + 1 + 2 + 2 + 3 + 2 = 15 dropped


def test_the_quarantine_holds_each_dropped_row_with_its_reason(tmp_path: Path) -> None:
    ingested(tmp_path, GOOD + [row for _, row in BAD])
    rows = rows_of(tmp_path, "quarantine")
    assert sorted((row["reason"], str(row["event_id"])) for row in rows) == sorted(
        (reason, str(row["event_id"])) for reason, row in BAD
    )
    (copy,) = [row for row in rows if row["event_id"] == "first"]
    assert copy["event_timestamp"] == datetime(2024, 1, 5, 12, tzinfo=UTC)  # the earlier of the two was kept
    assert copy.keys() == {*EVENT_COLUMNS, "reason"}


def test_a_row_with_several_faults_is_counted_once(tmp_path: Path) -> None:
    report = ingested(tmp_path, [*GOOD, event("bad", item_id="unicorn", quantity=0, price=-1.0)])
    assert report.events_dropped == {"quantity_not_positive": 1}


def test_kept_events_have_the_contracts_columns_in_order_of_time(tmp_path: Path) -> None:
    ingested(tmp_path, GOOD)
    rows = rows_of(tmp_path, "events")
    assert [row["event_id"] for row in rows] == ["first", "free", "seen", "later"]
    assert list(rows[0]) == list(EVENT_COLUMNS)
    assert rows[2] == {name: GOOD[3][name] for name in EVENT_COLUMNS}  # what was not known stays null
    assert list(rows_of(tmp_path, "users")[0]) == list(USER_COLUMNS)
    assert list(rows_of(tmp_path, "items")[0]) == list(ITEM_COLUMNS)


def test_the_report_describes_the_source_and_is_written(tmp_path: Path) -> None:
    report = ingested(tmp_path, GOOD)
    assert report == IngestReport(
        adapter="made-up",
        time_zone="Europe/Paris",
        notices=("Made up.",),
        events_in=4,
        events_kept=4,
        events_dropped={},
        users=2,
        items=2,
        users_not_in_table=0,
        users_without_profile=1,
        items_without_events=1,
        first_event="2024-01-02T12:00:00+00:00",
        last_event="2024-01-09T12:00:00+00:00",
    )
    written = json.loads(Workspace(tmp_path).ingest_report.read_text())
    assert written == asdict(report) | {"notices": ["Made up."], "warnings": []}


def test_a_quick_trial_takes_the_first_users_with_their_events(tmp_path: Path) -> None:
    report = ingested(tmp_path, GOOD, IngestSettings(max_users=1))
    assert (report.users, report.events_in, report.events_kept) == (1, 3, 3)  # "later" is u2's
    assert [row["user_id"] for row in rows_of(tmp_path, "users")] == ["u1"]


def test_too_large_a_dropped_share_is_refused_naming_the_setting(tmp_path: Path) -> None:
    faulty = [*GOOD, event("none", quantity=0)]
    assert ingested(tmp_path, faulty, IngestSettings(max_dropped_share=0.2)).events_kept == 4  # 1 of 5 is not more
    with pytest.raises(DataRejected, match=r"1 of 5 .*'quantity_not_positive': 1.*ingest\.max_dropped_share = 0\.19"):
        ingested(tmp_path, faulty, IngestSettings(max_dropped_share=0.19))
    assert [row["event_id"] for row in rows_of(tmp_path, "quarantine")] == ["none"]  # the text says to look there


def test_a_source_of_which_nothing_can_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"None of the 2 events could be used: {'quantity_not_positive': 2}"):
        ingested(tmp_path, [event("none", quantity=0), event("returned", quantity=-1)])
    report = json.loads(Workspace(tmp_path).ingest_report.read_text())
    assert (report["first_event"], report["last_event"]) == ("", "")


def test_what_would_mend_a_few_rows_is_left_unsaid_where_many_were_lost_for_another_reason(tmp_path: Path) -> None:
    many = [event(f"w{k}", event_type="wink") for k in range(30)]
    with pytest.raises(DataRejected, match=r"One of unknown_event_type: .*event_type=wink.*`event_types: {") as refused:
        ingested(tmp_path, [*many, event("none", quantity=0)])
    assert "returns" not in str(refused.value)


def test_a_row_that_is_shown_in_a_refusal_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"One of quantity_not_positive: event_id=b{291}…\."):  # 300 letters in all
        ingested(tmp_path, [event("b" * 400, quantity=0)])


def test_negative_units_that_no_policy_names_are_a_note(tmp_path: Path) -> None:
    report = ingested(tmp_path, [*GOOD, event("back", quantity=-1)], IngestSettings(max_dropped_share=0.5))
    assert [
        note
        for note in report.warnings
        if note.startswith("Dropped, as their units are not positive: 1.") and "returns: cancel" in note
    ]


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match="The source has no events"):
        ingested(tmp_path, [])


def test_an_unknown_adapter_is_refused_listing_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no adapter 'made-up'\. Available: .*complete-journey, "):
        ingest(Workspace(tmp_path), ACCEPT_ALL, connect_duckdb())


def test_a_faulty_twin_does_not_cost_the_good_event(tmp_path: Path) -> None:
    report = ingested(tmp_path, [event("x", day=1, quantity=0), event("x", day=2)])
    assert (report.events_kept, report.events_dropped) == (1, {"quantity_not_positive": 1})


def test_ids_that_are_not_distinct_are_refused_before_they_multiply_events(tmp_path: Path) -> None:
    source = source_of(GOOD)
    rows = source.items.execute().iloc[[0, 0, 1]].assign(title=["Milk", "Oat milk", "Salt"])
    twice = replace(source, items=ibis.memtable(rows))
    with pytest.raises(DataRejected, match="items table has 3 rows, 0 of them without item_id, and 2 distinct ids"):
        ingest_source(Workspace(tmp_path), ACCEPT_ALL, twice, connect_duckdb())


def test_refused_events_do_not_stay_for_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DataRejected):
        ingested(tmp_path, [*GOOD, event("bad", quantity=0)], IngestSettings(max_dropped_share=0.1))
    assert not Workspace(tmp_path).ingested("events").exists()
    assert Workspace(tmp_path).ingested("quarantine").exists()


def test_users_with_events_and_no_row_are_counted(tmp_path: Path) -> None:
    assert ingested(tmp_path, [*GOOD, event("walk-in", user_id="u9")]).users_not_in_table == 1


def test_the_first_users_of_the_journey_are_taken_with_their_purchases(empty_workspace: Workspace) -> None:
    """Its table of users is a join of two files."""
    report = ingest(empty_workspace, IngestSettings(max_users=2), connect_duckdb())
    users = pq.read_table(empty_workspace.ingested("users")).column("user_id").to_pylist()
    events = pq.read_table(empty_workspace.ingested("events")).column("user_id").to_pylist()
    assert set(users) == set(events) == {"1", "10"}
    assert report.events_kept == len(events) > 100
