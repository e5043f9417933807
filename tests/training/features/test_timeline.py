"""Moments of the pipeline, across the end of daylight-saving time in New York (3 November 2024, 2:00)."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from contracts.errors import DataRejected, InvalidInput
from training.settings import FeatureSettings
from training.timeline import Timeline, local_context, plan_timeline, unknown_context

NEW_YORK = "America/New_York"
SETTINGS = FeatureSettings(test_days=7, ranker_windows=2, snapshot_every_days=5, two_tower_weeks=4)
HOUR, DAY, WEEK = 3600, 86_400, 7 * 86_400
LAST = datetime(2024, 11, 8, 15, tzinfo=UTC)


def seconds(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


def planned(
    first: datetime = datetime(2024, 7, 1, tzinfo=UTC), last: datetime = LAST, settings: FeatureSettings = SETTINGS
) -> Timeline:
    return plan_timeline(first, last, NEW_YORK, settings)


def test_windows_start_at_local_midnight_on_both_sides_of_the_change() -> None:
    timeline = planned()
    assert timeline.data_end == seconds(2024, 11, 9, 5)  # midnight is 5:00 UTC in winter
    assert timeline.cutoff == seconds(2024, 11, 2, 4)  # and 4:00 UTC in summer
    assert timeline.ranker_starts == (seconds(2024, 10, 19, 4), seconds(2024, 10, 26, 4))
    assert timeline.two_tower_start == seconds(2024, 10, 5, 4)  # 4 weeks before the cutoff
    assert timeline.data_end - timeline.cutoff == WEEK + HOUR


def test_label_windows_and_test_window_follow_each_other_without_gap() -> None:
    timeline = planned()
    (first, second), (start, end) = timeline.ranker_windows
    assert (second, end) == (start, timeline.cutoff)
    assert (second - first, end - start) == (WEEK, WEEK)


def test_data_ends_at_the_midnight_after_the_last_event_in_local_time() -> None:
    late_in_new_york = datetime(2024, 11, 8, 4, 30, tzinfo=UTC)  # 23:30 on the 7th
    assert planned(last=late_in_new_york).data_end == seconds(2024, 11, 8, 5)


def test_snapshots_hold_every_moment_the_ranker_or_the_server_needs_and_end_with_the_data() -> None:
    timeline = planned()
    assert timeline.history_snapshots == (*timeline.ranker_starts, timeline.cutoff, timeline.data_end)
    assert set(timeline.history_snapshots) < set(timeline.snapshots)
    assert timeline.snapshots[-1] == timeline.data_end
    # Every 5 days back to the towers' first week, 35 days before the end, and the windows' starts at 7, 14 and 21.
    days_before_end = [35, 30, 25, 21, 20, 15, 14, 10, 7, 5, 0]
    summer = [days for days in days_before_end if days > 6]
    expected = [timeline.data_end - days * DAY - (HOUR if days in summer else 0) for days in days_before_end]
    assert list(timeline.snapshots) == expected


def test_nothing_is_snapshotted_before_the_first_event_and_towers_wait_a_week() -> None:
    first = datetime(2024, 10, 4, 12, tzinfo=UTC)
    timeline = planned(first=first, settings=replace(SETTINGS, two_tower_weeks=6))
    assert timeline.snapshots[0] == seconds(2024, 10, 5, 4)  # 35 days before the end; 40 days are 30 September
    assert timeline.two_tower_start == seconds(2024, 10, 11, 12)


def test_a_log_of_just_the_needed_days_is_accepted_and_one_second_less_is_not() -> None:
    # Two label windows, the test window and 14 days of history: 3 x 7 + 14 = 35 local days before 9 November.
    needed = datetime(2024, 10, 5, 4, tzinfo=UTC)
    assert planned(first=needed).ranker_starts[0] == seconds(2024, 10, 19, 4)
    with pytest.raises(DataRejected, match=r"34 days, and 35 are needed: 2 x 7 of label windows.* In params\.yaml"):
        planned(first=needed + timedelta(seconds=1))


@pytest.mark.parametrize("days", [16, 17, 20, 29, 59, 83, 100])
def test_a_log_that_is_too_short_is_refused_with_the_longest_windows_that_fit(days: int) -> None:
    first = LAST - timedelta(days=days)
    settings = FeatureSettings(test_days=60, ranker_windows=4)
    with pytest.raises(DataRejected) as refused:
        planned(first=first, settings=settings)
    offered = re.findall(r"test_days: (\d+), ranker_windows: (\d)", str(refused.value))
    assert offered[-1][1] == "1"
    for test_days, windows in offered:
        fits = FeatureSettings(test_days=int(test_days), ranker_windows=int(windows))
        assert planned(first=first, settings=fits).ranker_starts
        with pytest.raises(DataRejected):  # which is the longest
            planned(first=first, settings=replace(fits, test_days=fits.test_days + 1))


def test_a_log_of_a_few_days_is_too_short_for_any() -> None:
    with pytest.raises(DataRejected, match="At least 16 days are needed"):
        planned(first=LAST - timedelta(days=5))


def test_towers_without_days_of_their_own_are_refused() -> None:
    # Two label windows of a week: two weeks before the cutoff, all of which label the ranker.
    with pytest.raises(InvalidInput, match=r"two_tower_weeks is 2: .* More than 14 days before the cutoff are needed"):
        planned(settings=FeatureSettings(test_days=7, ranker_windows=2, two_tower_weeks=2))


def test_half_hour_zones_have_their_own_hours() -> None:
    # 00:45 UTC is 6:15 in Kolkata (+5:30); 18:45 UTC is 0:15 of the next day.
    hour, weekday = local_context(np.array([2700, 67500]), "Asia/Kolkata")
    assert (hour.tolist(), weekday.tolist()) == ([6, 0], [3, 4])  # Thursday 1 January 1970, then Friday


def test_a_timeline_is_read_as_it_was_written(tmp_path: Path) -> None:
    timeline = planned()
    timeline.write(tmp_path / "new" / "timeline.json")
    assert Timeline.read(tmp_path / "new" / "timeline.json") == timeline


def test_a_timeline_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    planned().write(path)
    path.write_text(path.read_text().replace('"cutoff"', '"cut_off"'))
    with pytest.raises(ValidationError, match="cut_off"):
        Timeline.read(path)


def test_local_hour_and_weekday_by_hand() -> None:
    moments = [
        seconds(1970, 1, 1),  # 19:00 on Wednesday, 31 December
        seconds(2024, 11, 3, 5, 59),  # 1:59 on Sunday, in summer time
        seconds(2024, 11, 3, 6),  # 1:00 again, in winter time
        seconds(2024, 11, 4, 4, 59),  # 23:59 on Sunday
        seconds(2024, 11, 4, 5),  # midnight to Monday
        seconds(2024, 11, 3, 6),  # rows are answered each, in their order
    ]
    hour, weekday = local_context(np.array(moments), NEW_YORK)
    assert hour.tolist() == [19, 1, 1, 23, 0, 1]
    assert weekday.tolist() == [2, 6, 6, 6, 0, 6]
    assert hour.dtype == weekday.dtype == np.int32


def test_no_moments_have_no_context() -> None:
    hour, weekday = local_context(np.empty(0, np.int64), NEW_YORK)
    assert (hour.shape, weekday.shape) == ((0,), (0,))


def test_a_list_for_the_coming_weeks_has_no_hour_and_no_weekday() -> None:
    hour, weekday = unknown_context(2)
    assert (hour.tolist(), weekday.tolist()) == ([24, 24], [7, 7])
