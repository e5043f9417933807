"""What a user did, as arrays: the latest events, and every item bought."""

import ibis
from ibis import _

from contracts.features import names
from contracts.features.names import DAY_SECONDS
from training.features.snapshots import YEAR_DAYS, moment
from training.timeline import Timeline


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
        event_timestamp=moment(_.snapshot),
        **{name: _unzip(_.entries, field) for name, field in zip(names.HISTORY, fields, strict=True)},
    )


def bought_before(purchases: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Items that a user once bought and that the last history lacks, or will lack after fresh events.

    The history holds a year and HISTORY_LENGTH items, and each fresh purchase may push one off its end.
    """
    end = timeline.data_end
    pairs = purchases.filter(_.seconds < end).group_by("user_id", "item_id").agg(last=_.seconds.max())
    place = ibis.row_number().over(group_by="user_id", order_by=[ibis.desc("last"), "item_id"])
    stays = names.HISTORY_LENGTH - names.MAX_RECENT_EVENTS
    lacking = pairs.mutate(place=place).filter((_.place >= stays) | (_["last"] < end - YEAR_DAYS * DAY_SECONDS))
    rows = lacking.group_by("user_id").agg(entries=_.item_id.collect()).mutate(entries=_.entries.sort())
    return rows.select("user_id", event_timestamp=moment(ibis.literal(end)), **{names.BOUGHT_ITEM_IDS: _.entries})


def user_sequence(events: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Aligned arrays of the latest things a user did to items, latest first, at each snapshot that saw something new.

    The latest SEQUENCE_LENGTH of any kind, and behind them older looks up to ENGAGEMENTS_LENGTH in all.

    A user who did nothing since a snapshot has no row at the next: a point-in-time join finds the earlier one. The last
    has everybody: online stores keep what they have unless something of a later moment comes.
    """
    entry = ibis.struct({"order": -_.seconds, "item_id": _.item_id, "event_type": _.event_type})
    done = events.filter(_.item_id.notnull() & _.event_type.isin(names.SEQUENCE_TYPES))
    lines = done.group_by("user_id").agg(entries=entry.collect()).mutate(entries=_.entries.sort())
    due = _seen_first(done, timeline.snapshots).join(lines, "user_id")
    # An event at second s is seen by snapshots after s, hence order = -s > -snapshot.
    seen = due.mutate(entries=due.entries.filter(lambda entry: entry["order"] > -due.snapshot))
    older = _.entries[names.SEQUENCE_LENGTH :].filter(lambda entry: entry["event_type"].isin(names.ENGAGEMENT_TYPES))
    room = names.ENGAGEMENTS_LENGTH - names.SEQUENCE_LENGTH
    seen = seen.mutate(entries=_.entries[: names.SEQUENCE_LENGTH].concat(older[:room]))
    return seen.select(
        "user_id",
        event_timestamp=moment(_.snapshot),
        **{
            names.SEQUENCE_ITEM_IDS: _unzip(_.entries, "item_id"),
            names.SEQUENCE_EVENT_TYPES: _unzip(_.entries, "event_type"),
            names.SEQUENCE_TIMESTAMPS: _.entries.map(lambda entry: -entry["order"]),
        },
    )


def _seen_first(events: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """(user_id, snapshot) of the first snapshots after a user's events, strictly, and of the last."""
    since = [-(2**62), *snapshots[:-1]]
    since[-1] = since[0]
    moments = ibis.memtable(
        {"snapshot": list(snapshots), "since": since}, schema=dict.fromkeys(("snapshot", "since"), "int64")
    )
    after = events.join(moments, [events.seconds < moments.snapshot, events.seconds >= moments.since])
    return after.select("user_id", "snapshot").distinct()


def _unzip(entries: ibis.Deferred, field: str) -> ibis.Deferred:
    return entries.map(lambda entry: entry[field])
