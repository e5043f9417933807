"""Feature tables by hand, and the planted future."""

import json
from dataclasses import dataclass, replace
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import MissingArtifact, TandemError
from contracts.events.schema import EVENT_COLUMNS
from contracts.features import names
from contracts.features.encoding import unpacked
from tests.support.shops.purchases import (
    ITEM_IDS,
    LOOKS,
    PLANTED,
    PURCHASES,
    SETTINGS,
    Look,
    Purchase,
    built,
    row,
    seconds,
    write_ingested,
)
from tests.support.workspaces.workspace import new_workspace
from training.engine import connect_duckdb, remove
from training.feature_store.store import apply_definitions, features_as_of, materialize_users, open_store
from training.features.build import build_features
from training.timeline import Timeline
from training.workspace import Workspace


@dataclass(frozen=True)
class Shop:
    """PURCHASES with their features, for tests that only read."""

    workspace: Workspace
    timeline: Timeline


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    workspace = new_workspace(tmp_path_factory.mktemp("shop") / "root", "{}")
    return Shop(workspace, built(workspace, PURCHASES))


def statistics(workspace: Workspace, user: str, at: int) -> dict[str, float]:
    values = row(workspace, names.USER_STATISTICS_VIEW, names.USER_ID, user, at)[names.USER_STATISTICS_VALUES]
    return dict(zip(names.USER_STATISTICS, values, strict=True))


def test_timeline_ends_at_the_midnight_after_the_last_event(shop: Shop) -> None:
    assert shop.timeline.data_end == seconds(31)
    assert shop.timeline.cutoff == seconds(24)  # 31 - 7
    assert shop.timeline.ranker_starts == (seconds(17),)  # 24 - 7


def test_user_statistics_count_windows_back_from_the_snapshot(shop: Shop) -> None:
    u1 = statistics(shop.workspace, "u1", shop.timeline.cutoff)
    # As of the 24th, midnight: the 21st is within 7 days, the 11th within 28, the 1st within 28 (22.5 days).
    assert (u1["user_baskets_7d"], u1["user_baskets_28d"]) == (1, 3)
    assert (u1["user_purchases_7d"], u1["user_purchases_28d"]) == (1, 4)
    assert u1["user_spend_28d"] == pytest.approx(2 + 2 * 3 + 2 + 4)
    assert u1["user_items_365d"] == 2
    assert u1["user_discount_share_365d"] == pytest.approx(2 / 4)  # bread and the last milk
    assert u1["user_days_since_last"] == pytest.approx(2.5)  # noon of the 21st to midnight of the 24th
    assert u1["user_basket_gap_days"] == pytest.approx(20 / 2)  # 1st to 21st, two gaps


def test_user_statistics_describe_rhythm_and_habits(shop: Shop) -> None:
    u1 = statistics(shop.workspace, "u1", shop.timeline.cutoff)
    assert u1["user_basket_gap_variation"] == 0  # two gaps of ten days
    assert u1["user_overdue_ratio"] == pytest.approx(0.25)  # 2.5 days of 10
    assert u1["user_basket_lines_365d"] == pytest.approx(4 / 3)
    assert u1["user_unit_price_365d"] == pytest.approx(14 / 5)  # 2 + 2 x 3 + 2 + 4 for five units
    assert u1["user_saved_share_365d"] == pytest.approx(2 / 16)  # 2 x .5 + 1 off 16
    assert u1["user_new_item_share_91d"] == 1
    assert u1["user_afternoon_share_365d"] == 1  # noon
    assert u1["user_morning_share_365d"] == u1["user_evening_share_365d"] == 0
    assert u1["user_weekend_share_365d"] == pytest.approx(1 / 3)  # the 21st was a Sunday
    assert u1["user_departments_365d"] == 1
    assert u1["user_top_department_share_365d"] == 1
    assert u1["user_top_brand_share_365d"] == pytest.approx(3 / 4)  # three lines of milk, one of bread


def test_uneven_gaps_have_a_variation(empty_workspace: Workspace) -> None:
    uneven = [*PURCHASES, ("u1", "b6", "milk", 22, 1, 4.0, 0.0)]
    timeline = built(empty_workspace, uneven)
    u1 = statistics(empty_workspace, "u1", timeline.cutoff)
    # Gaps of 10, 10 and 1 days: mean 7, mean square 67, deviation sqrt(67 - 49).
    assert u1["user_basket_gap_variation"] == pytest.approx(18**0.5 / 7)


