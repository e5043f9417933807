"""Which event the models learn to predict; the pipeline calls it a purchase from here on."""

from collections.abc import Mapping
from typing import Final

import ibis

from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import EventType

TARGETS: Final = (EventType.PURCHASE, EventType.LIKE, EventType.CART_ADD, EventType.VIEW)
"""What is done to one item and says something for it."""
FEWEST: Final = 2
"""Users, and items, that must have the target: with one of either there is nothing to choose among."""


def in_role(events: ibis.Table, target: EventType) -> ibis.Table:
    """The events with the target as PURCHASE.

    Where it is another event, a purchase becomes the most telling of the rest: a cart add.

    Raises InvalidInput for an event that cannot be one.
    """
    if target not in TARGETS:
        raise InvalidInput(f"features.target is {target.value!r}, expected one of {', '.join(TARGETS)}.")
    if target is EventType.PURCHASE:
        return events
    roles = {target.value: EventType.PURCHASE.value, EventType.PURCHASE.value: EventType.CART_ADD.value}
    return events.mutate(event_type=events.event_type.substitute(roles))


def require_target(counts: Mapping[str, int], target: EventType) -> None:
    """Raises DataRejected where the log has none of the target; counts are events by type."""
    if counts.get(target.value):
        return
    others = [kind.value for kind in TARGETS if counts.get(kind.value)]
    none = f" None of these can stand for it, as {', '.join(TARGETS[1:])} could."
    way = f" Say which other event is meant: `target: {others[0]}` under features in params.yaml." if others else none
    there = ", ".join(f"{rows:,} {kind}" for kind, rows in sorted(counts.items()))
    raise DataRejected(f"The log has no {target.value}, which models would learn from; it has {there}.{way}")


def require_enough(found: Mapping[str, int], target: EventType) -> None:
    """Raises DataRejected naming what the windows of the timeline lack.

    found: users and items with the target before the cutoff, and the events of each window.
    """
    what = target.value.replace("_", " ")
    for name in ("users", "items"):
        if found[name] < FEWEST:
            raise DataRejected(
                f"Too few {name} have a {what} before the test window: {found[name]}. At least {FEWEST} "
                "are needed to learn who wants what."
            )
    windows = {
        "test": "in the test window (features.test_days), by which lists are judged",
        "ranker": "in the label windows (features.ranker_windows), from which the ranker learns",
        "towers": "in the weeks before those (features.two_tower_weeks), from which the towers learn",
    }
    for name, where in windows.items():
        if not found[name]:
            raise DataRejected(
                f"There is no {what} {where}. Does the log end with a stray date, or have a gap there? Choose the days "
                "and weeks under features in params.yaml to fit it."
            )
