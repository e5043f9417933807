"""Counts by window of the event types other than purchase, view and cart add, for users and for items."""

import ibis
from ibis import _

from contracts.features import names
from contracts.features.names import WINDOWS_DAYS
from training.features.snapshots import before, engagements_by_quarter, moment, within


def activity_by_quarter(events: ibis.Table, key: str) -> ibis.Table:
    """Events of names.ACTIVITY of each key (user_id or item_id) within a quarter hour; a source may have none."""
    return engagements_by_quarter(events, key, names.ACTIVITY)


def activity(counts: ibis.Table, key: str, values: str, snapshots: tuple[int, ...]) -> ibis.Table:
    """Per (key, snapshot) with any such event in a year, each of names.ACTIVITY by window as the one array `values`.

    counts are what `activity_by_quarter` knows.
    """
    sums = (
        before(counts, snapshots)
        .group_by("snapshot", key)
        .agg(**{f"{name}_{days}d": _[name].sum(where=within(days)) for name in names.ACTIVITY for days in WINDOWS_DAYS})
    )
    numbers = [sums[name].fill_null(0).cast("float32") for name in sums.columns[2:]]
    return sums.select(key, event_timestamp=moment(_.snapshot), **{values: ibis.array(numbers)})
