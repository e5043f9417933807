"""What is known of items as of snapshots."""

import ibis
from ibis import _

from contracts.events.schema import UNKNOWN
from contracts.features import names
from contracts.features.names import DAY_SECONDS, WINDOWS_DAYS
from training.features.snapshots import ENGAGEMENTS, before, moment, summed
from training.timeline import Timeline


def item_statistics(engagements: ibis.Table, pairs: ibis.Table, items: ibis.Table, timeline: Timeline) -> ibis.Table:
    """Popularity by window and its trend, repeats, price and age per (item, snapshot) with any event in a year.

    engagements are what `engagements_by_quarter` knows of items.
    """
    bought, engaged_with = _bought(pairs), _engaged_with(engagements, timeline)
    both = bought.outer_join(engaged_with, ["snapshot", "item_id"])
    merged = both.mutate(
        snapshot=ibis.coalesce(_.snapshot, _.snapshot_right), item_id=ibis.coalesce(_.item_id, _.item_id_right)
    ).drop("snapshot_right", "item_id_right")
    known = merged.join(items.select("item_id", "subcategory", "available_from"), "item_id")
    usual_price = _.item_price.mean().over(group_by=["snapshot", _.subcategory.fill_null(UNKNOWN)])
    since = ibis.coalesce(_.available_from.epoch_seconds().cast("int64"), _["first"], _.snapshot)
    priced = known.mutate(
        item_relative_price=(_.item_price / usual_price.nullif(0.0)).fill_null(1.0),
        item_age_days=ibis.greatest(_.snapshot - since, 0) / DAY_SECONDS,
        item_trend_7d=_trend(7, 28),
        item_trend_28d=_trend(28, 91),
    )
    return priced.select(
        "item_id",
        event_timestamp=moment(_.snapshot),
        **{name: _[name].fill_null(0).cast("float64") for name in names.ITEM_STATISTICS},
    )


def _bought(pairs: ibis.Table) -> ibis.Table:
    repeats = _.count_365d > 1
    return pairs.group_by("snapshot", "item_id").agg(
        **{f"item_purchases_{days}d": _[f"count_{days}d"].sum() for days in WINDOWS_DAYS},
        **{f"item_buyers_{days}d": _.count(where=_[f"count_{days}d"] > 0) for days in WINDOWS_DAYS},
        item_season_28d=_.count_coming.sum(),
        item_repeat_share_365d=repeats.cast("float64").mean(),
        item_repeat_gap_days=((_["last"] - _["first"]) / (_.count_365d - 1).nullif(0)).mean(where=repeats)
        / DAY_SECONDS,
        item_discount_share_91d=_.discounted_91d.sum() / ibis.greatest(_.count_91d.sum(), 1),
        item_price=_.price.mean(),
        first=_["first"].min(),
    )


def _engaged_with(engagements: ibis.Table, timeline: Timeline) -> ibis.Table:
    return (
        before(engagements, timeline.snapshots)
        .group_by("snapshot", "item_id")
        .agg(**{f"item_{name}_{days}d": summed(name, days) for name in ENGAGEMENTS for days in WINDOWS_DAYS})
    )


def _trend(days: int, longer: int) -> ibis.Deferred:
    """Purchases of the window by those that a steady pace over the longer window has; one more on both sides, so that
    few purchases make no trend."""
    recent, expected = _[f"item_purchases_{days}d"].fill_null(0), _[f"item_purchases_{longer}d"].fill_null(0)
    return (recent + 1) / (expected * days / longer + 1)
