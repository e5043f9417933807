"""Feature tables as of snapshots: row (entity, event_timestamp) knows only events strictly before event_timestamp.

All expressions are Ibis, so that the same code runs on DuckDB and on Spark. Everything is derived from two
aggregates a snapshot: pairs (user, item) and baskets.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import ibis
from ibis import _

from contracts import features as names
from contracts.events import UNKNOWN, EventType
from contracts.features import WINDOWS_DAYS
from training.engine import materialized, remove
from training.settings import FeatureSettings
from training.timeline import DAY_SECONDS, Timeline, plan_timeline
from training.workspace import Workspace, require

Report = Callable[[str], None]
"""Told what is being worked on; the command line draws progress from it."""


def build_features(
    workspace: Workspace, settings: FeatureSettings, connection: ibis.BaseBackend, report: Report
) -> Timeline:
    """Writes the timeline and the table of every feature view."""
    time_zone = json.loads(require(workspace.ingest_report, "tandem ingest").read_text())["time_zone"]
    events = _events(workspace, connection)
    seconds = _.event_timestamp.epoch_seconds()  # engines disagree on what a timestamp with zone is in Python
    span = events.agg(first=seconds.min(), last=seconds.max()).execute().iloc[0]
    first, last = (datetime.fromtimestamp(int(span[name]), UTC) for name in ("first", "last"))
    timeline = plan_timeline(first, last, time_zone, settings)
    purchases = events.filter(_.event_type == EventType.PURCHASE.value).select(
        "user_id",
        "item_id",
        "basket_id",
        "quantity",
        "price",
        "discount",
        seconds=_.event_timestamp.epoch_seconds().cast("int64"),
    )
    workspace.feature_table(names.USER_PROFILE_VIEW).parent.mkdir(parents=True, exist_ok=True)

    def write(view: str, table: ibis.Table) -> None:
        report(view)
        connection.to_parquet(table, workspace.feature_table(view))

    write(names.USER_PROFILE_VIEW, user_profile(connection.read_parquet(workspace.ingested("users")), timeline))
    write(names.ITEM_PROFILE_VIEW, item_profile(connection.read_parquet(workspace.ingested("items")), timeline))
    write(names.USER_SEQUENCE_VIEW, user_sequence(purchases, timeline))
    report("user and item pairs")
    scratch = workspace.data / "features" / ".pairs.parquet"
    pairs = materialized(pairs_as_of(purchases, timeline.snapshots), scratch, connection)
    write(names.USER_STATISTICS_VIEW, user_statistics(purchases, pairs, timeline))
    write(names.ITEM_STATISTICS_VIEW, item_statistics(pairs))
    write(names.USER_HISTORY_VIEW, user_history(pairs, timeline))
    remove(scratch)
    timeline.write(workspace.timeline)
    return timeline


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
        _before(purchases, snapshots)
        .group_by("snapshot", "user_id", "item_id")
        .agg(
            **{f"count_{days}d": _.count(where=_.age_seconds <= days * DAY_SECONDS) for days in WINDOWS_DAYS},
            first=_.seconds.min(),
            last=_.seconds.max(),
            discounted_91d=_.count(where=(_.discount > 0) & (_.age_seconds <= 91 * DAY_SECONDS)),
            price=_.price.mean(),
        )
    )


def user_statistics(purchases: ibis.Table, pairs: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Counts, spend and rhythm per (user, snapshot)."""
    baskets = purchases.group_by("user_id", "basket_id").agg(
        seconds=_.seconds.min(),
        lines=_.count(),
        spend=(_.price * _.quantity).sum(),
        discounted=_.count(where=_.discount > 0),
    )

    def window(days: int) -> ibis.Deferred:
        return _.age_seconds <= days * DAY_SECONDS

    rhythm = (
        _before(baskets, timeline.snapshots)
        .group_by("snapshot", "user_id")
        .agg(
            **{f"user_purchases_{days}d": _.lines.sum(where=window(days)).fill_null(0) for days in WINDOWS_DAYS},
            **{f"user_baskets_{days}d": _.count(where=window(days)) for days in WINDOWS_DAYS},
            **{f"user_spend_{days}d": _.spend.sum(where=window(days)).fill_null(0) for days in WINDOWS_DAYS},
            discounted=_.discounted.sum(),
            user_days_since_last=_.age_seconds.min() / DAY_SECONDS,
            span=_.seconds.max() - _.seconds.min(),
        )
    )
    variety = pairs.group_by("snapshot", "user_id").agg(user_items_365d=_.count())
    joined = rhythm.join(variety, ["snapshot", "user_id"])
    return joined.mutate(
        user_discount_share_365d=_.discounted / _.user_purchases_365d,
        user_basket_gap_days=_.span / DAY_SECONDS / ibis.greatest(_.user_baskets_365d - 1, 1),
    ).select(
        "user_id",
        event_timestamp=_moment(_.snapshot),
        **{name: _[name].cast("float64") for name in names.USER_STATISTICS},
    )


