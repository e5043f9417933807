"""Fresh events over a user's features: what the pipeline would compute from the log later, computed now.

The online store holds what the last materialize knew, and separately the user's recent events as they were posted.
Reading lays the second over the first, so no order of materializing and consuming can lose or double an event.
Exact: sequence, histories, recency, rhythm and everything counted up while nothing leaves a window. Not exact: what
leaves a window since the last materialize is still counted until the next one, and habits wait for it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.events.interactions import FreshEvent
from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.names import DAY_SECONDS, OVERDUE_LIMIT, WINDOWS_DAYS

MAX_RECENT_EVENTS: Final = names.MAX_RECENT_EVENTS
"""Kept per user in the online store; a user with more since the last materialize has the latest."""
QUARTER_SECONDS: Final = 900
ENGAGEMENT_WINDOWS: Final = {"user_views": EventType.VIEW.value, "user_cart_adds": EventType.CART_ADD.value}
"""Statistics by window and the event type that each counts."""

Features = dict[str, Any]


def encode_events(events: Sequence[FreshEvent]) -> str:
    """One string for the online store: Feast's cost is per value."""
    return json.dumps(events, separators=(",", ":"), ensure_ascii=False)


def decode_events(text: str | None) -> list[FreshEvent]:
    """The events that `encode_events` wrote; none for None."""
    return [FreshEvent(*fields) for fields in json.loads(text)] if text else []


def merged(kept: Sequence[FreshEvent], new: Iterable[FreshEvent]) -> list[FreshEvent]:
    """Both, each event once, oldest first: the same whatever is merged again or in another order."""
    by_id = {event.event_id: event for event in (*new, *kept)}
    return sorted(by_id.values(), key=lambda event: (event.seconds, event.event_id))


def apply_events(features: Mapping[str, Any], events: Sequence[FreshEvent], now: float) -> Features:
    """The features with the events that the pipeline has not seen.

    It has seen a user's events up to the latest of the sequence. now is Unix seconds; windows end there.
    """
    seen = max(_values(features, names.SEQUENCE_TIMESTAMPS), default=0)
    fresh = [event for event in events if event.seconds > seen and event.item_id is not None]
    year = now - max(WINDOWS_DAYS) * DAY_SECONDS
    purchases = [e for e in fresh if e.event_type == EventType.PURCHASE.value and e.seconds >= year]
    changed = dict(features)
    if fresh:
        changed |= _sequence(features, [event for event in fresh if event.event_type in names.SEQUENCE_TYPES])
        changed |= _engagements(features, [event for event in fresh if event.seconds >= year], now)
    if purchases:
        known = {item: at for at, item in enumerate(_values(features, names.HISTORY_ITEM_IDS))}
        changed |= _statistics(features, known, purchases, now) | _history(features, known, purchases, now)
    return changed


def _values(features: Mapping[str, Any], name: str) -> list[Any]:
    values = features.get(name)
    return list(values) if values is not None else []


def _number(features: Mapping[str, Any], name: str) -> float:
    return float(features.get(name) or 0.0)


def _sequence(features: Mapping[str, Any], events: Sequence[FreshEvent]) -> Features:
    """Latest first, ties by item and type, as the pipeline orders them; of older events, engagements stay."""
    ordered = sorted(events, key=lambda event: (-event.seconds, event.item_id or "", event.event_type))
    columns: dict[str, list[Any]] = {
        names.SEQUENCE_ITEM_IDS: [event.item_id for event in ordered],
        names.SEQUENCE_EVENT_TYPES: [event.event_type for event in ordered],
        names.SEQUENCE_TIMESTAMPS: [event.seconds for event in ordered],
    }
    joined = {name: new + _values(features, name) for name, new in columns.items()}
    older = enumerate(joined[names.SEQUENCE_EVENT_TYPES][names.SEQUENCE_LENGTH :], start=names.SEQUENCE_LENGTH)
    engagements = [at for at, kind in older if kind in names.ENGAGEMENT_TYPES_SET][
        : names.ENGAGEMENTS_LENGTH - names.SEQUENCE_LENGTH
    ]
    return {
        name: values[: names.SEQUENCE_LENGTH] + [values[at] for at in engagements] for name, values in joined.items()
    }


