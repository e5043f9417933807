"""From looking to buying, for each user and item."""

from dataclasses import dataclass
from itertools import pairwise

import ibis
from ibis import _

from contracts.events.schema import EventType
from training.data_report.event_log import EventLog
from training.data_report.words import number, percent
from training.pages.figures import event_colour, figure, funnel
from training.pages.section import Chart, Section

FUNNEL = (EventType.VIEW.value, EventType.CART_ADD.value, EventType.PURCHASE.value)
WORDS = {FUNNEL[0]: "viewed", FUNNEL[1]: "put into the cart", FUNNEL[2]: "bought"}


@dataclass(frozen=True)
class Funnel:
    """Pairs of user and item by step; pairs[i] went through steps[0 … i] in this order."""

    steps: tuple[str, ...]
    pairs: tuple[int, ...]
    bought: int  # pairs with a purchase, whatever came before it
    bought_unseen: int  # of these, without the first step before it


def measure_funnel(log: EventLog) -> Funnel | None:
    """None where fewer than two of the steps are recorded."""
    steps = tuple(step for step in FUNNEL if step in log.event_counts)
    if len(steps) < 2:
        return None
    events = log.events.filter(_.event_type.isin(steps) & _.item_id.notnull())
    ends = {f"{edge}_{step}": _edge(step, edge) for step in steps for edge in ("first", "last")}
    pairs = events.group_by("user_id", "item_id").agg(**ends)
    reached = _[f"first_{steps[0]}"].notnull()
    counts = {"reached_0": _sum(reached)}
    for position, (before, step) in enumerate(pairwise(steps), start=1):
        reached = reached & (_[f"last_{step}"] >= _[f"first_{before}"])
        counts[f"reached_{position}"] = _sum(reached)
    bought, seen = _[f"last_{steps[-1]}"], _[f"first_{steps[0]}"]
    unseen = _sum(bought.notnull() & (seen.isnull() | (seen > bought)))
    found = pairs.agg(**counts, bought=_sum(bought.notnull()), unseen=unseen).execute().iloc[0]
    return Funnel(
        steps=steps,
        pairs=tuple(int(found[f"reached_{position}"]) for position in range(len(steps))),
        bought=int(found["bought"]),
        bought_unseen=int(found["unseen"]),
    )


def _edge(step: str, edge: str) -> ibis.Deferred:
    moment = ibis.cases((_.event_type == step, _.seconds))
    return moment.min() if edge == "first" else moment.max()


def _sum(condition: ibis.Deferred) -> ibis.Deferred:
    return condition.fill_null(False).cast("int64").sum()


def funnel_section(measured: Funnel | None, log: EventLog) -> Section:
    """Steps and what is lost between them, or why there is no funnel."""
    if measured is None:
        return Section("Funnel", note=_why_none(log))
    last = WORDS[measured.steps[-1]]
    takeaway = (
        f"Of {number(measured.pairs[0])} times that a user {WORDS[measured.steps[0]]} an item, "
        f"{_percent(measured.pairs[-1], measured.pairs[0])} went the whole way to “{last}”; "
        f"{_percent(measured.bought_unseen, measured.bought)} of what was {last} came without the first step."
    )
    names = [WORDS[step] for step in measured.steps]
    drawn = figure([funnel(names, measured.pairs, [event_colour(step) for step in measured.steps])], height=260)
    drawn.update_yaxes(showgrid=False)
    return Section(
        "Funnel",
        charts=[Chart(takeaway, drawn)],
        note="Counted once for each user and item. A step counts when it came after the step before it.",
    )


def _percent(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "none"


def _why_none(log: EventLog) -> str:
    present = [step for step in FUNNEL if step in log.event_counts]
    if present == [EventType.PURCHASE.value]:
        return (
            "This source records purchases only: there are no views or carts, so there is no way to a purchase to show."
        )
    recorded = f"of its steps only “{WORDS[present[0]]}”" if present else "none of its steps"
    return f"A funnel needs at least two of views, carts and purchases; this source records {recorded}."