def test_habits_are_those_of_the_local_clock(empty_workspace: Workspace) -> None:
    write_ingested(empty_workspace, PURCHASES)
    empty_workspace.ingest_report.write_text(json.dumps({"time_zone": "America/New_York"}))
    timeline = build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
    u1 = statistics(empty_workspace, "u1", timeline.cutoff)
    assert (u1["user_morning_share_365d"], u1["user_afternoon_share_365d"]) == (1, 0)  # noon is 7 there


def test_looks_are_counted_by_window_and_type(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, LOOKS)
    u1 = statistics(empty_workspace, "u1", timeline.cutoff)
    assert (u1["user_views_7d"], u1["user_views_28d"], u1["user_cart_adds_7d"]) == (2, 3, 1)
    assert (u1["user_baskets_28d"], u1["user_purchases_28d"]) == (3, 4)  # as without them
    salt = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "salt", timeline.cutoff)
    assert (salt["item_views_7d"], salt["item_views_28d"], salt["item_purchases_28d"]) == (1, 2, 0)
    assert salt["item_age_days"] == 10  # in the catalogue since the 14th


def test_who_has_only_looked_has_statistics_and_never_bought(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, LOOKS)
    u3 = statistics(empty_workspace, "u3", timeline.cutoff)
    rest = {name: value for name, value in u3.items() if value}
    assert rest == {f"user_views_{days}d": 1 for days in names.WINDOWS_DAYS} | {"user_days_since_last": 730}
    pepper = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "pepper", timeline.cutoff)
    assert (pepper["item_views_7d"], pepper["item_buyers_365d"], pepper["item_price"]) == (1, 0, 0)


def test_purchases_without_a_basket_are_baskets_by_the_quarter_hour(empty_workspace: Workspace) -> None:
    loose: list[Any] = [(user, None, *rest) for user, _, *rest in PURCHASES]
    timeline = built(empty_workspace, loose)
    u1 = statistics(empty_workspace, "u1", timeline.cutoff)
    assert (u1["user_baskets_28d"], u1["user_purchases_28d"], u1["user_basket_gap_days"]) == (3, 4, 10)


def test_a_basket_that_goes_on_after_a_snapshot_counts_as_begun(empty_workspace: Workspace) -> None:
    going_on = [*PURCHASES, ("u1", "b3", "bread", 25, 5, 9.0, 0.0)]  # the basket of the 21st
    timeline = built(empty_workspace, going_on)
    before, after = (statistics(empty_workspace, "u1", at) for at in (timeline.cutoff, timeline.data_end))
    assert (before["user_baskets_7d"], before["user_purchases_7d"], before["user_spend_7d"]) == (1, 1, 4)
    assert (after["user_baskets_7d"], after["user_purchases_7d"], after["user_spend_7d"]) == (0, 1, 45)
    assert after["user_baskets_28d"] == 2  # the 11th and the 21st


def test_item_statistics_follow_trend_price_and_age(empty_workspace: Workspace) -> None:
    dairy = [*PURCHASES, ("u2", "b6", PLANTED, 20, 1, 8.0, 0.0)]
    timeline = built(empty_workspace, dairy)
    milk = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "milk", timeline.cutoff)
    assert milk["item_trend_7d"] == pytest.approx((1 + 1) / (3 * 7 / 28 + 1))
    assert milk["item_trend_28d"] == pytest.approx((3 + 1) / (3 * 28 / 91 + 1))
    assert milk["item_relative_price"] == pytest.approx((8 / 3) / ((8 / 3 + 8) / 2))
    assert milk["item_age_days"] == pytest.approx(22.5)  # noon of the 1st to midnight of the 24th
    assert milk["item_repeat_gap_days"] == pytest.approx(10)  # three purchases of u1 in 20 days
    assert milk["item_season_28d"] == 0


