"""Fresh events over a user's features: what the pipeline would compute from the log later, computed now.

The online store holds what the last materialize knew, and beside it the user's recent events as they were posted.
Reading lays the second over the first, so no order of materializing and consuming can lose or double an event.
Exact: sequence, histories, recency, rhythm and everything counted up while nothing leaves a window. Not exact: what
leaves a window since the last materialize is still counted until the next one.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts import features as names
from contracts.events import EventType
from contracts.features import WINDOWS_DAYS
from contracts.interactions import FreshEvent

MAX_RECENT_EVENTS: Final = 200
"""Kept per user in the online store; a user with more since the last materialize has the latest."""
DAY_SECONDS: Final = 86_400
SEQUENCE_TYPES: Final = (EventType.PURCHASE.value,)

Features = dict[str, Any]


def encode_events(events: Sequence[FreshEvent]) -> str:
    """One string for the online store: Feast's cost is per value."""
    return json.dumps(events, separators=(",", ":"), ensure_ascii=False)


def decode_events(text: str | None) -> list[FreshEvent]:
    """What `encode_events` wrote; None is no event."""
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
        changed |= _sequence(features, [event for event in fresh if event.event_type in SEQUENCE_TYPES])
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
    """Latest first, ties by item, as the pipeline orders them."""
    ordered = sorted(events, key=lambda event: (-event.seconds, event.item_id or ""))
    columns: dict[str, list[Any]] = {
        names.SEQUENCE_ITEM_IDS: [event.item_id for event in ordered],
        names.SEQUENCE_TIMESTAMPS: [event.seconds for event in ordered],
    }
    return {name: (new + _values(features, name))[: names.SEQUENCE_LENGTH] for name, new in columns.items()}


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


@dataclass
class _Basket:
    """Purchase lines that belong together, as the pipeline groups them."""

    seconds: int  # of the first line
    lines: int = 0
    spend: float = 0.0
    discounted: int = 0


def _baskets(purchases: Sequence[FreshEvent]) -> list[_Basket]:
    baskets: dict[str | None, _Basket] = {}
    for event in purchases:
        basket = baskets.setdefault(event.basket_id, _Basket(event.seconds))
        basket.seconds = min(basket.seconds, event.seconds)
        basket.lines += 1
        basket.spend += (event.price or 0.0) * event.quantity
        basket.discounted += (event.discount or 0.0) > 0
    return list(baskets.values())


def _statistics(
    features: Mapping[str, Any], known: Mapping[str, int], purchases: Sequence[FreshEvent], now: float
) -> Features:
    """Statistics counted up; one that has no rule here keeps the value of the last materialize."""
    baskets = _baskets(purchases)
    changed = _windows(features, baskets, now)
    lines_before, baskets_before = (_number(features, f"user_{what}_365d") for what in ("purchases", "baskets"))
    lines = sum(basket.lines for basket in baskets)
    first = min([*_values(features, names.HISTORY_FIRST_TIMESTAMPS), *(basket.seconds for basket in baskets)])
    last = max(basket.seconds for basket in baskets)
    discounted = _number(features, "user_discount_share_365d") * lines_before
    discounted += sum(basket.discounted for basket in baskets)
    count = baskets_before + len(baskets)
    new_items = {event.item_id for event in purchases} - known.keys()
    rules = {
        "user_items_365d": _number(features, "user_items_365d") + len(new_items),
        "user_discount_share_365d": discounted / (lines_before + lines),
        "user_days_since_last": max(now - last, 0.0) / DAY_SECONDS,
        "user_basket_gap_days": (last - first) / DAY_SECONDS / max(count - 1, 1),
    }
    return changed | rules


def _windows(features: Mapping[str, Any], baskets: Sequence[_Basket], now: float) -> Features:
    counted: dict[str, Callable[[_Basket], float]] = {
        "user_purchases": lambda basket: basket.lines,
        "user_baskets": lambda basket: 1,
        "user_spend": lambda basket: basket.spend,
    }
    changed: Features = {}
    for days in WINDOWS_DAYS:
        within = [basket for basket in baskets if now - basket.seconds <= days * DAY_SECONDS]
        for prefix, value in counted.items():
            name = f"{prefix}_{days}d"
            changed[name] = _number(features, name) + sum(map(value, within))
    return changed
