"""A user's engagements within the year, read from the typed sequence: for candidates and for pair features.

A log of purchases has no engagements and costs nothing here: everything ends after one look at the types.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.encoding import type_codes
from contracts.features.names import DAY_SECONDS
from contracts.features.vocabulary import Vocabulary

_CODE_OF: Final = {kind: code for code, kind in enumerate(names.SEQUENCE_TYPES, start=1)}
_TELLING: Final = np.zeros(len(_CODE_OF) + 1, np.int8)
"""By type code of the sequence: how strong an engagement is, 0 for other types."""
_TELLING[[_CODE_OF[kind] for kind in names.ENGAGEMENT_TYPES]] = range(1, len(names.ENGAGEMENT_TYPES) + 1)
_LIKED: Final = _TELLING[_CODE_OF[EventType.LIKE]]
_OF_CARTS: Final = np.isin(
    np.arange(len(_TELLING)),
    [_CODE_OF[kind] for kind in (EventType.CART_ADD, EventType.CART_REMOVE, EventType.PURCHASE)],
)
"""By type code of the sequence: whether the event puts an item into the cart or takes it out."""


@dataclass(frozen=True)
class UserEngagements:
    """Items that one user has engaged with, strongest first: in the cart, then liked, then viewed, the latest of each.

    Row i of the first arrays is one distinct item; times are Unix seconds.
    """

    item_rows: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float32]  # views, likes and additions to the cart
    last: npt.NDArray[np.float64]
    in_cart: npt.NDArray[np.bool_]  # added, and since then neither removed nor bought
    event_rows: npt.NDArray[np.int64]  # the item of every engagement, the latest first
    event_days: npt.NDArray[np.int64]  # whole days since then

    def __len__(self) -> int:
        """Distinct items."""
        return len(self.item_rows)

    def without(self, rows: npt.NDArray[np.int64]) -> "UserEngagements":
        """The engagements without some items."""
        items, events = ~np.isin(self.item_rows, rows), ~np.isin(self.event_rows, rows)
        return UserEngagements(
            item_rows=self.item_rows[items],
            counts=self.counts[items],
            last=self.last[items],
            in_cart=self.in_cart[items],
            event_rows=self.event_rows[events],
            event_days=self.event_days[events],
        )


NO_ENGAGEMENTS: Final = UserEngagements(
    np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0), np.zeros(0, np.bool_),
    np.zeros(0, np.int64), np.zeros(0, np.int64),
)  # fmt: skip


def user_engagements(features: Mapping[str, Sequence[Any] | None], items: Vocabulary, now: float) -> UserEngagements:
    """The engagements in Feast's sequence, latest first; items that the bundle does not know are left out.

    features maps SEQUENCE names to one user's aligned arrays, or to None for a user who did nothing.
    """
    types = features[names.SEQUENCE_EVENT_TYPES]
    if types is None or names.ENGAGEMENT_TYPES_SET.isdisjoint(types):
        return NO_ENGAGEMENTS
    ids, times = features[names.SEQUENCE_ITEM_IDS], features[names.SEQUENCE_TIMESTAMPS]
    assert ids is not None and times is not None, "the arrays of a sequence are written together"
    return engagements_of(items.encode_many(ids), type_codes(types), np.asarray(times, np.float64), now)


def engagements_of(
    codes: npt.NDArray[np.int32], types: npt.NDArray[np.int32], seconds: npt.NDArray[np.float64], now: float
) -> UserEngagements:
    """The same of an encoded sequence: item codes (0 for none that is known), type codes and Unix seconds."""
    telling = _TELLING.take(types)
    places = np.flatnonzero((telling > 0) & (codes > 0))
    if len(places) == 0:
        return NO_ENGAGEMENTS
    # The first place of an item is its latest engagement.
    known, first, item, counts = np.unique(codes[places], return_index=True, return_inverse=True, return_counts=True)
    in_cart = np.isin(known, _held(codes, types))
    best = np.zeros(len(known), np.int8)
    np.maximum.at(best, item, np.minimum(telling[places], _LIKED))  # taken out of the cart is as if liked
    order = np.lexsort((first, -best, ~in_cart))
    return UserEngagements(
        item_rows=known[order].astype(np.int64) - 1,
        counts=counts[order].astype(np.float32),
        last=seconds[places[first]][order],
        in_cart=in_cart[order],
        event_rows=codes[places].astype(np.int64) - 1,
        event_days=np.maximum((now - seconds[places]) // DAY_SECONDS, 0).astype(np.int64),
    )


def _held(codes: npt.NDArray[np.int32], types: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Codes of the items whose latest event of the cart is an addition."""
    places = np.flatnonzero(_OF_CARTS.take(types))
    known, first = np.unique(codes[places], return_index=True)
    held: npt.NDArray[np.int32] = known[types[places[first]] == _CODE_OF[EventType.CART_ADD]]
    return held
