"""Why an item is shown, as one sentence that a customer would understand; each is true of the data it is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.arrays import Rows
from contracts.events.schema import EventType
from contracts.features.engagements import NO_ENGAGEMENTS, UserEngagements
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS
from contracts.ranking.candidates import (
    BUYERS_COLUMN,
    CONTEXT,
    ENGAGED,
    NEIGHBOURS,
    POPULAR,
    REPEAT,
    RULE,
    TWO_TOWER,
    YEAR_COLUMN,
    ItemSide,
)
from contracts.ranking.related import Related

DEEDS: Final = {
    EventType.PURCHASE: ("buy {}", "bought {}"),
    EventType.LIKE: ("like {}", "liked {}"),
    EventType.CART_ADD: ("put {} in the cart", "put {} in the cart"),
    EventType.VIEW: ("look at {}", "looked at {}"),
}
"""What is done to an item, now and in the past, by the event that the models learn from."""


@dataclass(frozen=True)
class ReasonFacts:
    """What reasons are made from. Every row is a catalogue row."""

    items: ItemSide
    titles: Sequence[str]
    history: UserHistory
    now: float  # Unix seconds
    context: Rows
    companions: Mapping[int, Mapping[int, int]]  # row to its companions' rows, with the baskets that held both
    engagements: UserEngagements = NO_ENGAGEMENTS
    related: Related | None = None  # without it nothing is called similar
    target: EventType = EventType.PURCHASE  # what the models call a purchase

    def does(self, what: str = "") -> str:
        """What the user does to `what`."""
        return " ".join(DEEDS[self.target][0].format(what).split())

    def did(self, what: str = "") -> str:
        """What was done to `what`."""
        return " ".join(DEEDS[self.target][1].format(what).split())


def reason(row: int, sources: Sequence[str], rules: Sequence[str], known: ReasonFacts) -> str:
    """The nearest reason: what the user does with the item itself, then with others, then what everybody does."""
    makers = {
        REPEAT: _repeat(row, known),
        ENGAGED: _engaged(row, known),
        CONTEXT: _with(row, known.context, known, "which you are looking at"),
        NEIGHBOURS: _with(row, known.history.item_rows, known, f"which you {known.does()}"),
        TWO_TOWER: _with(row, known.history.item_rows, known, f"which you {known.does()}"),
        POPULAR: _popular(row, known),
        RULE: f"Chosen by the shop: {', '.join(rules)}." if rules else None,
    }
    sentences = [sentence for source, sentence in makers.items() if source in sources and sentence]
    return sentences[0] if sentences else _popular(row, known) or _by_others(known)


def _repeat(row: int, known: ReasonFacts) -> str | None:
    (at,) = np.nonzero(known.history.item_rows == row)
    if len(at) == 0:
        return None
    first, last, count = known.history.first[at[0]], known.history.last[at[0]], int(known.history.counts[at[0]])
    ago = _days((known.now - last) / DAY_SECONDS)
    gap_days = (last - first) / DAY_SECONDS / max(count - 1, 1)
    if count >= 3 and gap_days >= 1:
        return f"You {known.does('this')} about every {_every(gap_days)}, last {ago}."
    times = "once" if count == 1 else "twice" if count == 2 else f"{count} times"
    return f"You have {known.did('this')} {times}, last {ago}."


def _engaged(row: int, known: ReasonFacts) -> str | None:
    (at,) = np.nonzero(known.engagements.item_rows == row)
    if len(at) == 0:
        return None
    ago = _days((known.now - known.engagements.last[at[0]]) / DAY_SECONDS)
    return "You have this in your cart." if known.engagements.in_cart[at[0]] else f"You looked at this {ago}."


def _with(row: int, others: Rows, known: ReasonFacts, whose: str) -> str | None:
    """A reason by baskets that held both, if there are some, else by items nearer than random pairs."""
    if len(others) == 0:
        return None
    baskets = known.companions.get(row, {})
    together = [(baskets.get(int(other), 0), -place, int(other)) for place, other in enumerate(others)]
    most, _, companion = max(together)
    if most > 0:
        return f"{known.did().capitalize()} together with {known.titles[companion]}, {whose}."
    related = known.related
    nearest = None if related is None else related.most_similar(row, others, known.items.catalogue)
    return None if nearest is None else f"Similar to {known.titles[int(others[nearest])]}, {whose}."


def _popular(row: int, known: ReasonFacts) -> str | None:
    statistics = known.items.catalogue.statistics[row]
    for when, column, days in (("month", BUYERS_COLUMN, 28), ("year", YEAR_COLUMN, 365)):
        if buyers := int(statistics[column]):
            who = "1 customer" if buyers == 1 else f"{buyers:,} customers"
            return f"Popular this {when}: {who} {known.did('it')} in {days} days."
    return None


def _by_others(known: ReasonFacts) -> str:
    whose = "you and others have" if len(known.history) else "others have"
    return f"Chosen by what {whose} {known.did()}."


def _every(days: float) -> str:
    return "day" if round(days) == 1 else f"{round(days)} days"


def _days(days: float) -> str:
    whole = max(int(days), 0)
    return "today" if whole == 0 else "yesterday" if whole == 1 else f"{whole} days ago"
