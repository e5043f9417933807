"""Users as if nobody had met them: what models must have seen to answer a profile, a first basket or a page.

Models that have learned from users with hundreds of purchases alone do not list staples to somebody with one basket.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from contracts import encoding
from contracts import features as names
from contracts.candidates import PRICE_COLUMN
from contracts.events import EventType
from contracts.freshness import apply_events
from contracts.interactions import FreshEvent
from contracts.looks import NO_LOOKS
from contracts.ranking import Floats, Rows, UserHistory, user_history
from contracts.vocabulary import Vocabulary
from training.dataset import Moment

PROFILE: Final = "profile"
BASKET: Final = "basket"
PAGE: Final = "page"
KINDS: Final = (PROFILE, BASKET, PAGE)
"""What is known beside the profile: nothing, the latest basket as posted events, or its items as a page's context."""


def strangers(moment: Moment, items: Vocabulary, share: float) -> Moment:
    """Copies of about a share of the moment's users, known in turn as each of KINDS and with the id of nobody."""
    rows = np.arange(0, len(moment.user_ids), max(round(1 / share), 1))
    kinds = [KINDS[at % len(KINDS)] for at in range(len(rows))]
    prices = moment.item_statistics[:, PRICE_COLUMN]
    baskets = [_latest_basket(moment.histories[row]) for row in rows]
    known = [
        _features(basket if kind == BASKET else basket[:0], last, items, prices, moment.seconds)
        for kind, (basket, last) in zip(kinds, baskets, strict=True)
    ]
    sequence = np.zeros((len(rows), names.SEQUENCE_LENGTH), np.int32)
    for at, (kind, (basket, _last)) in enumerate(zip(kinds, baskets, strict=True)):
        seen = basket[: names.SEQUENCE_LENGTH] if kind != PROFILE else basket[:0]
        sequence[at, : len(seen)] = seen + 1
    bought = encoding.type_codes([EventType.PURCHASE.value])[0]
    queries = {name: values[rows] for name, values in moment.queries.items()}
    queries |= {
        encoding.USER: np.zeros(len(rows), np.int32),
        encoding.STATISTICS: _statistics(known),
        encoding.SEQUENCE: sequence,
        encoding.SEQUENCE_TYPES: np.where(sequence > 0, bought, 0).astype(np.int32),
        encoding.SEQUENCE_DAYS: np.zeros(sequence.shape, np.float32),
    }
    return replace(
        moment,
        user_ids=tuple(moment.user_ids[row] for row in rows),
        queries=queries,
        histories=tuple(user_history({name: one[name] for name in names.HISTORY}, items) for one in known),
        looks=tuple(moment.looks[row] and NO_LOOKS for row in rows),
    )


def _latest_basket(history: UserHistory) -> tuple[Rows, int]:
    """(catalogue rows bought last, in the order of their ids, and when)."""
    if len(history) == 0:
        return history.item_rows, 0
    last = history.last.max()
    return np.sort(history.item_rows[history.last == last]), int(last)


def _features(basket: Rows, last: int, items: Vocabulary, prices: Floats, now: int) -> Mapping[str, Any]:
    """Of somebody who posted that basket, by what serving makes of it; items have their usual prices."""
    events = [
        FreshEvent(str(row), EventType.PURCHASE.value, items.terms[row], last, None, 1, float(prices[row]), 0.0)
        for row in basket.tolist()
    ]
    nobody: dict[str, Any] = dict.fromkeys((*names.USER_STATISTICS, *names.SEQUENCE, *names.HISTORY))
    return apply_events(nobody, events, now)


def _statistics(known: list[Mapping[str, Any]]) -> Floats:
    values = [[float(one[name] or 0.0) for name in names.USER_STATISTICS] for one in known]
    return np.array(values, np.float32).reshape(len(known), len(names.USER_STATISTICS))
