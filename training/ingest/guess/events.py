"""What a file's events are, as lines of its mapping: which type each is, and what its returns do."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from training.ingest.adapters.event_names import EVENT_NAMES
from training.ingest.adapters.source import IGNORE, RETURN
from training.ingest.guess.sample import UNSURE, Sample, quoted
from training.ingest.guess.words import words_in

UNDONE: Final = (
    (r"fail|declin|void|pending|abandon|test|error", IGNORE),
    (r"refund|return|cancel|storno|charge_?back|reversal", RETURN),
)
MEANINGS: Final = (
    *UNDONE,
    (r"(remove|delete).*(cart|basket|bag)", "cart_remove"),
    (r"(add|put).*(cart|basket|bag)|^(cart|basket)$", "cart_add"),
    (r"purchas|bought|buy|order|sale|sold|charge|paid|payment|transaction|complet", "purchase"),
    (r"like|favo|wish|heart|upvote", "like"),
    (r"search|query", "search"),
    (r"session_?start|login|visit|page_?view", "visit"),
    (r"view|click|look|detail|impression|play|open|listen|watch|read", "view"),
)
"""What the names of events most often mean, the surest first."""
SHOWN_EVENTS, FEW = 50, 12
STATES: Final = ("status", "state")
RATINGS: Final = frozenset({"rating", "ratings", "stars", "score", "overall", "bewertung", "note"})
GOOD, MARKS = 0.8, 21
"""Ratings of at least this share of the best are likes: 4 of 5. A column of more different values has none."""


def meaning(name: str, meanings: Sequence[tuple[str, str]] = MEANINGS, other: str = IGNORE) -> str:
    """Our event type that the name most likely means; `other` where it is like none."""
    plain = re.sub(r"[\W]+", "_", name.strip().lower())
    return next((kind for pattern, kind in meanings if re.search(pattern, plain)), other)


def event_type_lines(values: Sequence[Any]) -> Iterator[str]:
    """A line for each name that is not understood by itself."""
    if own := _own(values):
        yield "event_types:"
        yield from (
            f"  {quoted(value)}: {meaning(value)}  {UNSURE}which event is it? `{IGNORE}` leaves it out" for value in own
        )


def returns_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """What returns do, where units are negative or an event is one."""
    column = found.get("quantity")
    if column is not None and any(str(value).strip().startswith("-") for value in one.values(column)):
        named = quoted(column)
        yield f"returns: cancel  {UNSURE}{named} has negative numbers: returns? `ignore` leaves them out"
    elif "event_type" in found and RETURN in map(meaning, _own(one.values(found["event_type"]))):
        yield f"returns: cancel  {UNSURE}takes returned units off what was bought; `ignore` leaves them out"


def state_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """A line for a column of states that says of some rows that nothing was bought."""
    for column in one.columns:
        values = [str(value) for value in one.values(column)]
        words = words_in(column)
        if "event_type" in found or not words or words[-1] not in STATES or not 1 < len(values) <= FEW:
            continue
        kinds = {value: meaning(value, UNDONE, "purchase") for value in values}
        if lost := [value for value, kind in kinds.items() if kind != "purchase"]:
            named = quoted(column)
            types = ", ".join(f"{quoted(value)}: {_kept(kind)}" for value, kind in kinds.items())
            yield (
                f"  {UNSURE}{named} is {', '.join(values)}. Are rows with {lost[0]} purchases? If not, say "
                f"`event_type: {named}`, and `event_types: {{{types}}}`"
            )


def rating_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """A line for a column of ratings: a film that somebody disliked is nothing to recommend more of."""
    for column in one.columns:
        values = [str(value) for value in one.values(column)]
        marks = sorted(values, key=_mark)
        if "event_type" in found or not RATINGS.intersection(words_in(column)) or not 1 < len(values) <= MARKS:
            continue
        if _mark(marks[0]) < 0:
            continue
        good = GOOD * _mark(marks[-1])
        types = ", ".join(f"{quoted(mark)}: {'like' if _mark(mark) >= good else IGNORE}" for mark in marks)
        yield (
            f"  {UNSURE}{quoted(column)} is {marks[0]} to {marks[-1]}: is every row a purchase? To learn from the good "
            f"ones say `event_type: {quoted(column)}`, `event_types: {{{types}}}`, and in params.yaml "
            "`features: {target: like}`"
        )


def _mark(text: str) -> float:
    """A rating; less than nothing for a text that is none."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1.0


def _kept(kind: str) -> str:
    """An order that is cancelled is left out; what a return takes back is a row of its own."""
    return IGNORE if kind == RETURN else kind


def _own(values: Sequence[Any]) -> list[str]:
    return [str(value) for value in values[:SHOWN_EVENTS] if str(value).strip().lower() not in EVENT_NAMES]