def item_statistics(pairs: ibis.Table) -> ibis.Table:
    """Popularity by window, repeat share, price and age per (item, snapshot)."""
    return (
        pairs.group_by("snapshot", "item_id")
        .agg(
            **{f"item_purchases_{days}d": _[f"count_{days}d"].sum() for days in WINDOWS_DAYS},
            **{f"item_buyers_{days}d": _.count(where=_[f"count_{days}d"] > 0) for days in WINDOWS_DAYS},
            item_repeat_share_365d=(_.count_365d > 1).cast("float64").mean(),
            item_discount_share_91d=_.discounted_91d.sum() / ibis.greatest(_.count_91d.sum(), 1),
            item_price=_.price.mean(),
            first=_["first"].min(),
        )
        .mutate(item_days_since_first=(_.snapshot - _["first"]) / DAY_SECONDS)
        .select(
            "item_id",
            event_timestamp=_moment(_.snapshot),
            **{name: _[name].cast("float64") for name in names.ITEM_STATISTICS},
        )
    )


def user_history(pairs: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Aligned arrays of the distinct items of a user, latest first, at the moments that need the full history."""
    entry = ibis.struct(
        # Arrays of structs sort by their fields in order on every engine; aggregates with ORDER BY do not exist on all.
        {
            "order": -_["last"],
            "item_id": _.item_id,
            "count": _.count_365d,
            "count_91d": _.count_91d,
            "count_28d": _.count_28d,
            "first": _["first"],
            "last": _["last"],
        }
    )
    rows = (
        pairs.filter(_.snapshot.isin(timeline.history_snapshots))
        .group_by("snapshot", "user_id")
        .agg(entries=entry.collect())
        .mutate(entries=_.entries.sort()[: names.HISTORY_LENGTH])
    )
    fields = ("item_id", "count", "count_91d", "count_28d", "first", "last")
    return rows.select(
        "user_id",
        event_timestamp=_moment(_.snapshot),
        **{name: _unzip(_.entries, field) for name, field in zip(names.HISTORY, fields, strict=True)},
    )


def user_sequence(purchases: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Aligned arrays of the user's latest purchase lines, latest first, per (user, snapshot)."""
    entry = ibis.struct({"order": -_.seconds, "item_id": _.item_id})
    lines = purchases.group_by("user_id").agg(entries=entry.collect()).mutate(entries=_.entries.sort())
    moments = ibis.memtable({"snapshot": list(timeline.snapshots)}, schema={"snapshot": "int64"})
    crossed = lines.cross_join(moments)
    # A line at second s is seen by snapshots after s, hence order = -s > -snapshot.
    seen = crossed.mutate(
        entries=crossed.entries.filter(lambda entry: entry["order"] > -crossed.snapshot)[: names.SEQUENCE_LENGTH]
    ).filter(_.entries.length() > 0)
    return seen.select(
        "user_id",
        event_timestamp=_moment(_.snapshot),
        **{
            names.SEQUENCE_ITEM_IDS: _unzip(_.entries, "item_id"),
            names.SEQUENCE_TIMESTAMPS: _.entries.map(lambda entry: -entry["order"]),
        },
    )


def _unzip(entries: ibis.Deferred, field: str) -> ibis.Deferred:
    return entries.map(lambda entry: entry[field])


def _before(table: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """Each row once for every snapshot it precedes by at most a year, with its age at that snapshot.

    Strictly before: what happens at the moment of a snapshot is not known at it.
    """
    moments = ibis.memtable({"snapshot": list(snapshots)}, schema={"snapshot": "int64"})
    year = max(WINDOWS_DAYS) * DAY_SECONDS
    crossed = table.join(moments, [table.seconds < moments.snapshot, table.seconds >= moments.snapshot - year])
    return crossed.mutate(age_seconds=_.snapshot - _.seconds)


def _moment(seconds: ibis.Deferred) -> ibis.Deferred:
    return seconds.as_timestamp("s").cast("timestamp('UTC', 6)")


def _since_ever(timeline: Timeline) -> ibis.Value:
    return ibis.literal(timeline.snapshots[0]).as_timestamp("s").cast("timestamp('UTC', 6)")


def _events(workspace: Workspace, connection: ibis.BaseBackend) -> ibis.Table:
    return connection.read_parquet(require(workspace.ingested("events"), "tandem ingest"))
