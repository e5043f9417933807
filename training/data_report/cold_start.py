"""How much of the log concerns users and items that were not known before."""

from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from training.data_report.event_log import EventLog
from training.data_report.words import counted, month_of, number, percent
from training.pages.figures import MAIN, SECOND, bars, figure, line
from training.pages.section import Chart, Section


@dataclass(frozen=True)
class ColdStart:
    """Per local month (year * 12 + month - 1): events, and what a model of the month before could not know."""

    months: pd.DataFrame  # columns events, new_users, new_items, new_user_events, new_item_events

    @property
    def later(self) -> pd.DataFrame:
        """All months but the first, in which everything is new."""
        return self.months.iloc[1:]

    def share(self, side: str) -> float:
        """Share of the later months' events whose user (or item) was first seen in the same month."""
        return float(self.later[f"new_{side}_events"].sum() / max(self.later["events"].sum(), 1))


def measure_cold_start(log: EventLog) -> ColdStart:
    """A user or an item is new in the month of its first event."""
    # The local clock as if it were UTC: only its year and month are read.
    local = _.local.as_timestamp("s")
    dated = log.events.mutate(month=(local.year() * 12 + local.month() - 1).cast("int64"))
    events = dated.group_by("month").agg(events=_.count()).execute().set_index("month").sort_index()
    for side, table in (("user", dated), ("item", dated.filter(_.item_id.notnull()))):
        events = events.join(_new(table, side))
    months = range(int(events.index.min()), int(events.index.max()) + 1)
    return ColdStart(events.reindex(months).fillna(0).astype("int64"))


def _new(dated: ibis.Table, side: str) -> pd.DataFrame:
    """Per month: how many ids were first seen in it, and their events in it."""
    monthly = dated.group_by(f"{side}_id", "month").agg(events=_.count())
    earliest = _.month.min().over(group_by=f"{side}_id")
    first = monthly.mutate(first=earliest).filter(_.month == _.first)
    new = {f"new_{side}s": _.count(), f"new_{side}_events": _.events.sum()}
    monthly_new: pd.DataFrame = first.group_by("month").agg(**new).execute()
    return monthly_new.set_index("month")


def cold_start_section(cold: ColdStart) -> Section:
    """New users and items per month; how many events they make up."""
    title = "Cold start"
    if cold.later.empty:
        return Section(title, note="The log lies within one month: everything in it is new.")
    return Section(
        title,
        charts=[_shares(cold), _arrivals(cold, "item", MAIN), _arrivals(cold, "user", SECOND)],
        note="New means first seen in the same month: what a model trained at the month's beginning could not know. "
        "In the first month everything is new, so it is left out. The last month may be cut short.",
    )


def _shares(cold: ColdStart) -> Chart:
    takeaway = (
        f"After the first month, {percent(cold.share('item'))} of the events concern an item and "
        f"{percent(cold.share('user'))} a user that the month had not known at its beginning."
    )
    later = cold.later
    dates = [month_of(month) for month in later.index]
    events = later["events"].clip(lower=1)
    traces = [
        line(dates, 100 * later["new_item_events"] / events, "new items", MAIN, hovertemplate="%{y:.2f} %"),
        line(dates, 100 * later["new_user_events"] / events, "new users", SECOND, hovertemplate="%{y:.2f} %"),
    ]
    drawn = figure(traces, y="% of the month’s events", hovermode="x unified")
    drawn.update_xaxes(nticks=4)
    return Chart(takeaway, drawn)


def _arrivals(cold: ColdStart, side: str, colour: str) -> Chart:
    arrivals = cold.later[f"new_{side}s"]
    takeaway = (
        f"A typical later month brings {counted(arrivals.median(), f'new {side}')}; "
        f"the first month had {number(cold.months[f'new_{side}s'].iloc[0])}."
    )
    traces = [bars([month_of(month) for month in arrivals.index], arrivals, colour=colour)]
    return Chart(takeaway, figure(traces, y=f"new {side}s", height=220))
