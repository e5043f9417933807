"""Recency, frequency and money of each buyer, and the segments that their fifths make."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ibis import _

from training.data_report.event_log import EventLog
from training.data_report.words import counted, money, number, percent
from training.pages.figures import SECOND, figure, lying_bars
from training.pages.section import Chart, Group

# The first rule that holds names the segment; r, f, m are fifths, 5 the best.
MEANING = {
    "Champions": "buy often, much and lately (best two fifths in all three)",
    "Loyal": "buy often and are still here",
    "At risk": "used to buy often, but have been away longer than most",
    "Light": "were here lately, but do not buy often",
    "Lapsed": "bought rarely and have been away longer than most",
    "Steady": "are in the middle",
}


@dataclass(frozen=True)
class Buyers:
    """One row a buyer: recency_days, frequency (baskets), money."""

    table: pd.DataFrame
    has_prices: bool  # else money counts purchase lines

    def amount(self, value: float) -> str:
        """Money in words."""
        return f"has spent {money(value)}" if self.has_prices else f"has bought {number(value)} lines"

    @property
    def whole(self) -> str:
        """What money sums up to."""
        return "the spend" if self.has_prices else "the purchase lines"


def measure_buyers(log: EventLog) -> Buyers:
    """Recency counts from the last day of the log."""
    table = log.purchases.group_by("user_id").agg(
        last=_.local_day.max(), frequency=_.basket.nunique(), money=_.paid.sum(), lines=_.count()
    )
    buyers = table.execute().sort_values("user_id", ignore_index=True)
    has_prices = bool(buyers["money"].fillna(0).sum() > 0)
    return Buyers(
        pd.DataFrame(
            {
                "recency_days": log.last_day - buyers["last"],
                "frequency": buyers["frequency"],
                "money": buyers["money"].fillna(0.0) if has_prices else buyers["lines"].astype("float64"),
            }
        ),
        has_prices,
    )


def fifths(values: pd.Series) -> pd.Series:
    """1 to 5, the largest values 5; equal values share one."""
    return pd.Series(np.ceil(5 * values.rank(pct=True).to_numpy()), index=values.index, dtype="int64")


def segment_names(table: pd.DataFrame) -> pd.Series:
    """The segment of each buyer."""
    r, f, m = fifths(-table["recency_days"]), fifths(table["frequency"]), fifths(table["money"])
    rules = [(r >= 4) & (f >= 4) & (m >= 4), (f >= 4) & (r >= 3), (f >= 3) & (r <= 2), (f <= 2) & (r >= 4), r <= 2]
    named = [name for name in MEANING if name != "Steady"]
    return pd.Series(np.select(rules, named, default="Steady"), index=table.index)


def describe(buyers: Buyers, labels: pd.Series, meaning: dict[str, str]) -> list[Group]:
    """One group a label, most money first, with what its typical (median) member does."""
    groups = []
    for label, share in money_shares(buyers, labels).items():
        rows = buyers.table[labels == label]
        typical = rows.median()
        groups.append(
            Group(
                name=str(label),
                description=f"{counted(len(rows), 'user')} ({percent(len(rows) / len(labels))}) {meaning[str(label)]}. "
                f"They bring {percent(share)} of {buyers.whole}. A typical one has "
                f"{counted(typical['frequency'], 'basket')}, {buyers.amount(typical['money'])} and last bought "
                f"{counted(typical['recency_days'], 'day')} before the end of the log.",
            )
        )
    return groups


def money_shares(buyers: Buyers, labels: pd.Series) -> dict[str, float]:
    """Share of all money by label, largest first."""
    sums = buyers.table["money"].groupby(labels).sum().sort_values(ascending=False, kind="stable")
    return {str(label): float(value) for label, value in (sums / max(sums.sum(), 1e-9)).items()}


def segment_chart(buyers: Buyers, labels: pd.Series) -> Chart:
    """Each segment's share of users and share of money."""
    shares = money_shares(buyers, labels)
    users = labels.value_counts(normalize=True)
    best = next(iter(shares))
    takeaway = (
        f"“{best}”, {percent(float(users[best]))} of the buyers, bring {percent(shares[best])} of {buyers.whole}."
    )
    hover = "%{y}: %{x:.1f} %"
    traces = [
        lying_bars(list(shares), [100 * users[name] for name in shares], "of the users", SECOND, hovertemplate=hover),
        lying_bars(list(shares), [100 * share for share in shares.values()], f"of {buyers.whole}", hovertemplate=hover),
    ]
    drawn = figure(traces, x="%", barmode="group", legend_traceorder="normal")
    drawn.update_yaxes(autorange="reversed")
    return Chart(takeaway, drawn)