def _history(
    features: Mapping[str, Any], known: Mapping[str, int], purchases: Sequence[FreshEvent], now: float
) -> Features:
    """Rows of distinct items, latest first, ties by item. Rows that nothing touches are copied by the column."""
    columns = [_values(features, name) for name in names.HISTORY]
    touched: dict[str, list[Any]] = {}
    for event in purchases:
        item = event.item_id or ""
        if item not in touched:
            at = known.get(item)
            touched[item] = [item, 0, 0, 0, event.seconds, event.seconds] if at is None else [c[at] for c in columns]
        row, age = touched[item], now - event.seconds
        row[1] += 1
        row[2] += age <= 91 * DAY_SECONDS
        row[3] += age <= 28 * DAY_SECONDS
        row[4], row[5] = min(row[4], event.seconds), max(row[5], event.seconds)
    for at in sorted((known[item] for item in touched if item in known), reverse=True):
        for column in columns:
            del column[at]
    ordered = sorted(touched.values(), key=lambda row: (-row[5], row[0]))
    return {
        name: ([row[at] for row in ordered] + columns[at])[: names.HISTORY_LENGTH]
        for at, name in enumerate(names.HISTORY)
    }


def _engagements(features: Mapping[str, Any], events: Sequence[FreshEvent], now: float) -> Features:
    """Windows of ENGAGEMENT_WINDOWS counted up, of those types that there are."""
    changed: Features = {}
    for prefix, kind in ENGAGEMENT_WINDOWS.items():
        ages = [now - event.seconds for event in events if event.event_type == kind]
        for days in WINDOWS_DAYS if ages else ():
            name = f"{prefix}_{days}d"
            changed[name] = _number(features, name) + sum(age <= days * DAY_SECONDS for age in ages)
    return changed


@dataclass
class _Part:
    """Purchase lines of one basket within a quarter hour, as the pipeline groups them."""

    seconds: int  # of the first line
    begins: bool = False  # the basket counts here
    lines: int = 0
    spend: float = 0.0
    discounted: int = 0


def _parts(purchases: Sequence[FreshEvent]) -> list[_Part]:
    """Without a basket id, what is bought within a quarter hour is a basket."""
    parts: dict[tuple[str, int], _Part] = {}
    first: dict[str, _Part] = {}
    for event in sorted(purchases, key=lambda event: event.seconds):
        quarter = event.seconds // QUARTER_SECONDS
        basket = event.basket_id if event.basket_id is not None else str(quarter)
        part = parts.setdefault((basket, quarter), _Part(event.seconds))
        part.begins = first.setdefault(basket, part) is part
        part.lines += 1
        part.spend += (event.price or 0.0) * event.quantity
        part.discounted += (event.discount or 0.0) > 0
    return list(parts.values())


def _statistics(
    features: Mapping[str, Any], known: Mapping[str, int], purchases: Sequence[FreshEvent], now: float
) -> Features:
    """Statistics counted up; one that has no rule here keeps the value of the last materialize."""
    parts = _parts(purchases)
    changed = _windows(features, parts, now)
    lines_before, baskets_before = (_number(features, f"user_{what}_365d") for what in ("purchases", "baskets"))
    lines = lines_before + sum(part.lines for part in parts)
    begun = [part.seconds for part in parts if part.begins]
    first = min([*_values(features, names.HISTORY_FIRST_TIMESTAMPS), *begun])
    discounted = _number(features, "user_discount_share_365d") * lines_before
    discounted += sum(part.discounted for part in parts)
    count = baskets_before + len(begun)
    days_since_last = max(now - max(part.seconds for part in parts), 0.0) / DAY_SECONDS
    gap_days = (max(begun) - first) / DAY_SECONDS / max(count - 1, 1)
    new_items = {event.item_id for event in purchases} - known.keys()
    rules = {
        "user_items_365d": _number(features, "user_items_365d") + len(new_items),
        "user_discount_share_365d": discounted / lines,
        "user_basket_lines_365d": lines / count,
        "user_days_since_last": days_since_last,
        "user_basket_gap_days": gap_days,
        "user_overdue_ratio": min(days_since_last / max(gap_days, 1.0), OVERDUE_LIMIT) if count > 1 else 0.0,
    }
    return changed | rules


def _windows(features: Mapping[str, Any], parts: Sequence[_Part], now: float) -> Features:
    counted: dict[str, Callable[[_Part], float]] = {
        "user_purchases": lambda part: part.lines,
        "user_baskets": lambda part: part.begins,
        "user_spend": lambda part: part.spend,
    }
    changed: Features = {}
    for days in WINDOWS_DAYS:
        within = [part for part in parts if now - part.seconds <= days * DAY_SECONDS]
        for prefix, value in counted.items():
            name = f"{prefix}_{days}d"
            changed[name] = _number(features, name) + sum(map(value, within))
    return changed
