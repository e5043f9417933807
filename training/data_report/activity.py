"""How much happens, and when: per day, per week, and by weekday and hour."""

from dataclasses import dataclass

import pandas as pd
from ibis import _

from contracts.events.schema import EventType
from training.data_report.event_log import EventLog
from training.data_report.words import WEEKDAYS, counted, day_of, number, percent, reason, times, written
from training.pages.figures import bars, event_colour, figure, heat, line
from training.pages.section import Chart, Section

THURSDAY = 3  # 1970-01-01


@dataclass(frozen=True)
class Activity:
    """Counts in the shop's local time."""

    daily: pd.DataFrame  # index local_day without holes, a column per event type
    hourly: pd.DataFrame  # index weekday (Monday 0), columns hour 0 … 23, of `what`
    what: str  # "purchases", or "events" of a source without any


def measure_activity(log: EventLog) -> Activity:
    """One query, folded two ways."""
    cells = log.events.group_by("event_type", "local_day", "hour").agg(events=_.count()).execute()
    days = pd.RangeIndex(log.first_day, log.last_day + 1, name="local_day")
    daily = cells.pivot_table(index="local_day", columns="event_type", values="events", aggfunc="sum", fill_value=0)
    kind = EventType.PURCHASE.value
    engaged_with = cells[cells["event_type"] == kind] if log.lines else cells
    weekdays = (engaged_with["local_day"] + THURSDAY) % 7
    hourly = engaged_with.groupby([weekdays, "hour"])["events"].sum().unstack(fill_value=0)
    return Activity(
        daily=daily.reindex(days, fill_value=0),
        hourly=hourly.reindex(index=range(7), columns=range(24), fill_value=0),
        what="purchases" if log.lines else "events",
    )


def volume_section(activity: Activity) -> Section:
    """Per day and per week."""
    return Section(
        "Volumes over time",
        charts=[_per_day(activity.daily), _per_week(activity.daily)],
        note="Days and weeks (from Monday) are the shop's. A week that the log cuts short is drawn, not compared.",
    )


def _per_day(daily: pd.DataFrame) -> Chart:
    total = daily.sum(axis=1)
    day = day_of(int(total.index[int(total.to_numpy().argmax())]))
    takeaway = (
        f"A typical day brings {counted(total.median(), 'event')}; the busiest, {WEEKDAYS[day.weekday()]} "
        f"{written(day)}, brought {number(total.max())}."
    )
    dates = [day_of(local_day) for local_day in daily.index]
    traces = [line(dates, daily[kind], reason(kind), event_colour(kind)) for kind in daily.columns]
    return Chart(takeaway, figure(traces, y="events a day", showlegend=len(traces) > 1))


def _per_week(daily: pd.DataFrame) -> Chart:
    monday = daily.index - (daily.index + THURSDAY) % 7
    weekly = daily.groupby(monday).sum()
    whole = weekly.sum(axis=1)[daily.groupby(monday).size() == 7]
    dates = [day_of(local_day) for local_day in weekly.index]
    traces = [bars(dates, weekly[kind], reason(kind), event_colour(kind)) for kind in weekly.columns]
    drawn = figure(traces, y="events a week", barmode="stack", showlegend=len(traces) > 1)
    return Chart(_trend(whole), drawn)


def _trend(whole_weeks: pd.Series) -> str:
    if len(whole_weeks) < 8:
        return f"The log holds {counted(len(whole_weeks), 'whole week')}: too few to speak of a trend."
    change = whole_weeks.iloc[-4:].mean() / max(whole_weeks.iloc[:4].mean(), 1) - 1
    direction = "more" if change >= 0 else "fewer"
    return f"The last four whole weeks brought {percent(abs(change))} {direction} events than the first four."


def season_section(activity: Activity, time_zone: str) -> Section:
    """Weekday by hour."""
    hourly, what = activity.hourly, activity.what
    title = "Weekday and hour"
    if (hourly.sum() > 0).sum() <= 1:
        return Section(title, note="All events lie in one hour of the day: the source knows days, not hours.")
    shares = hourly / hourly.to_numpy().sum()
    hover = "%{y} %{x}:00 — %{z:,} " + what + "<extra></extra>"
    names = [name[:3] for name in WEEKDAYS]
    drawn = figure([heat([f"{hour:02d}" for hour in range(24)], names, hourly.to_numpy().tolist(), hover)], x="hour")
    drawn.update_yaxes(autorange="reversed", showgrid=False)
    drawn.update_xaxes(type="category", tickmode="auto", nticks=12)
    note = f"Hours are local time, {time_zone}. Darker is more {what}."
    return Section(title, charts=[Chart(_busiest_hour(shares, what), drawn)], note=note)


def _busiest_hour(shares: pd.DataFrame, what: str) -> str:
    cells = shares.to_numpy()
    weekday, hour = divmod(int(cells.argmax()), 24)
    top = float(cells[weekday, hour])
    weekend = percent(float(cells[5:].sum()))
    return (
        f"{WEEKDAYS[weekday]} from {hour}:00 to {hour + 1}:00 is the busiest hour: {percent(top)} of all {what}, "
        f"{times(top * cells.size)} the mean hour; the weekend brings {weekend}."
    )
