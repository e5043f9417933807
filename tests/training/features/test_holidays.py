"""How items sell before public holidays, by hand; countries, parts of countries and none."""

from dataclasses import replace
from datetime import UTC, date, datetime
from math import log
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from contracts.errors import InvalidInput
from contracts.features import names
from tests.support.shops.purchases import ITEM_IDS, PURCHASES, SETTINGS, Purchase, row, write_ingested
from tests.support.workspaces.workspace import new_workspace
from training.engine import connect_duckdb
from training.feature_store.store import apply_definitions, features_as_of, open_store
from training.features.build import build_features
from training.features.holidays import EPOCH, run_up_days
from training.timeline import Timeline
from training.workspace import Workspace


def built(workspace: Workspace, country: str, purchases: list[Purchase] = PURCHASES) -> Timeline:
    write_ingested(workspace, purchases)
    return build_features(workspace, replace(SETTINGS, holidays=country), connect_duckdb(), lambda _: None)


def days_in_january(country: str, time_zone: str = "UTC") -> list[int]:
    """Of 2024, those in a run-up."""
    moments = (
        int(datetime(2024, 1, 10, 12, tzinfo=UTC).timestamp()),
        int(datetime(2024, 1, 31, tzinfo=UTC).timestamp()),
    )
    timeline = Timeline(
        time_zone=time_zone,
        data_end=moments[1],
        cutoff=moments[0],
        ranker_starts=(),
        two_tower_start=moments[0],
        snapshots=moments,
        history_snapshots=moments,
    )
    first = (date(2024, 1, 1) - EPOCH).days
    return sorted(day - first + 1 for day in run_up_days(country, timeline) if 0 <= day - first < 31)


def test_lift_is_the_share_of_purchases_before_holidays_by_that_of_everything(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, "US")
    milk = row(empty_workspace, names.ITEM_HOLIDAYS_VIEW, names.ITEM_ID, "milk", timeline.cutoff)
    # As of the 24th: New Year and Martin Luther King Jr. Day, the 15th. 3 of 5 purchases lie in their weeks: milk on
    # the 1st and the 11th of its three, bread on the 1st of its two. Beside them count 20 of dairy, and of all.
    dairy = (2 + 20 * 0.6) / (3 + 20)
    share = (2 + 20 * dairy) / (3 + 20)
    assert milk["item_holiday_lift"] == pytest.approx(log(share / 0.6))
    # Washington's Birthday is the 19th of February: 7 of the 28 days from the 24th on are in its week.
    pace = 0.25 * share / 0.6 + 0.75 * (1 - share) / 0.4
    assert milk["item_coming_holiday_lift_28d"] == pytest.approx(log(pace))
    bread = row(empty_workspace, names.ITEM_HOLIDAYS_VIEW, names.ITEM_ID, "bread", timeline.cutoff)
    assert bread["item_holiday_lift"] < 0 < milk["item_holiday_lift"]


def test_what_happens_after_a_moment_changes_nothing_of_it(tmp_path: Path) -> None:
    future: list[Purchase] = [("u1", "b9", "milk", 24, 1, 9.0, 0.0), ("u2", "b10", "pepper", 30, 1, 9.0, 0.0)]
    known = []
    for name, purchases in (("clean", PURCHASES), ("planted", PURCHASES + future)):
        workspace = new_workspace(tmp_path / name, "{}")
        timeline = built(workspace, "US", purchases)
        rows = pq.read_table(workspace.feature_table(names.ITEM_HOLIDAYS_VIEW)).to_pylist()
        before = [r for r in rows if r["event_timestamp"].timestamp() <= timeline.cutoff]
        known.append(sorted(before, key=lambda r: (r["event_timestamp"], r["item_id"])))
    assert known[0] == known[1] != []


def test_items_are_read_by_point_in_time_and_without_a_country_nothing_is_known(tmp_path: Path) -> None:
    read = {}
    for country in ("US", ""):
        workspace = new_workspace(tmp_path / (country or "none"), "{}")
        timeline = built(workspace, country)
        apply_definitions(workspace)
        known = features_as_of(
            open_store(workspace), names.ITEM_HOLIDAYS_SERVICE, names.ITEM_ID, ITEM_IDS, timeline.cutoff
        )
        read[country] = {name: known.column(name).to_pylist() for name in names.ITEM_HOLIDAYS}
    bought = [item in ("bread", "milk") for item in ITEM_IDS]
    for name in names.ITEM_HOLIDAYS:
        assert [value is not None for value in read["US"][name]] == bought
        assert read[""][name] == [None] * len(ITEM_IDS)


def test_a_week_before_each_holiday_of_the_country_counts() -> None:
    assert days_in_january("US") == [1, *range(9, 16)]  # New Year, and the third Monday
    assert days_in_january("DE") == [1]
    assert days_in_january("DE-BY") == [1, 2, 3, 4, 5, 6]  # Epiphany, in Bavaria
    assert days_in_january("") == []


def test_a_holiday_ends_at_midnight_of_the_shop(empty_workspace: Workspace) -> None:
    write_ingested(empty_workspace, PURCHASES, [])
    events = pq.read_table(empty_workspace.ingested("events")).to_pandas()
    events["event_timestamp"] = np.where(
        events.event_id == "b2-milk", np.datetime64("2024-01-16T02:00"), events.event_timestamp.dt.tz_localize(None)
    )  # fmt: skip
    events["event_timestamp"] = events.event_timestamp.dt.tz_localize("UTC")
    lifts = {}
    for zone in ("UTC", "America/New_York"):
        write_ingested(empty_workspace, PURCHASES)
        events.to_parquet(empty_workspace.ingested("events"))
        empty_workspace.ingest_report.write_text(f'{{"time_zone": "{zone}"}}')
        timeline = build_features(empty_workspace, replace(SETTINGS, holidays="US"), connect_duckdb(), lambda _: None)
        milk = row(empty_workspace, names.ITEM_HOLIDAYS_VIEW, names.ITEM_ID, "milk", timeline.cutoff)
        lifts[zone] = milk["item_holiday_lift"]
    assert lifts["UTC"] < 0 < lifts["America/New_York"]  # there it was the evening of the 15th


@pytest.mark.parametrize(
    ("country", "there"), [("XX", r"'XX', .* There is AF, AX, .*US"), ("DE-XX", r"'DE-XX', .* There is .*DE-BY, ")]
)
def test_a_country_without_a_calendar_is_named_with_those_that_have_one(country: str, there: str) -> None:
    with pytest.raises(InvalidInput, match=f"features.holidays is {there}"):
        days_in_january(country)


def test_an_unknown_country_stops_before_anything_is_written(empty_workspace: Workspace) -> None:
    with pytest.raises(InvalidInput, match=r"features\.holidays"):
        built(empty_workspace, "Atlantis")
    assert not empty_workspace.feature_table(names.USER_PROFILE_VIEW).exists()
