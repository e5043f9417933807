"""Rows as of snapshots, of which every feature table is made."""

from collections.abc import Mapping

import ibis
from ibis import _

from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS, WINDOWS_DAYS
from training.local_time import QUARTER_SECONDS

YEAR_DAYS = max(WINDOWS_DAYS)
ENGAGEMENTS = {"views": EventType.VIEW, "cart_adds": EventType.CART_ADD}
"""Engagements that are counted by window: feature name and event type."""


def before(table: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """Each row once for every snapshot it precedes by at most a year, with its age at that snapshot.

    Strictly before: what happens at the moment of a snapshot is not known at it.
    """
    moments = ibis.memtable({"snapshot": list(snapshots)}, schema={"snapshot": "int64"})
    year = YEAR_DAYS * DAY_SECONDS
    crossed = table.join(moments, [table.seconds < moments.snapshot, table.seconds >= moments.snapshot - year])
    return crossed.mutate(age_seconds=_.snapshot - _.seconds)


def within(days: int) -> ibis.Deferred:
    """Whether a row of `before` is at most the given days old at its snapshot."""
    return _.age_seconds <= days * DAY_SECONDS


def summed(column: str, days: int) -> ibis.Deferred:
    """A column's sum over the rows of `within`. A case takes DuckDB two thirds of a filter's time."""
    return ibis.ifelse(within(days), _[column], None).sum()


def moment(seconds: ibis.Deferred) -> ibis.Deferred:
    """Unix seconds as the event_timestamp of a feature table."""
    return seconds.as_timestamp("s").cast("timestamp('UTC', 6)")


def of_type(kind: EventType) -> ibis.Deferred:
    """Whether an event is of this type."""
    return _.event_type == kind.value


def basket() -> ibis.Deferred:
    """A purchase's basket among its user's: where the source knows none, what is bought within a quarter hour."""
    return ibis.coalesce(_.basket_id, (_.seconds // QUARTER_SECONDS).cast("string"))


def engagements_by_quarter(events: ibis.Table, key: str, kinds: Mapping[str, EventType] = ENGAGEMENTS) -> ibis.Table:
    """Events of these kinds of each key (user_id or item_id) within a quarter hour.

    Fewer rows to set against every snapshot: snapshots and windows begin on quarter hours, so none of them cuts one in
    two. Sorted, so that an engine sums up one key after the other; float64 adds up at half the cost of integers.
    """
    engagements = events.filter(_.event_type.isin([kind.value for kind in kinds.values()]) & _[key].notnull())
    counts = {name: _.count(where=of_type(kind)).cast("float64") for name, kind in kinds.items()}
    grouped = engagements.group_by(key, quarter=_.seconds // QUARTER_SECONDS)
    return grouped.agg(seconds=_.seconds.min(), **counts).drop("quarter").order_by(key, "seconds")