def test_a_season_is_what_was_bought_a_year_before_the_coming_weeks(empty_workspace: Workspace) -> None:
    write_ingested(empty_workspace, PURCHASES)
    events = pd.read_parquet(empty_workspace.ingested("events"))
    last_year = events[events["item_id"] == "milk"].assign(event_id=lambda rows: "old-" + rows["event_id"])
    last_year["event_timestamp"] -= pd.Timedelta(days=360)  # the 1st, 11th and 21st become the 6th, 16th and 26th
    both = pd.concat([events, last_year], ignore_index=True)
    typed = ibis.memtable(both[list(EVENT_COLUMNS)], schema=EVENT_COLUMNS)
    connect_duckdb().to_parquet(typed, empty_workspace.ingested("events"))
    timeline = build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
    milk = row(empty_workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "milk", timeline.cutoff)
    assert milk["item_season_28d"] == 1  # the 26th alone is after last year's 24th


def test_what_was_bought_more_than_a_year_ago_is_kept_for_lists_that_leave_it_out(empty_workspace: Workspace) -> None:
    write_ingested(empty_workspace, PURCHASES)
    events = pd.read_parquet(empty_workspace.ingested("events"))
    old = events[events["item_id"] == "milk"].assign(item_id="tent", event_id=lambda rows: "old-" + rows["event_id"])
    again = old.assign(item_id="milk", event_id=lambda rows: "again-" + rows["event_id"])  # and bought since
    older = pd.concat([old, again])
    older["event_timestamp"] -= pd.Timedelta(days=400)
    both = pd.concat([events, older], ignore_index=True)
    typed = ibis.memtable(both[list(EVENT_COLUMNS)], schema=EVENT_COLUMNS)
    connect_duckdb().to_parquet(typed, empty_workspace.ingested("events"))
    build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
    rows = pq.read_table(empty_workspace.feature_table(names.USER_BOUGHT_VIEW)).to_pylist()
    assert [(row[names.USER_ID], row[names.BOUGHT_ITEM_IDS]) for row in rows] == [("u1", ["tent"])]


