"""Visits: what a user does without a break of half an hour."""

from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from contracts.events.schema import EventType
from training.data_report.binning import quantile, up_to
from training.data_report.event_log import EventLog
from training.data_report.words import counted, number, percent
from training.pages.figures import bars, figure
from training.pages.section import Chart

BREAK_SECONDS = 1800


@dataclass(frozen=True)
class Sessions:
    """Every session once."""

    sizes: pd.Series  # index events in a session, how many sessions
    with_purchase: int

    @property
    def count(self) -> int:
        """How many sessions there are."""
        return int(self.sizes.sum())


def measure_sessions(log: EventLog) -> Sessions | None:
    """None where a source records purchases only: then a session is a basket."""
    if set(log.event_counts) == {EventType.PURCHASE.value}:
        return None
    order = {"group_by": "user_id", "order_by": ["seconds", "event_id"]}
    pause = _.seconds - _.seconds.lag().over(**order)
    begins = log.events.mutate(begins=(pause.isnull() | (pause > BREAK_SECONDS)).cast("int64"))
    numbered = begins.mutate(session=_.begins.sum().over(ibis.cumulative_window(**order)))
    sessions = numbered.group_by("user_id", "session").agg(
        events=_.count(), purchases=(_.event_type == EventType.PURCHASE.value).cast("int64").sum()
    )
    bought = (_.purchases > 0).cast("int64").sum()
    counts = sessions.group_by("events").agg(sessions=_.count(), bought=bought).execute().set_index("events")
    return Sessions(sizes=counts["sessions"].sort_index(), with_purchase=int(counts["bought"].sum()))


def session_chart(sessions: Sessions) -> Chart:
    """How long sessions are."""
    median = quantile(sessions.sizes, 0.5)
    takeaway = (
        f"Half of the {number(sessions.count)} sessions have at most {counted(median, 'event')}; "
        f"{percent(sessions.with_purchase / sessions.count)} contain a purchase."
    )
    names, values = up_to(sessions.sizes, last=min(30, max(quantile(sessions.sizes, 0.95), 5)))
    drawn = figure([bars(names, values)], x="events in a session", y="sessions")
    drawn.update_xaxes(type="category", tickmode="auto", nticks=12)
    return Chart(takeaway, drawn)
