"""What is bought in one go: how many items, and for how much."""

from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from training.data_report.binning import quantile, up_to
from training.data_report.event_log import EventLog
from training.data_report.words import money, number, percent
from training.pages.figures import bars, figure
from training.pages.section import NO_PURCHASES, Chart, Section

BARS = 40
ROUND_WIDTHS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class BasketValues:
    """Baskets of which a price is known."""

    median: float
    mean: float
    top_tenth_share: float  # of all money, in the tenth of the baskets that are worth most
    width: float  # of a bar
    bars: pd.Series  # index number of a bar, baskets in it; the last bar holds everything above


@dataclass(frozen=True)
class Baskets:
    """Every basket once."""

    sizes: pd.Series  # index different items in a basket, how many baskets
    values: BasketValues | None  # None where the source knows no prices

    @property
    def count(self) -> int:
        """How many baskets there are."""
        return int(self.sizes.sum())


def measure_baskets(log: EventLog) -> Baskets:
    """A basket is a user's purchase lines of one basket id."""
    baskets = log.purchases.group_by("user_id", "basket").agg(items=_.item_id.nunique(), value=_.paid.sum())
    sizes = baskets.group_by("items").agg(baskets=_.count()).execute().set_index("items")["baskets"].sort_index()
    return Baskets(sizes=sizes, values=_measure_values(baskets.filter(_.value.notnull())))


def _measure_values(priced: ibis.Table) -> BasketValues | None:
    cuts = {f"q{share}": priced.value.quantile(share / 100) for share in (50, 90, 97)}
    found = priced.agg(total=_.value.sum(), mean=_.value.mean(), **cuts).execute().iloc[0]
    if pd.isna(found["total"]) or found["total"] <= 0:
        return None
    width = next((width for width in ROUND_WIDTHS if width * BARS >= found["q97"]), found["q97"] / BARS)
    bar = ibis.least((_.value / width).floor(), BARS).cast("int64")
    counts = priced.mutate(bar=bar).group_by("bar").agg(baskets=_.count()).execute().set_index("bar")["baskets"]
    top = priced.filter(_.value >= float(found["q90"])).value.sum().execute()
    return BasketValues(
        median=float(found["q50"]),
        mean=float(found["mean"]),
        top_tenth_share=float(top / found["total"]),
        width=float(width),
        bars=counts.reindex(range(int(counts.index.max()) + 1), fill_value=0),
    )


def size_section(baskets: Baskets | None, sessions: Chart | None) -> Section:
    """Sizes of baskets, and of sessions where the source records more than purchases."""
    charts = [*([_sizes(baskets)] if baskets else []), *([sessions] if sessions else [])]
    notes = [
        "A basket is one order: the lines of a user that share a basket id. A size counts different items.",
        "A session ends when a user does nothing for half an hour.",
    ]
    said = [note for note, shown in zip(notes, (baskets, sessions), strict=True) if shown]
    return Section("Sessions and baskets", charts=charts, note=" ".join(said))


def _sizes(baskets: Baskets) -> Chart:
    median = quantile(baskets.sizes, 0.5)
    single = percent(float(baskets.sizes.get(1, 0)) / baskets.count)
    takeaway = (
        f"Half of the {number(baskets.count)} baskets hold at most {median} different items; {single} hold just one."
        if median > 1
        else f"{single} of the {number(baskets.count)} baskets hold just one item."
    )
    names, values = up_to(baskets.sizes, last=min(30, max(quantile(baskets.sizes, 0.95), 5)))
    drawn = figure([bars(names, values)], x="different items in a basket", y="baskets")
    drawn.update_xaxes(type="category", tickmode="auto", nticks=12)
    return Chart(takeaway, drawn)


def value_section(baskets: Baskets | None) -> Section:
    """What baskets are worth."""
    title = "Basket value"
    if baskets is None:
        return Section(title, note=NO_PURCHASES)
    values = baskets.values
    if values is None:
        return Section(title, note="This source knows no prices, so baskets have no value.")
    takeaway = (
        f"Half of the baskets are worth at most {money(values.median)}, the mean is {money(values.mean)}; "
        f"the most valuable tenth brings {percent(values.top_tenth_share)} of the money."
    )
    starts = [bar * values.width + values.width / 2 for bar in values.bars.index]
    hover = "around %{x:,.2f}: %{y:,} baskets<extra></extra>"
    drawn = figure([bars(starts, values.bars, hovertemplate=hover)], x="value of a basket", y="baskets", bargap=0.05)
    note = "Units times the price paid, in the currency of the source."
    if values.bars.index.max() == BARS:
        note += f" The last bar holds every basket from {money(BARS * values.width)} up."
    return Section(title, charts=[Chart(takeaway, drawn)], note=note)
