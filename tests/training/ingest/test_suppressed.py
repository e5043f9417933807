"""People who were erased are left out of an ingest, counted, and in no table, quarantine included."""

from pathlib import Path

import ibis
import pyarrow.parquet as pq
import pytest
from ibis import _

from contracts.erasure.suppression import SuppressionList
from contracts.errors import DataRejected
from training.engine import connect_duckdb
from training.ingest.adapters.source import Source
from training.ingest.ingest import ingest_source
from training.ingest.report import IngestReport
from training.settings import IngestSettings
from training.workspace import Workspace

ODD = "o'Hara/ü (x)|.* 🙂"
SETTINGS = IngestSettings(max_dropped_share=1.0)


COLUMNS = dict.fromkeys(("event_id", "event_type", "user_id", "item_id", "event_timestamp", "reason", "raw"), "string")
BASE = {"event_type": "purchase", "item_id": "milk", "event_timestamp": "2024-01-01T00:00:00+00:00"}


def source(*more: dict[str, str | None]) -> Source:
    given: list[dict[str, str | None]] = [
        {"event_id": f"{at}-{user}", "user_id": user} for at, user in enumerate(("a", "b", ODD, ODD))
    ]
    rows = [tuple((BASE | one).get(name) for name in COLUMNS) for one in (*given, *more)]
    events = ibis.memtable(rows, schema=ibis.schema(COLUMNS)).mutate(
        event_timestamp=_.event_timestamp.cast("timestamp('UTC', 6)"), quantity=1
    )
    return Source(events, ibis.memtable({"user_id": ["a", ODD]}), ibis.memtable({"item_id": ["milk"]}), "UTC")


def ingested(tmp_path: Path, *more: dict[str, str | None]) -> IngestReport:
    return ingest_source(Workspace(tmp_path), SETTINGS, source(*more), connect_duckdb())


def test_rows_in_are_kept_dropped_or_suppressed(tmp_path: Path) -> None:
    SuppressionList(tmp_path / "erasures").add(ODD)
    report = ingested(tmp_path, {"event_id": "x", "user_id": "b", "item_id": "unknown"})
    # 5 rows: a and b are kept, two of the odd id are suppressed, one has an unknown item
    assert (report.events_in, report.events_kept, report.events_suppressed) == (5, 2, 2)
    assert report.events_dropped == {"item_not_in_catalogue": 1}
    assert report.users_suppressed == 1
    assert pq.read_table(Workspace(tmp_path).ingested("users"))["user_id"].to_pylist() == ["a", "b"]
    assert ODD not in pq.read_table(Workspace(tmp_path).ingested("events"))["user_id"].to_pylist()


def test_bad_rows_of_theirs_are_not_in_quarantine_either(tmp_path: Path) -> None:
    SuppressionList(tmp_path / "erasures").add(ODD)
    report = ingested(
        tmp_path,
        {"event_id": "bad", "user_id": ODD, "item_id": "unknown"},
        {"event_id": None, "user_id": None, "reason": "wrong_type", "raw": f"x,{ODD},milk"},
        {"event_id": None, "user_id": None, "reason": "wrong_type", "raw": f"x,{ODD}9,milk"},
    )
    assert (report.events_suppressed, report.events_dropped) == (4, {"wrong_type": 1})
    assert pq.read_table(Workspace(tmp_path).ingested("quarantine"))["raw"].to_pylist() == [f"x,{ODD}9,milk"]


def test_without_anybody_erased_nothing_is_left_out(tmp_path: Path) -> None:
    report = ingested(tmp_path)
    assert (report.events_in, report.events_kept, report.events_suppressed, report.users_suppressed) == (4, 4, 0, 0)
    SuppressionList(tmp_path / "erasures").add("somebody else")
    assert ingested(tmp_path).events_suppressed == 0


def test_where_everybody_was_erased_it_is_said(tmp_path: Path) -> None:
    for user_id in ("a", "b", ODD):
        SuppressionList(tmp_path / "erasures").add(user_id)
    with pytest.raises(DataRejected, match="All 4 events are of people who were erased"):
        ingested(tmp_path)
