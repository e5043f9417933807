"""Feature tables by hand, and the planted future."""

import json
from datetime import UTC, datetime
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from contracts import features as names
from contracts.errors import MissingArtifact
from contracts.events import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from training.engine import connect_duckdb
from training.feature_store import apply_definitions, features_as_of, materialize_users, open_store
from training.features import build_features
from training.settings import FeatureSettings
from training.timeline import Timeline
from training.workspace import Workspace

SETTINGS = FeatureSettings(test_days=7, ranker_windows=1, snapshot_every_days=7, two_tower_weeks=2)
PLANTED = "planted"

# user, basket, item, day of January 2024 (UTC noon), quantity, price, discount
PURCHASES = [
    ("u1", "b1", "milk", 1, 1, 2.0, 0.0),
    ("u1", "b1", "bread", 1, 2, 3.0, 0.5),
    ("u1", "b2", "milk", 11, 1, 2.0, 0.0),
    ("u1", "b3", "milk", 21, 1, 4.0, 1.0),
    ("u2", "b4", "bread", 20, 1, 3.0, 0.0),
    ("u2", "b5", "salt", 30, 1, 1.0, 0.0),
]


def seconds(day: int, hour: int = 0) -> int:
    return int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())


def write_ingested(workspace: Workspace, purchases: list[tuple[str, str, str, int, int, float, float]]) -> None:
    workspace.ingested("events").parent.mkdir(parents=True, exist_ok=True)
    events = pd.DataFrame(
        [
            {
                "event_id": f"{basket}-{item}", "event_type": "purchase", "user_id": user, "item_id": item,
                "event_timestamp": datetime(2024, 1, day, 12, tzinfo=UTC), "basket_id": basket,
                "quantity": quantity, "price": price, "discount": discount,
            }
            for user, basket, item, day, quantity, price, discount in purchases
        ]
    )  # fmt: skip
    users = pd.DataFrame([dict.fromkeys(USER_COLUMNS) | {"user_id": user} for user in ("u1", "u2")])
    catalogue = ("bread", "milk", PLANTED, "salt")
    items = pd.DataFrame([dict.fromkeys(ITEM_COLUMNS) | {"item_id": item} for item in catalogue])
    connection = connect_duckdb()
    for table, frame, columns in (
        ("events", events, EVENT_COLUMNS),
        ("users", users, USER_COLUMNS),
        ("items", items, ITEM_COLUMNS),
    ):
        typed = ibis.memtable(frame[list(columns)], schema=columns)
        connection.to_parquet(typed, workspace.ingested(table))
    workspace.ingest_report.write_text(json.dumps({"time_zone": "UTC"}))


def built(workspace: Workspace, purchases: list[tuple[str, str, str, int, int, float, float]]) -> Timeline:
    write_ingested(workspace, purchases)
    return build_features(workspace, SETTINGS, connect_duckdb(), lambda _: None)


