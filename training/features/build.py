"""Feature tables as of snapshots: row (entity, event_timestamp) knows only events strictly before event_timestamp.

All expressions are Ibis, so that the same code runs on DuckDB and on Spark. What they are made of: pairs (user, item)
of purchases (this file), visits (user_features.py) and views of items (snapshots.py), each as of every snapshot.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

import ibis
import numpy as np
import numpy.typing as npt
from ibis import _

from contracts.events.schema import UNKNOWN, EventType
from contracts.features import names
from contracts.features.names import DAY_SECONDS, WINDOWS_DAYS
from training.engine import materialized, read_parquet, remove, write_parts
from training.features.activity import activity, activity_by_quarter
from training.features.holidays import in_run_up, item_holidays, run_up_days
from training.features.horizon import label_windows, tower_weeks
from training.features.item_features import item_statistics
from training.features.snapshots import YEAR_DAYS, before, engagements_by_quarter, moment, of_type, within
from training.features.user_arrays import bought_before, user_history, user_sequence
from training.features.user_features import user_statistics, visits_of
from training.progress import Report
from training.settings import FeatureSettings
from training.target import in_role, require_enough, require_target
from training.timeline import Timeline, plan_timeline
from training.workspace import Workspace, require


class Extent(StrEnum):
    """How much of the feature tables is written."""

    ALL = "all"
    RANKING = "ranking"  # without the tables that only batch models read
    SERVING = "serving"  # of these only what a server reads: rows as of the end of the data


SEASON_DAYS = 28
ROWS_AT_ONCE = 800_000
"""Of a user and a snapshot, with forty sums: all snapshots at once took 6 GB for 200,000 users."""
PURCHASES_AT_ONCE = 12_000_000
"""Each counts once a snapshot: all 31 snapshots of a million purchases took 5 GB, and eight at once take 1.8."""


def build_features(
    workspace: Workspace,
    settings: FeatureSettings,
    connection: ibis.BaseBackend,
    report: Report,
    extent: Extent = Extent.ALL,
) -> Timeline:
    """Writes the timeline and the table of every feature view that the extent includes."""
    time_zone = json.loads(require(workspace.ingest_report, "tandem ingest").read_text())["time_zone"]
    as_logged = _events(workspace, connection)
    logged = _counts(as_logged)
    require_target(logged, settings.target)
    events = in_role(as_logged, settings.target)
    span = events.agg(first=_.seconds.min(), last=_.seconds.max()).execute().iloc[0]
    first, last = (datetime.fromtimestamp(int(span[name]), UTC) for name in ("first", "last"))
    weeks = tower_weeks(settings, *_target_days(events))
    windows = label_windows(settings, weeks, (last - first).days, _window_users(events, int(span["last"]), settings))
    chosen = replace(settings, two_tower_weeks=weeks, ranker_windows=windows)
    timeline = plan_timeline(first, last, time_zone, chosen)
    require_enough(_found(events, timeline), settings.target)
    if extent is Extent.SERVING:
        timeline = timeline.at_end()
    run_up = run_up_days(settings.holidays, timeline)
    users, items = (read_parquet(connection, workspace.ingested(table)) for table in ("users", "items"))
    workspace.feature_table(names.USER_PROFILE_VIEW).parent.mkdir(parents=True, exist_ok=True)

    def write(view: str, *parts: ibis.Table) -> None:
        report(view)
        write_parts(parts, workspace.feature_table(view), connection)

    write(names.USER_PROFILE_VIEW, user_profile(users, timeline))
    write(names.ITEM_PROFILE_VIEW, item_profile(items, timeline))
    write(names.USER_SEQUENCE_VIEW, user_sequence(events, timeline))
    report("user and item pairs")
    kept = ("pairs", "visits", "looks", "of_users", "of_items")
    scratch = [workspace.data / "features" / f".{name}.parquet" for name in kept]
    purchases = events.filter(of_type(EventType.PURCHASE)).mutate(in_run_up=in_run_up(run_up, timeline))
    at = timeline.snapshots
    some = _in_parts(at, int(purchases.count().execute()), PURCHASES_AT_ONCE)
    write_parts([pairs_as_of(purchases, snapshots) for snapshots in some], scratch[0], connection)
    pairs = read_parquet(connection, scratch[0])
    found = (
        visits_of(events, timeline),
        engagements_by_quarter(events, "item_id"),
        activity_by_quarter(events, "user_id", logged),
        activity_by_quarter(events, "item_id", logged),
    )
    tables = (materialized(table, path, connection) for table, path in zip(found, scratch[1:], strict=True))
    visits, engagements, of_users, of_items = tables
    some = _in_parts(at, int(visits.user_id.nunique().execute()), ROWS_AT_ONCE)
    write(names.USER_STATISTICS_VIEW, *(user_statistics(visits, pairs, items, snapshots) for snapshots in some))
    write(names.ITEM_STATISTICS_VIEW, item_statistics(engagements, pairs, items, timeline))
    write(names.USER_HISTORY_VIEW, user_history(pairs, timeline))
    write(names.USER_BOUGHT_VIEW, bought_before(purchases, timeline))
    if extent is Extent.ALL:
        write(names.ITEM_HOLIDAYS_VIEW, item_holidays(pairs, items, run_up, timeline))
        for view, key, counts, values in (
            (names.USER_ACTIVITY_VIEW, "user_id", of_users, names.USER_ACTIVITY_VALUES),
            (names.ITEM_ACTIVITY_VIEW, "item_id", of_items, names.ITEM_ACTIVITY_VALUES),
        ):
            some = _in_parts(at, int(counts[key].nunique().execute()), ROWS_AT_ONCE)
            write(view, *(activity(counts, key, values, snapshots) for snapshots in some))
    for path in scratch:
        remove(path)
    timeline.write(workspace.timeline)
    return timeline


def _in_parts(snapshots: tuple[int, ...], rows: int, most: int) -> list[tuple[int, ...]]:
    """The snapshots in as few parts as have at most so many rows, where each snapshot has `rows`."""
    at_once = max(most // max(rows, 1), 1)
    return [snapshots[first : first + at_once] for first in range(0, len(snapshots), at_once)]


def _counts(events: ibis.Table) -> dict[str, int]:
    rows = events.group_by("event_type").agg(rows=_.count()).execute()
    return {str(kind): int(count) for kind, count in zip(rows["event_type"], rows["rows"], strict=True)}


def _target_days(events: ibis.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(days since 1970, targets on each), oldest first."""
    targets = events.filter(of_type(EventType.PURCHASE))
    days = targets.group_by(day=_.seconds // DAY_SECONDS).agg(rows=_.count()).order_by("day").execute()
    return days["day"].to_numpy(np.int64), days["rows"].to_numpy(np.int64)


def _window_users(events: ibis.Table, last: int, settings: FeatureSettings) -> npt.NDArray[np.int64]:
    """Users with a target in each window of test_days before the test window, the latest first."""
    window = (last - _.seconds) // (settings.test_days * DAY_SECONDS)
    targets = events.filter(of_type(EventType.PURCHASE)).mutate(window=window)
    users = targets.group_by("window").agg(users=_.user_id.nunique()).execute()
    by_window = np.bincount(users["window"], weights=users["users"], minlength=1).astype(np.int64)
    return by_window[1:]


def _found(events: ibis.Table, timeline: Timeline) -> dict[str, int]:
    """Users and items with a target before the cutoff, and targets of each window."""
    first_window = timeline.ranker_starts[0] if timeline.ranker_starts else timeline.cutoff
    early, known = _.seconds < first_window, _.seconds < timeline.cutoff
    found = (
        events.filter(of_type(EventType.PURCHASE))
        .agg(
            users=_.user_id.nunique(where=known),
            items=_.item_id.nunique(where=known),
            test=_.count(where=~known),
            ranker=_.count(where=known & ~early),
            towers=_.count(where=early & (_.seconds >= timeline.two_tower_start)),
        )
        .execute()
        .iloc[0]
    )
    return {str(name): int(rows) for name, rows in found.items()}


def user_profile(users: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Demographics; they carry no date in the source, so they hold from before the first snapshot."""
    return users.select(
        "user_id",
        event_timestamp=_since_ever(timeline),
        **{column: users[column].fill_null(UNKNOWN) for column in names.USER_PROFILE},
    )


def item_profile(items: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Content columns; the catalogue carries no date in the source, so it holds from before the first snapshot."""
    return items.select(
        "item_id",
        event_timestamp=_since_ever(timeline),
        **{column: items[column].fill_null(UNKNOWN) for column in names.ITEM_CONTENT},
    )


def pairs_as_of(purchases: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """One row per (snapshot, user, item) bought in the year before the snapshot, with counts by window."""
    return (
        before(purchases, snapshots)
        .group_by("snapshot", "user_id", "item_id")
        .agg(
            **{f"count_{days}d": _.count(where=within(days)) for days in WINDOWS_DAYS},
            count_coming=_.count(where=~within(YEAR_DAYS - SEASON_DAYS)),
            count_run_up=_.count(where=_.in_run_up),
            first=_.seconds.min(),
            last=_.seconds.max(),
            discounted_91d=_.count(where=(_.discount > 0) & within(91)),
            price=_.price.mean(),
        )
    )


def _events(workspace: Workspace, connection: ibis.BaseBackend) -> ibis.Table:
    """Events with their moment in Unix seconds: engines disagree on what a timestamp with a zone is."""
    events = read_parquet(connection, require(workspace.ingested("events"), "tandem ingest"))
    columns = ("event_type", "user_id", "item_id", "basket_id", "quantity", "price", "discount")
    return events.select(*columns, seconds=_.event_timestamp.epoch_seconds().cast("int64"))


def _since_ever(timeline: Timeline) -> ibis.Value:
    return moment(ibis.literal(timeline.snapshots[0]))
