"""What a user has bought within the year, item by item: for candidates and for pair features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features import names
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary


@dataclass(frozen=True)
class UserHistory:
    """Purchases of one user, latest first. Row i of every array is one distinct item; times are Unix seconds."""

    item_rows: Rows
    counts: Floats
    counts_91d: Floats
    counts_28d: Floats
    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Distinct items."""
        return len(self.item_rows)

    def positions(self, rows: Rows) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """([k] position of each catalogue row in the history, [k] whether it is there)."""
        if len(self.item_rows) == 0:
            return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
        ordered = self.item_rows[self._order]
        found = np.minimum(np.searchsorted(ordered, rows), len(ordered) - 1)
        return self._order[found], ordered[found] == rows

    def and_now(self, rows: Rows, now: float) -> "UserHistory":
        """The history as if the catalogue rows, distinct and latest first, had been bought at the Unix second now."""
        if len(rows) == 0:
            return self
        places, bought = self.positions(rows)
        others = ~np.isin(self.item_rows, rows)

        def before(values: npt.NDArray[Any], otherwise: float) -> npt.NDArray[np.float64]:
            known = np.full(len(rows), otherwise)
            known[bought] = values[places[bought]]
            return known

        def once_more(counts: Floats) -> Floats:
            more: Floats = np.concatenate([before(counts, 0.0) + 1, counts[others]]).astype(np.float32)
            return more

        return UserHistory(
            item_rows=np.concatenate([rows, self.item_rows[others]]),
            counts=once_more(self.counts),
            counts_91d=once_more(self.counts_91d),
            counts_28d=once_more(self.counts_28d),
            first=np.concatenate([before(self.first, now), self.first[others]]),
            last=np.concatenate([np.full(len(rows), now), self.last[others]]),
        )

    @cached_property
    def _order(self) -> Rows:
        return np.argsort(self.item_rows)


def user_history(features: Mapping[str, Sequence[Any] | None], items: Vocabulary) -> UserHistory:
    """The history in Feast's arrays, with items that the bundle does not know left out.

    features maps HISTORY names to one user's aligned arrays, or to None for a user without purchases.
    """
    ids = features[names.HISTORY_ITEM_IDS]
    codes = items.encode_many(ids if ids is not None else ())
    known = codes != OUT_OF_VOCABULARY
    all_known = bool(known.all())

    def known_values(name: str, kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
        values = features[name]
        column = np.asarray(values if values is not None else (), dtype=kind)
        kept: npt.NDArray[Any] = column if all_known else column[known]
        return kept

    return UserHistory(
        item_rows=codes[known].astype(np.int64) - 1,
        counts=known_values(names.HISTORY_COUNTS, np.float32),
        counts_91d=known_values(names.HISTORY_COUNTS_91D, np.float32),
        counts_28d=known_values(names.HISTORY_COUNTS_28D, np.float32),
        first=known_values(names.HISTORY_FIRST_TIMESTAMPS, np.float64),
        last=known_values(names.HISTORY_LAST_TIMESTAMPS, np.float64),
    )