def row(workspace: Workspace, view: str, key: str, value: str, at: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = pq.read_table(workspace.feature_table(view)).to_pylist()
    (found,) = [r for r in rows if r[key] == value and int(r["event_timestamp"].timestamp()) == at]
    return found


def test_timeline_ends_at_the_midnight_after_the_last_event(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    assert timeline.data_end == seconds(31)
    assert timeline.cutoff == seconds(24)  # 31 - 7
    assert timeline.ranker_starts == (seconds(17),)  # 24 - 7


def test_user_statistics_count_windows_back_from_the_snapshot(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    u1 = row(empty_workspace, names.USER_STATISTICS_VIEW, names.USER_ID, "u1", timeline.cutoff)
    # As of the 24th, midnight: the 21st is within 7 days, the 11th within 28, the 1st within 28 (22.5 days).
    assert (u1["user_baskets_7d"], u1["user_baskets_28d"]) == (1, 3)
    assert (u1["user_purchases_7d"], u1["user_purchases_28d"]) == (1, 4)
    assert u1["user_spend_28d"] == pytest.approx(2 + 2 * 3 + 2 + 4)
    assert u1["user_items_365d"] == 2
    assert u1["user_discount_share_365d"] == pytest.approx(2 / 4)  # bread and the last milk
    assert u1["user_days_since_last"] == pytest.approx(2.5)  # noon of the 21st to midnight of the 24th
    assert u1["user_basket_gap_days"] == pytest.approx(20 / 2)  # 1st to 21st, two gaps


def test_item_statistics_count_buyers_and_repeats(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    milk = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "milk", timeline.cutoff)
    bread = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "bread", timeline.cutoff)
    assert (milk["item_purchases_28d"], milk["item_buyers_28d"]) == (3, 1)
    assert (milk["item_repeat_share_365d"], bread["item_repeat_share_365d"]) == (1.0, 0.0)
    assert bread["item_buyers_28d"] == 2
    assert milk["item_price"] == pytest.approx((2 + 2 + 4) / 3)
    assert bread["item_discount_share_91d"] == pytest.approx(1 / 2)


def test_history_arrays_are_aligned_and_latest_first(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    u1 = row(empty_workspace, names.USER_HISTORY_VIEW, names.USER_ID, "u1", timeline.cutoff)
    assert u1[names.HISTORY_ITEM_IDS] == ["milk", "bread"]
    assert u1[names.HISTORY_COUNTS] == [3, 1]
    assert u1[names.HISTORY_COUNTS_28D] == [3, 1]
    assert u1[names.HISTORY_LAST_TIMESTAMPS] == [seconds(21, 12), seconds(1, 12)]
    assert u1[names.HISTORY_FIRST_TIMESTAMPS] == [seconds(1, 12), seconds(1, 12)]


def test_sequence_is_latest_first_with_ties_by_item(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    u1 = row(empty_workspace, names.USER_SEQUENCE_VIEW, names.USER_ID, "u1", timeline.cutoff)
    assert u1[names.SEQUENCE_ITEM_IDS] == ["milk", "milk", "bread", "milk"]
    assert u1[names.SEQUENCE_TIMESTAMPS] == [seconds(21, 12), seconds(11, 12), seconds(1, 12), seconds(1, 12)]


def test_a_planted_future_event_is_seen_by_no_feature(tmp_path: Any) -> None:
    """Purchases after a moment change nothing of what Feast says was known at it, to the last digit."""
    from tests.conftest import new_workspace

    future = [
        ("u1", "b9", PLANTED, 24, 50, 99.0, 9.0),  # noon of the day that begins at the cutoff
        ("u1", "b10", "milk", 30, 7, 9.0, 1.0),
        ("u2", "b11", PLANTED, 30, 50, 99.0, 9.0),
    ]
    clean = new_workspace(tmp_path / "clean", "{}")
    planted = new_workspace(tmp_path / "planted", "{}")
    timeline = built(clean, PURCHASES)
    assert built(planted, PURCHASES + future).cutoff == timeline.cutoff
    known = [_known_at(workspace, timeline.cutoff) for workspace in (clean, planted)]
    assert known[0] == known[1]
    assert PLANTED not in json.dumps(known[1]["users"])
    after = _known_at(planted, timeline.data_end)
    assert PLANTED in json.dumps(after["users"])  # and the features do see it once it has happened


def _known_at(workspace: Workspace, at: int) -> dict[str, Any]:
    apply_definitions(workspace)
    store = open_store(workspace)
    users = features_as_of(store, names.SERVING_SERVICE, names.USER_ID, ["u1", "u2"], at).to_pylist()
    items = features_as_of(store, names.CANDIDATE_SERVICE, names.ITEM_ID, ["milk", "salt", PLANTED], at).to_pylist()
    return {"users": users, "items": items}


def test_equal_entity_rows_are_all_answered_and_in_order(empty_workspace: Workspace) -> None:
    """Feast's default store would return one row for the three equal ones."""
    timeline = built(empty_workspace, PURCHASES)
    apply_definitions(empty_workspace)
    store = open_store(empty_workspace)
    asked = ["u1", "u2", "u1", "u1", "nobody"]
    table = features_as_of(store, names.QUERY_SERVICE, names.USER_ID, asked, timeline.cutoff)
    assert table.column(names.USER_ID).to_pylist() == asked
    assert table.column("user_baskets_365d").to_pylist() == [3, 1, 3, 3, None]


def test_each_row_is_answered_as_of_its_own_moment(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    apply_definitions(empty_workspace)
    moments = np.array([timeline.ranker_starts[0], timeline.cutoff, timeline.data_end])
    table = features_as_of(open_store(empty_workspace), names.QUERY_SERVICE, names.USER_ID, ["u1"] * 3, moments)
    assert table.column("user_baskets_28d").to_pylist() == [2, 3, 2]  # the 1st is 30 days back on the 31st


def test_materialized_users_are_read_back(empty_workspace: Workspace) -> None:
    built(empty_workspace, PURCHASES)
    apply_definitions(empty_workspace)
    materialize_users(empty_workspace)
    store = open_store(empty_workspace)
    service = store.get_feature_service(names.SERVING_SERVICE)
    read = store.get_online_features(features=service, entity_rows=[{names.USER_ID: "u2"}]).to_dict()
    assert read[names.HISTORY_ITEM_IDS] == [["salt", "bread"]]
    assert read["user_baskets_28d"] == [2]


def test_features_before_ingest_name_the_missing_step(empty_workspace: Workspace) -> None:
    with pytest.raises(MissingArtifact, match="tandem ingest"):
        build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
