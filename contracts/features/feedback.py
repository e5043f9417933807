"""What a user does not want to see: hidden for good, or of no interest for a while.

It lies with the user's recent events in the online store, so that one read has it, and unlike them it is never crowded
out. Models do not read it: it filters, the same way in an answer and in lists that are made for all users at once.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.events.interactions import FreshEvent
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS

FEEDBACK_TYPES: Final = frozenset({EventType.HIDE.value, EventType.NOT_INTERESTED.value, EventType.UNHIDE.value})
NOT_INTERESTED_DAYS: Final = 28.0
"""How long an item is out of the lists of a user who is not interested in it, unless a setting says otherwise."""
MAX_HIDDEN: Final = 1000
"""Items of one user; the ones that were hidden last stay."""


def latest_feedback(events: Iterable[FreshEvent]) -> list[FreshEvent]:
    """The last event of FEEDBACK_TYPES of each item, oldest first, at most MAX_HIDDEN.

    Nothing is left of an item that was hidden and shown again.
    """
    latest: dict[str | None, FreshEvent] = {}
    for event in sorted(events, key=lambda event: (event.seconds, event.event_id)):
        if event.event_type in FEEDBACK_TYPES:
            latest.pop(event.item_id, None)
            latest[event.item_id] = event
    return list(latest.values())[-MAX_HIDDEN:]


def bounded(events: Sequence[FreshEvent], most: int) -> list[FreshEvent]:
    """The latest events, `most` of them, and in addition the latest feedback, in their given order."""
    others = [event for event in events if event.event_type not in FEEDBACK_TYPES]
    kept = {event.event_id for event in (*others[-most:], *latest_feedback(events))}
    return [event for event in events if event.event_id in kept]


def hidden_items(
    events: Iterable[FreshEvent], now: float, not_interested_days: float = NOT_INTERESTED_DAYS
) -> dict[str, float | None]:
    """Until when (Unix seconds) each item is out of the user's lists; None for good. now is Unix seconds."""
    hidden: dict[str, float | None] = {}
    for event in latest_feedback(events):
        if event.item_id is None or event.event_type == EventType.UNHIDE.value:
            continue
        until = None
        if event.event_type == EventType.NOT_INTERESTED.value:
            until = event.seconds + not_interested_days * DAY_SECONDS
        if until is None or until > now:
            hidden[event.item_id] = until
    return hidden
