"""Counts by window of the event types other than purchase, view and cart add, for users and for items."""

from collections.abc import Container

import ibis
from ibis import _

from contracts.features import names
from contracts.features.names import WINDOWS_DAYS
from training.features.snapshots import before, engagements_by_quarter, moment, summed


def activity_by_quarter(events: ibis.Table, key: str, present: Container[str]) -> ibis.Table:
    """Events of names.ACTIVITY of each key (user_id or item_id) within a quarter hour; a source may have none.

    Only types in `present` get a column: sums of the others cost as much, and are 0.
    """
    kinds = {name: kind for name, kind in names.ACTIVITY.items() if kind.value in present}
    return engagements_by_quarter(events, key, kinds or names.ACTIVITY)


def activity(counts: ibis.Table, key: str, values: str, snapshots: tuple[int, ...]) -> ibis.Table:
    """Per (key, snapshot) with any such event in a year, each of names.ACTIVITY by window as the one array `values`.

    counts are what `activity_by_quarter` knows.
    """
    windows = [(name, days, f"{name}_{days}d") for name in names.ACTIVITY for days in WINDOWS_DAYS]
    sums = (
        before(counts, snapshots)
        .group_by("snapshot", key)
        .agg(**{column: summed(name, days) for name, days, column in windows if name in counts.columns})
    )
    numbers = [
        sums[column].fill_null(0).cast("float32") if column in sums.columns else ibis.literal(0.0, "float32")
        for _name, _days, column in windows
    ]
    return sums.select(key, event_timestamp=moment(_.snapshot), **{values: ibis.array(numbers)})
