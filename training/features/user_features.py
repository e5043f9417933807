"""What is known of users as of snapshots."""

import ibis
from ibis import _

from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.names import DAY_SECONDS, OVERDUE_LIMIT, WINDOWS_DAYS
from contracts.ranking.inputs import NEVER_DAYS
from training.features.snapshots import (
    ENGAGEMENTS,
    YEAR_DAYS,
    basket,
    before,
    engagements_by_quarter,
    moment,
    of_type,
    summed,
)
from training.local_time import QUARTER_SECONDS, local_seconds
from training.timeline import Timeline

HOUR_SECONDS = 3600
MINUTE_SECONDS = 60  # gaps are squared in whole minutes: integers add up to the same on every engine
DAY_PARTS = {"morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


def user_statistics(visits: ibis.Table, pairs: ibis.Table, items: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """Counts, spend, rhythm, habits and affinities per (user, snapshot) with any event in a year, as one array."""
    bought = pairs.filter(_.snapshot.isin(snapshots))
    known = _joined(_joined(_rhythm(visits, snapshots), _variety(bought)), _affinities(bought, items))
    baskets, purchases = ibis.greatest(_.user_baskets_365d, 1), ibis.greatest(_.user_purchases_365d, 1)
    gap_days = _.span / DAY_SECONDS / ibis.greatest(_.user_baskets_365d - 1, 1)
    gap_count = ibis.greatest(_.gap_count, 1).cast("float64")
    derived = known.mutate(
        user_new_item_share_91d=_.new_items / ibis.greatest(_.recent_items, 1),
        user_discount_share_365d=_.discounted / purchases,
        user_saved_share_365d=_.saved / (_.saved + _.user_spend_365d).nullif(0.0),
        user_unit_price_365d=_.user_spend_365d / ibis.greatest(_.units, 1),
        user_basket_lines_365d=_.user_purchases_365d / baskets,
        user_days_since_last=_.user_days_since_last.fill_null(NEVER_DAYS),
        user_basket_gap_days=gap_days,
        # sqrt(E[g²] - E[g]²) / E[g], without a subtraction of nearly equal fractions
        user_basket_gap_variation=ibis.greatest(gap_count * _.gap_squares - _.gaps * _.gaps, 0.0).sqrt()
        / _.gaps.nullif(0.0),
        user_weekend_share_365d=_.weekend / baskets,
        **{f"user_{part}_share_365d": _[part] / baskets for part in DAY_PARTS},
    ).mutate(
        user_overdue_ratio=ibis.ifelse(
            _.user_baskets_365d > 1,
            ibis.least(_.user_days_since_last / ibis.greatest(_.user_basket_gap_days, 1.0), OVERDUE_LIMIT),
            0.0,
        )
    )
    values = [derived[name].fill_null(0).cast("float32") for name in names.USER_STATISTICS]
    return derived.select(
        "user_id", event_timestamp=moment(_.snapshot), **{names.USER_STATISTICS_VALUES: ibis.array(values)}
    )


def _variety(pairs: ibis.Table) -> ibis.Table:
    recent = _.count_91d > 0
    return pairs.group_by("snapshot", "user_id").agg(
        user_items_365d=_.count(),
        recent_items=_.count(where=recent),
        new_items=_.count(where=recent & (_.count_91d == _.count_365d)),
    )


def _affinities(pairs: ibis.Table, items: ibis.Table) -> ibis.Table:
    """How much of a user's purchases the department and the brand have that lead them."""
    classes = items.select("item_id", "department", "brand")
    lines = (
        pairs.join(classes, "item_id").group_by("snapshot", "user_id", "department", "brand").agg(n=_.count_365d.sum())
    )
    departments, brands = (
        lines.filter(_[column].notnull())
        .group_by("snapshot", "user_id", column)
        .agg(n=_.n.sum())
        .group_by("snapshot", "user_id")
        .agg(**{f"user_top_{column}_share_365d": _.n.max() / _.n.sum(), f"user_{column}s_365d": _.count()})
        for column in ("department", "brand")
    )
    return _joined(departments, brands)


def _joined(left: ibis.Table, right: ibis.Table) -> ibis.Table:
    return left.left_join(right, ["snapshot", "user_id"]).drop("snapshot_right", "user_id_right")


def _rhythm(visits: ibis.Table, snapshots: tuple[int, ...]) -> ibis.Table:
    """Sums over the visits of a year, some of them by window."""
    windowed = {"purchases": "lines", "baskets": "baskets", "spend": "spend"} | {name: name for name in ENGAGEMENTS}
    parts = {part: _.baskets.sum(where=_in_part(*hours)) for part, hours in DAY_PARTS.items()}
    sums = (
        before(visits, snapshots)
        .group_by("snapshot", "user_id")
        .agg(
            **{
                f"user_{name}_{days}d": summed(column, days)
                for name, column in windowed.items()
                for days in WINDOWS_DAYS
            },
            **{name: _[name].sum() for name in ("units", "saved", "discounted")},
            **parts,
            weekend=_.baskets.sum(where=(_.local // DAY_SECONDS + EPOCH_WEEKDAY) % 7 >= 5),
            gaps=_.gap_minutes.sum(),
            gap_squares=(_.gap_minutes * _.gap_minutes).sum(),
            gap_count=_.gap_minutes.count(),
            user_days_since_last=_.age_seconds.min(where=_["lines"] > 0) / DAY_SECONDS,
            span=_.seconds.max(where=_.baskets > 0) - _.seconds.min(where=_.baskets > 0),
        )
    )
    unknown = ("user_days_since_last", "span")
    return sums.mutate(**{name: _[name].fill_null(0) for name in sums.columns[2:] if name not in unknown})


def _in_part(start: int, end: int) -> ibis.Deferred:
    hour = _.local % DAY_SECONDS // HOUR_SECONDS
    return (hour >= start) & (hour < end)


def visits_of(events: ibis.Table, timeline: Timeline) -> ibis.Table:
    """What a user did within a quarter hour: parts of baskets, and views and cart additions.

    Snapshots lie on quarter hours, so none of them cuts a visit in two. A basket counts where it begins: one that goes
    on after a snapshot does not leak the future. Numbers are float64, which adds up at half the cost of integers and
    is exact for whole ones; a user's visits lie together, so that an engine sums up one user after the other.
    """
    parts = _basket_parts(events)
    begun, continued = parts.filter(_.part == 0), parts.filter(_.part > 0)
    gap = _.seconds - _.seconds.lag().over(group_by="user_id", order_by=["seconds", "basket"])
    local = local_seconds(timeline.snapshots[0] - YEAR_DAYS * DAY_SECONDS, timeline.data_end, timeline.time_zone)
    begun = begun.mutate(baskets=ibis.literal(1), gap_minutes=gap // MINUTE_SECONDS, local=local)
    engagements = engagements_by_quarter(events, "user_id")
    counted = [name for name in begun.columns if name not in ("user_id", "basket", "part", "seconds", "local")]
    kinds = {
        "user_id": "string",
        "seconds": "int64",
        "local": "int64",
        **dict.fromkeys((*counted, *ENGAGEMENTS), "float64"),
    }
    conformed = [
        table.select(
            **{
                name: table[name].cast(kind) if name in table.columns else ibis.null(kind)
                for name, kind in kinds.items()
            }
        )
        for table in (begun, continued, engagements)
    ]
    return ibis.union(*conformed).order_by("user_id", "seconds")


def _basket_parts(events: ibis.Table) -> ibis.Table:
    """Purchases by basket and quarter hour; part 0 is where the basket begins."""
    purchases = events.filter(of_type(EventType.PURCHASE)).mutate(quarter=_.seconds // QUARTER_SECONDS)
    baskets = purchases.mutate(basket=basket())
    parts = baskets.group_by("user_id", "basket", "quarter").agg(
        seconds=_.seconds.min(),
        lines=_.count(),
        units=_.quantity.sum(),
        spend=(_.price * _.quantity).sum(),
        saved=(_.discount * _.quantity).sum(),
        discounted=_.count(where=_.discount > 0),
    )
    return parts.drop("quarter").mutate(part=ibis.row_number().over(group_by=["user_id", "basket"], order_by="seconds"))