def test_what_may_fall_off_the_end_of_a_history_is_kept_too(
    empty_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a history of two, one of which a fresh event may push out, the older item is kept."""
    monkeypatch.setattr(names, "HISTORY_LENGTH", 2)
    monkeypatch.setattr(names, "MAX_RECENT_EVENTS", 1)
    write_ingested(empty_workspace, PURCHASES)
    build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
    rows = pq.read_table(empty_workspace.feature_table(names.USER_BOUGHT_VIEW)).to_pylist()
    assert {row[names.USER_ID]: row[names.BOUGHT_ITEM_IDS] for row in rows}["u1"] == ["bread"]


def test_item_statistics_count_buyers_and_repeats(shop: Shop) -> None:
    milk = row(shop.workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "milk", shop.timeline.cutoff)
    bread = row(shop.workspace, names.ITEM_STATISTICS_VIEW, names.ITEM_ID, "bread", shop.timeline.cutoff)
    assert (milk["item_purchases_28d"], milk["item_buyers_28d"]) == (3, 1)
    assert (milk["item_repeat_share_365d"], bread["item_repeat_share_365d"]) == (1.0, 0.0)
    assert bread["item_buyers_28d"] == 2
    assert milk["item_price"] == pytest.approx((2 + 2 + 4) / 3)
    assert bread["item_discount_share_91d"] == pytest.approx(1 / 2)


def test_history_arrays_are_aligned_and_latest_first(shop: Shop) -> None:
    u1 = row(shop.workspace, names.USER_HISTORY_VIEW, names.USER_ID, "u1", shop.timeline.cutoff)
    assert u1[names.HISTORY_ITEM_IDS] == ["milk", "bread"]
    assert u1[names.HISTORY_COUNTS] == [3, 1]
    assert u1[names.HISTORY_COUNTS_28D] == [3, 1]
    assert u1[names.HISTORY_LAST_TIMESTAMPS] == [seconds(21, 12), seconds(1, 12)]
    assert u1[names.HISTORY_FIRST_TIMESTAMPS] == [seconds(1, 12), seconds(1, 12)]


def test_sequence_is_latest_first_with_ties_by_item(shop: Shop) -> None:
    u1 = row(shop.workspace, names.USER_SEQUENCE_VIEW, names.USER_ID, "u1", shop.timeline.cutoff)
    assert u1[names.SEQUENCE_ITEM_IDS] == ["milk", "milk", "bread", "milk"]
    assert u1[names.SEQUENCE_TIMESTAMPS] == [seconds(21, 12), seconds(11, 12), seconds(1, 12), seconds(1, 12)]
    assert u1[names.SEQUENCE_EVENT_TYPES] == ["purchase"] * 4


def test_a_sequence_is_written_where_it_is_new_and_known_from_there_on(shop: Shop) -> None:
    rows = pq.read_table(shop.workspace.feature_table(names.USER_SEQUENCE_VIEW)).to_pylist()
    written = {(row[names.USER_ID], int(row["event_timestamp"].timestamp())) for row in rows}
    # Snapshots are the 10th, 17th, 24th and 31st; u3 did nothing new after the 23rd, and the last has all.
    expected = {"u1": (10, 17, 24, 31), "u2": (24, 31)}
    assert written == {(user, seconds(day)) for user, days in expected.items() for day in days}
    apply_definitions(shop.workspace)
    moments = np.array([seconds(day) for day in (9, 10, 17, 24, 31)])
    known = features_as_of(open_store(shop.workspace), names.QUERY_SERVICE, names.USER_ID, ["u1"] * 5, moments)
    lengths = [items and len(items) for items in known.column(names.SEQUENCE_ITEM_IDS).to_pylist()]
    assert lengths == [None, 2, 3, 4, 4]


def test_a_sequence_holds_events_of_every_type_with_an_item(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, [*LOOKS, ("u1", "cart_view", "milk", 23, 9)])
    u1 = row(empty_workspace, names.USER_SEQUENCE_VIEW, names.USER_ID, "u1", timeline.cutoff)
    assert u1[names.SEQUENCE_ITEM_IDS][:4] == ["milk", "milk", "salt", "milk"]
    assert u1[names.SEQUENCE_EVENT_TYPES][:4] == ["cart_add", "view", "view", "purchase"]
    assert u1[names.SEQUENCE_TIMESTAMPS][:2] == [seconds(22, 10), seconds(22, 9)]


def test_behind_the_latest_events_a_sequence_keeps_older_looks(
    empty_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "SEQUENCE_LENGTH", 2)
    monkeypatch.setattr(names, "ENGAGEMENTS_LENGTH", 4)
    engagements: list[Look] = [("u1", "view", "milk", day, 9) for day in (2, 3, 12, 22)]
    timeline = built(empty_workspace, PURCHASES, engagements)
    u1 = row(empty_workspace, names.USER_SEQUENCE_VIEW, names.USER_ID, "u1", timeline.cutoff)
    assert u1[names.SEQUENCE_EVENT_TYPES] == ["view", "purchase", "view", "view"]  # events of day 2 and 11 are cut
    assert u1[names.SEQUENCE_TIMESTAMPS] == [seconds(22, 9), seconds(21, 12), seconds(12, 9), seconds(3, 9)]


def test_a_planted_future_event_is_seen_by_no_feature(tmp_path: Any) -> None:
    """Purchases after a moment change nothing of what Feast says was known at it, to the last digit."""
    future: list[Purchase] = [
        ("u1", "b3", PLANTED, 24, 50, 99.0, 9.0),  # in a basket that was begun before
        ("u1", "b9", PLANTED, 24, 50, 99.0, 9.0),  # noon of the day that begins at the cutoff
        ("u1", "b10", "milk", 30, 7, 9.0, 1.0),
        ("u2", "b11", PLANTED, 30, 50, 99.0, 9.0),
    ]
    engagements: list[Look] = [
        ("u1", "view", PLANTED, 24, 0),  # at the very moment
        ("u2", "cart_add", PLANTED, 24, 0),
        ("u3", "view", "milk", 25, 9),
        ("u3", "like", PLANTED, 25, 9),
    ]
    clean = new_workspace(tmp_path / "clean", "{}")
    planted = new_workspace(tmp_path / "planted", "{}")
    timeline = built(clean, PURCHASES, LOOKS)
    assert built(planted, PURCHASES + future, LOOKS + engagements).cutoff == timeline.cutoff
    known = [_known_at(workspace, timeline.cutoff) for workspace in (clean, planted)]
    assert known[0] == known[1]
    assert PLANTED not in json.dumps(known[1]["users"])
    after = _known_at(planted, timeline.data_end)
    for kind, keys in (("users", names.USER_STATISTICS), ("items", names.ITEM_STATISTICS)):
        for rows in known[1][kind]:
            assert set(keys) <= rows.keys()  # every one of them was compared
    assert PLANTED in json.dumps(after["users"])  # and the features do see it once it has happened


def _known_at(workspace: Workspace, at: int) -> dict[str, Any]:
    apply_definitions(workspace)
    store = open_store(workspace)
    users = features_as_of(store, names.SERVING_SERVICE, names.USER_ID, ["u1", "u2", "u3"], at).to_pylist()
    items = features_as_of(store, names.CANDIDATE_SERVICE, names.ITEM_ID, ITEM_IDS, at).to_pylist()
    return {"users": users, "items": items}


def test_equal_entity_rows_are_all_answered_and_in_order(shop: Shop) -> None:
    """Feast's default store would return one row for the three equal ones."""
    apply_definitions(shop.workspace)
    store = open_store(shop.workspace)
    asked = ["u1", "u2", "u1", "u1", "nobody"]
    table = features_as_of(store, names.QUERY_SERVICE, names.USER_ID, asked, shop.timeline.cutoff)
    assert table.column(names.USER_ID).to_pylist() == asked
    assert table.column("user_baskets_365d").to_pylist() == [3, 1, 3, 3, None]


def test_each_row_is_answered_as_of_its_own_moment(shop: Shop) -> None:
    apply_definitions(shop.workspace)
    moments = np.array([shop.timeline.ranker_starts[0], shop.timeline.cutoff, shop.timeline.data_end])
    table = features_as_of(open_store(shop.workspace), names.QUERY_SERVICE, names.USER_ID, ["u1"] * 3, moments)
    assert table.column("user_baskets_28d").to_pylist() == [2, 3, 2]  # the 1st is 30 days back on the 31st


def test_materialized_users_are_read_back(empty_workspace: Workspace) -> None:
    built(empty_workspace, PURCHASES)
    apply_definitions(empty_workspace)
    materialize_users(empty_workspace)
    store = open_store(empty_workspace)
    service = store.get_feature_service(names.SERVING_SERVICE)
    read = store.get_online_features(features=service, entity_rows=[{names.USER_ID: "u2"}]).to_dict()
    assert read[names.HISTORY_ITEM_IDS] == [["salt", "bread"]]
    assert unpacked({name: values[0] for name, values in read.items()})["user_baskets_28d"] == 2


def test_arrays_of_another_version_are_refused_with_the_command_that_mends_them(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES)
    path = empty_workspace.feature_table(names.USER_STATISTICS_VIEW)
    table = pq.read_table(path)
    short = [values[:-1] for values in table.column(names.USER_STATISTICS_VALUES).to_pylist()]
    at = table.column_names.index(names.USER_STATISTICS_VALUES)
    kind = pa.list_(pa.float32())
    remove(path)  # it may be a folder
    pq.write_table(table.set_column(at, names.USER_STATISTICS_VALUES, pa.array(short, kind)), path)
    apply_definitions(empty_workspace)
    with pytest.raises(TandemError, match="tandem features"):
        features_as_of(open_store(empty_workspace), names.QUERY_SERVICE, names.USER_ID, ["u1"], timeline.cutoff)


def test_tables_of_several_parts_are_read_as_one(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More snapshots than are worked on at once; a second run, in one part, leaves nothing of the first."""
    workspace = new_workspace(tmp_path / "root", "{}")
    for every_days, snapshots, rows_at_once in ((1, 15, 8), (7, 3, 800)):
        for limit in ("ROWS_AT_ONCE", "PURCHASES_AT_ONCE"):
            monkeypatch.setattr(f"training.features.build.{limit}", rows_at_once)
        write_ingested(workspace, PURCHASES)
        settings = replace(SETTINGS, snapshot_every_days=every_days)
        timeline = build_features(workspace, settings, connect_duckdb(), lambda _: None)
        table = workspace.feature_table(names.USER_STATISTICS_VIEW)
        assert table.is_dir() == (rows_at_once == 8)
        rows = pq.read_table(table).to_pylist()
        u1 = sorted(row["event_timestamp"].timestamp() for row in rows if row[names.USER_ID] == "u1")
        assert u1 == list(timeline.snapshots)
        assert len(u1) >= snapshots


def test_features_before_ingest_name_the_missing_step(empty_workspace: Workspace) -> None:
    with pytest.raises(MissingArtifact, match="tandem ingest"):
        build_features(empty_workspace, SETTINGS, connect_duckdb(), lambda _: None)
