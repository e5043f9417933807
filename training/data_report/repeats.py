"""Who comes back, and after how many days the same item is bought again."""

from dataclasses import dataclass

import pandas as pd
from ibis import _

from training.data_report.binning import quantile, ranges
from training.data_report.event_log import EventLog
from training.data_report.words import counted, number, percent
from training.pages.figures import bars, figure
from training.pages.section import NO_PURCHASES, Chart, Section

BASKET_RANGES = (1, 2, 3, 6, 11, 21, 51, 101, 201, 501)
CLEAR = 30  # reorders after the most frequent gap, below which it is chance


@dataclass(frozen=True)
class Repeats:
    """Users by number of baskets; gaps between two days on which a user bought the same item."""

    baskets_per_user: pd.Series  # index baskets, how many users
    gaps: pd.Series  # index days from 1, how often
    repeat_lines: int  # purchase lines of an item that the user had bought on an earlier day
    lines: int

    @property
    def rate(self) -> float:
        """Share of the buyers with at least two baskets."""
        return float(self.baskets_per_user[self.baskets_per_user.index > 1].sum() / self.baskets_per_user.sum())

    @property
    def line_share(self) -> float:
        """Share of purchase lines that repeat an earlier day's."""
        return self.repeat_lines / self.lines


def measure_repeats(log: EventLog) -> Repeats:
    """Days are the shop's: two lines of one day are no reorder."""
    purchases = log.purchases
    users = purchases.group_by("user_id").agg(baskets=_.basket.nunique())
    days = purchases.group_by("user_id", "item_id", "local_day").agg(lines=_.count())
    gap = _.local_day - _.local_day.lag().over(group_by=["user_id", "item_id"], order_by="local_day")
    gaps = days.mutate(gap=gap).group_by("gap").agg(times=_.count(), lines=_.lines.sum()).execute()
    again = gaps[gaps["gap"].notna()]
    return Repeats(
        baskets_per_user=users.group_by("baskets").agg(users=_.count()).execute().set_index("baskets")["users"],
        gaps=again.astype({"gap": "int64"}).set_index("gap")["times"].sort_index(),
        repeat_lines=int(again["lines"].sum()),
        lines=log.lines,
    )


def repeat_section(repeats: Repeats | None) -> Section:
    """Users by how often they bought."""
    if repeats is None:
        return Section("Repeat rate", note=NO_PURCHASES)
    takeaway = (
        f"{percent(repeats.rate)} of the {number(repeats.baskets_per_user.sum())} buyers came back for a second "
        f"basket; {percent(repeats.line_share)} of all purchase lines repeat an item that the user had bought before."
    )
    names, users = ranges(repeats.baskets_per_user, BASKET_RANGES)
    drawn = figure([bars(names, users)], x="baskets of a user", y="users")
    drawn.update_xaxes(type="category", tickangle=None)
    return Section("Repeat rate", charts=[Chart(takeaway, drawn)], note="“Before” means on an earlier day.")


def gap_section(repeats: Repeats | None) -> Section:
    """Days from one purchase of an item to the next."""
    title = "Reorder gaps"
    if repeats is None:
        return Section(title, note=NO_PURCHASES)
    if repeats.gaps.empty:
        return Section(title, note="No user bought the same item on two days.")
    total, gaps = repeats.gaps.sum(), repeats.gaps
    favourite = int(gaps.index[int(gaps.to_numpy().argmax())])
    takeaway = f"Half of the {number(total)} reorders come within {counted(quantile(gaps, 0.5), 'day')}"
    if gaps[favourite] >= CLEAR:
        takeaway += (
            f"; the most frequent gap is {counted(favourite, 'day')} ({percent(gaps[favourite] / total)} of all)"
        )
    last = min(max(quantile(gaps, 0.9), 14), 120)
    drawn = figure([bars(range(1, last + 1), [gaps.get(day, 0) for day in range(1, last + 1)])], x="days", y="reorders")
    drawn.update_xaxes(tick0=0, dtick=7 if last <= 63 else 14)
    beyond = percent(float(gaps[gaps.index > last].sum() / total))
    return Section(
        title,
        charts=[Chart(takeaway + ".", drawn)],
        note=f"Days between two days on which a user bought the same item. {beyond} of the gaps are longer than drawn, "
        "and gaps that are still open are not in the log.",
    )
