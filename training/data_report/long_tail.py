"""How unevenly interest falls on the catalogue."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ibis import _

from contracts.arrays import Doubles
from contracts.events.schema import EventType
from training.data_report.binning import ranges
from training.data_report.event_log import EventLog
from training.data_report.words import number, percent
from training.pages.figures import bars, figure, line
from training.pages.section import Chart, Section

FEW = 5
EVENT_RANGES = (0, 1, 2, 5, 10, 20, 50, 100, 500, 1000)
POINTS = 300  # of the drawn curve


@dataclass(frozen=True)
class LongTail:
    """Items of the catalogue by how often they occur; items that never do count too."""

    interest: pd.Series  # index purchases of an item (events where there are none), how many items
    events: pd.Series  # index events of an item, how many items
    what: str  # "purchases" or "events"

    @property
    def items(self) -> int:
        """Size of the catalogue."""
        return int(self.events.sum())

    @property
    def few_events_share(self) -> float:
        """Share of the items with fewer than FEW events."""
        return float(self.events[self.events.index < FEW].sum() / self.items)

    @property
    def gini(self) -> float:
        """0: every item alike; near 1: a few items have everything."""
        items, interest = self.curve()
        # Twice the area between the curve, best items first, and the diagonal.
        return float(2 * np.sum(np.diff(items) * (interest[1:] + interest[:-1]) / 2) - 1)

    def curve(self) -> tuple[Doubles, Doubles]:
        """(share of the items, share of the interest) up to each level of interest, best items first."""
        best_first = self.interest.sort_index(ascending=False)
        counts = best_first.to_numpy(np.float64)
        weights = counts * best_first.index.to_numpy(np.float64)
        items = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        return items, np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()

    def items_for(self, share: float) -> float:
        """Share of the items that together have this share of the interest."""
        items, interest = self.curve()
        return float(np.interp(share, interest, items))


def measure_long_tail(log: EventLog) -> LongTail:
    """Counts per item, counted."""
    bought = (_.event_type == EventType.PURCHASE.value).cast("int64")
    per_item = log.events.filter(_.item_id.notnull()).group_by("item_id").agg(events=_.count(), purchases=bought.sum())
    catalogue = log.items.select("item_id").left_join(per_item, "item_id")
    filled = catalogue.mutate(events=_.events.fill_null(0), purchases=_.purchases.fill_null(0))
    pairs = filled.group_by("events", "purchases").agg(items=_.count()).execute()
    interest = "purchases" if log.lines else "events"
    return LongTail(
        interest=pairs.groupby(interest)["items"].sum(),
        events=pairs.groupby("events")["items"].sum(),
        what=interest,
    )


def tail_section(tail: LongTail) -> Section:
    """The curve, and items by number of events."""
    if tail.interest.index.max() == 0:
        return Section("Long tail", note="No event of this source names an item.")
    return Section(
        "Long tail",
        charts=[_curve(tail), _rare(tail)],
        note=f"Of the whole catalogue of {number(tail.items)} items, those without any event included. "
        f"The Gini coefficient is {tail.gini:.2f}: 0 were every item alike, 1 a single item with everything.",
    )


def _curve(tail: LongTail) -> Chart:
    half, most = tail.items_for(0.5), tail.items_for(0.8)
    takeaway = f"Half of all {tail.what} fall on {percent(half)} of the items, four fifths on {percent(most)}."
    items, interest = tail.curve()
    shown = np.geomspace(1 / tail.items, 1, POINTS)
    hover = "%{x:.2~f} % of the items<br>%{y:.1f} % of the " + tail.what + "<extra></extra>"
    traces = [
        line(100 * shown, 100 * np.interp(shown, items, interest), "this catalogue", hovertemplate=hover),
        line(100 * shown, 100 * shown, "were all items alike", "#b6c0c9"),
    ]
    drawn = figure(traces, x="best items, % of the catalogue (log scale)", y=f"% of {tail.what}")
    ticks = [tick for tick in (0.001, 0.01, 0.1, 1, 10, 100) if tick >= 100 / tail.items]
    drawn.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g} %" for tick in ticks])
    return Chart(takeaway, drawn)


def _rare(tail: LongTail) -> Chart:
    never = float(tail.events.get(0, 0) / tail.items)
    takeaway = (
        f"{percent(tail.few_events_share)} of the items have fewer than {FEW} events, {percent(never)} none at all: "
        "only their content shows where they belong."
    )
    names, items = ranges(tail.events, EVENT_RANGES)
    drawn = figure([bars(names, items)], x="events of an item", y="items")
    drawn.update_xaxes(type="category", tickangle=None)
    return Chart(takeaway, drawn)
