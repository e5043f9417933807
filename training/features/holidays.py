"""How items sell in the week up to a public holiday, next to how everything does.

One year says nothing of Christmas by name. What carries over is that some things are bought for holidays, whichever
comes next. Holidays follow a country's rules in the library `holidays`; nothing is downloaded.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import ibis
from ibis import _

from contracts.errors import InvalidInput
from contracts.events.schema import UNKNOWN
from contracts.features import names
from contracts.features.names import DAY_SECONDS
from training.features.snapshots import YEAR_DAYS, moment
from training.local_time import local_seconds
from training.timeline import Timeline

RUN_UP_DAYS = 7  # up to the holiday, itself among them: a whole week, so that each weekday is in it once
COMING_DAYS = 28
PRIOR = 20.0  # purchases of the subcategory, at its share, that count in addition to an item's own
EPOCH = date(1970, 1, 1)


def run_up_days(country: str, timeline: Timeline) -> frozenset[int]:
    """Local days, counted from 1 January 1970, in the week up to a holiday: of the year before the first snapshot to
    what comes after the last. None without a country.

    country: of ISO 3166, like US, or with one of its parts, like DE-BY. Raises InvalidInput for one there is not.
    """
    if not country:
        return frozenset()
    first = _local_day(timeline.snapshots[0], timeline) - YEAR_DAYS
    last = _local_day(timeline.data_end, timeline) + COMING_DAYS
    years = range((EPOCH + timedelta(first)).year, (EPOCH + timedelta(last + RUN_UP_DAYS)).year + 1)
    ends = [(day - EPOCH).days for day in _public_holidays(country, years)]
    return frozenset(end - back for end in ends for back in range(RUN_UP_DAYS))


def _public_holidays(country: str, years: range) -> list[date]:
    """As the calendar has them: a day off instead, because a holiday falls on a Sunday, moves nobody's shopping."""
    code, _dash, part = country.partition("-")
    try:
        return sorted(holidays.country_holidays(code, subdiv=part or None, years=years, observed=False))
    except NotImplementedError as error:
        parts = holidays.list_supported_countries(include_aliases=False)
        there = ", ".join(f"{code}-{one}" for one in parts[code]) if parts.get(code) else ", ".join(parts)
        raise InvalidInput(
            f"features.holidays is {country!r}, for which there is no calendar. There is {there}; empty leaves "
            "holidays out."
        ) from error


def in_run_up(days: frozenset[int], timeline: Timeline) -> ibis.Value:
    """Whether the column `seconds` lies on one of these local days."""
    first = timeline.snapshots[0] - YEAR_DAYS * DAY_SECONDS
    local = local_seconds(first, timeline.data_end, timeline.time_zone)
    return (local // DAY_SECONDS).cast("int64").isin(sorted(days)) if days else ibis.literal(False)


def item_holidays(pairs: ibis.Table, items: ibis.Table, days: frozenset[int], timeline: Timeline) -> ibis.Table:
    """Per (item, snapshot) bought in a year: its share of purchases in the run-up to holidays, relative to all items'.

    No rows where none or all of a year's purchases were in a run-up: then there is nothing to compare.
    """
    sums = pairs.group_by("snapshot", "item_id").agg(
        own=_.count_365d.sum().cast("float64"), own_before=_.count_run_up.sum().cast("float64")
    )
    known = sums.join(items.select("item_id", kind=items.subcategory.fill_null(UNKNOWN)), "item_id")
    of_kind = {name: _[name].sum().over(group_by=["snapshot", "kind"]) for name in ("own", "own_before")}
    of_all = {name: _[name].sum().over(group_by="snapshot") for name in ("own", "own_before")}
    shares = known.mutate(usual=of_all["own_before"] / of_all["own"]).mutate(
        kinds=(of_kind["own_before"] + PRIOR * _.usual) / (of_kind["own"] + PRIOR)
    )
    shares = shares.filter((_.usual > 0) & (_.usual < 1)).mutate(
        share=(_.own_before + PRIOR * _.kinds) / (_.own + PRIOR)
    )
    coming = _coming(days, timeline)
    pace = coming * _.share / _.usual + (1 - coming) * (1 - _.share) / (1 - _.usual)
    values = shares.mutate(item_holiday_lift=(_.share / _.usual).ln(), item_coming_holiday_lift_28d=pace.ln())
    return values.select(
        "item_id", event_timestamp=moment(_.snapshot), **{name: _[name] for name in names.ITEM_HOLIDAYS}
    )


def _coming(days: frozenset[int], timeline: Timeline) -> ibis.Value:
    """The share of the COMING_DAYS from a snapshot on that lie in a run-up; calendars know it long before."""
    shares = []
    for snapshot in timeline.snapshots:
        today = _local_day(snapshot, timeline)
        shares.append(sum(day in days for day in range(today, today + COMING_DAYS)) / COMING_DAYS)
    return ibis.cases(
        *((_.snapshot == at, share) for at, share in zip(timeline.snapshots, shares, strict=True)), else_=0.0
    )


def _local_day(seconds: int, timeline: Timeline) -> int:
    return (datetime.fromtimestamp(seconds, ZoneInfo(timeline.time_zone)).date() - EPOCH).days
