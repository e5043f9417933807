"""What the ranker knows about a user and a candidate: one numpy function, called offline and online.

The user side is the purchase history from Feast, the item side are matrices of the bundle, so no store holds
pairs and there is no second implementation that could disagree (training/serving skew).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts import features as names
from contracts.vocabulary import OUT_OF_VOCABULARY, Vocabulary

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

DAY_SECONDS: Final = 86_400.0
NEVER_DAYS: Final = 730.0
"""Stands for "never bought" where a number of days is asked."""

OVERDUE_LIMIT: Final = 5.0
"""Later than that is given up, not overdue."""

AFFINITY_COLUMNS: Final = ("department", "category", "subcategory", "brand", "manufacturer")

PAIR_FEATURES: Final = (
    "is_repeat",
    "count",
    "count_91d",
    "count_28d",
    "basket_share",
    "days_since_last",
    "days_since_first",
    "gap_days",
    "overdue_ratio",
    "history_position",
    *(f"{column}_share" for column in AFFINITY_COLUMNS),
    *(f"{column}_count_91d" for column in AFFINITY_COLUMNS),
    *(f"{column}_days_since_last" for column in AFFINITY_COLUMNS),
    "text_affinity",
    "retrieval_score",
)
_MODELLED_COLUMNS: Final = [names.USER_STATISTICS.index(name) for name in names.MODELLED_USER_STATISTICS]

RANKING_FEATURES: Final = (*PAIR_FEATURES, *names.ITEM_STATISTICS, *names.MODELLED_USER_STATISTICS)
"""Columns of the ranker's input. Counts, days and money are log1p-scaled, shares and ratios are not."""

_PLAIN_STATISTICS: Final = frozenset(
    name
    for name in (*names.ITEM_STATISTICS, *names.USER_STATISTICS)
    if "_share_" in name or name in ("user_overdue_ratio", "user_basket_gap_variation")
)


@dataclass(frozen=True)
class Catalogue:
    """Item side of ranking. Row i of every array is catalogue row i.

    codes maps each content column to [num_items] vocabulary codes, sizes to the number of codes;
    statistics is [num_items, len(ITEM_STATISTICS)]; text is [num_items, TEXT_DIM], rows of length 1 or 0.
    """

    codes: Mapping[str, npt.NDArray[np.int32]]
    sizes: Mapping[str, int]
    statistics: Floats
    text: Floats

    def scaled_statistics(self) -> Floats:
        """Statistics as the ranker reads them; compute once, it is the whole matrix."""
        return _scaled(self.statistics, names.ITEM_STATISTICS)


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


def user_history(features: Mapping[str, Sequence[Any] | None], items: Vocabulary) -> UserHistory:
    """The history in Feast's arrays, with items that the bundle does not know left out.

    features maps HISTORY names to one user's aligned arrays, or to None for a user without purchases.
    """
    ids = features[names.HISTORY_ITEM_IDS]
    codes = items.encode(ids if ids is not None else ())
    known = codes != OUT_OF_VOCABULARY

    def known_values(name: str, kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
        values = features[name]
        column = np.asarray(values if values is not None else (), dtype=kind)
        kept: npt.NDArray[Any] = column[known]
        return kept

    return UserHistory(
        item_rows=codes[known].astype(np.int64) - 1,
        counts=known_values(names.HISTORY_COUNTS, np.float32),
        counts_91d=known_values(names.HISTORY_COUNTS_91D, np.float32),
        counts_28d=known_values(names.HISTORY_COUNTS_28D, np.float32),
        first=known_values(names.HISTORY_FIRST_TIMESTAMPS, np.float64),
        last=known_values(names.HISTORY_LAST_TIMESTAMPS, np.float64),
    )


def pair_features(
    history: UserHistory,
    candidates: Rows,
    retrieval_scores: Floats,
    catalogue: Catalogue,
    baskets: float,
    now: float,
) -> Floats:
    """[k, len(PAIR_FEATURES)]; row i describes the user and candidates[i].

    candidates are catalogue rows, retrieval_scores [k] their inner products with the query embedding, baskets the
    user's number of baskets in a year, now Unix seconds.
    """
    columns = [*_repeat_columns(history, candidates, max(baskets, 1.0), now)]
    days_since_last = ((now - history.last) / DAY_SECONDS).astype(np.float32)
    affinities = [
        _affinity_columns(history, days_since_last, catalogue.codes[column], catalogue.sizes[column], candidates)
        for column in AFFINITY_COLUMNS
    ]
    for statistic in zip(*affinities, strict=True):  # all shares, then all counts, then all days
        columns.extend(statistic)
    columns += [_text_affinity(history, catalogue.text, candidates), retrieval_scores]
    return np.stack(columns, axis=1).astype(np.float32, copy=False)


def _text_affinity(history: UserHistory, text: Floats, candidates: Rows) -> Floats:
    """[k] mean cosine of each candidate's text to what the user has bought, every purchase counted."""
    total = max(float(history.counts.sum()), 1.0)
    taste = history.counts @ text[history.item_rows] / np.float32(total)
    affinity: Floats = text[candidates] @ taste
    return affinity


def ranking_inputs(pairs: Floats, items: Floats, user: Floats) -> Floats:
    """[k, len(RANKING_FEATURES)] from [k, pair], [k, item] and [user] features, the last two scaled."""
    return np.concatenate([pairs, items, np.broadcast_to(user, (len(pairs), len(user)))], axis=1)


def scaled_user_statistics(statistics: Floats) -> Floats:
    """[..., len(names.MODELLED_USER_STATISTICS)] as the ranker reads them, of [..., len(USER_STATISTICS)]."""
    return _scaled(statistics[..., _MODELLED_COLUMNS], names.MODELLED_USER_STATISTICS)


def _scaled(values: Floats, columns: Sequence[str]) -> Floats:
    plain = np.array([column in _PLAIN_STATISTICS for column in columns])
    return np.where(plain, values, np.log1p(np.maximum(values, 0.0))).astype(np.float32)


def _repeat_columns(history: UserHistory, candidates: Rows, baskets: float, now: float) -> list[Floats]:
    """The first ten of PAIR_FEATURES, each [k]."""
    position, bought = _positions(history.item_rows, candidates)

    def pick(values: npt.NDArray[Any], otherwise: float) -> Floats:
        picked = np.full(len(candidates), otherwise, np.float32)
        picked[bought] = values[position[bought]]
        return picked

    count = pick(history.counts, 0.0)
    since_last = pick((now - history.last) / DAY_SECONDS, NEVER_DAYS)
    since_first = pick((now - history.first) / DAY_SECONDS, NEVER_DAYS)
    gap = np.where(count > 1, (since_first - since_last) / np.maximum(count - 1, 1), NEVER_DAYS)
    overdue = np.where(count > 1, np.minimum(since_last / np.maximum(gap, 1.0), OVERDUE_LIMIT), 0.0)
    return [
        bought.astype(np.float32),
        np.log1p(count),
        np.log1p(pick(history.counts_91d, 0.0)),
        np.log1p(pick(history.counts_28d, 0.0)),
        count / np.float32(baskets),
        np.log1p(np.maximum(since_last, 0.0)),
        np.log1p(np.maximum(since_first, 0.0)),
        np.log1p(np.maximum(gap, 0.0)),
        overdue,
        np.log1p(pick(np.arange(len(history)), float(names.HISTORY_LENGTH))),
    ]


def _positions(item_rows: Rows, candidates: Rows) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """([k] position of each candidate in the history, [k] whether it is there)."""
    if len(item_rows) == 0:
        return np.zeros(len(candidates), np.int64), np.zeros(len(candidates), np.bool_)
    order = np.argsort(item_rows)
    found = np.minimum(np.searchsorted(item_rows, candidates, sorter=order), len(order) - 1)
    position = order[found]
    return position, item_rows[position] == candidates


def _affinity_columns(
    history: UserHistory,
    days_since_last: Floats,
    codes: npt.NDArray[np.int32],
    size: int,
    candidates: Rows,
) -> tuple[Floats, Floats, Floats]:
    """([k] share of the user's purchases, [k] purchases in 91 days, [k] days) in each candidate's own class."""
    of_history, of_candidates = codes[history.item_rows], codes[candidates]
    counts = np.bincount(of_history, weights=history.counts, minlength=size)
    recent = np.bincount(of_history, weights=history.counts_91d, minlength=size)
    days = np.full(size, NEVER_DAYS, np.float32)
    # Latest first: assigned backwards, the latest purchase of a class wins.
    days[of_history[::-1]] = days_since_last[::-1]
    total = max(float(history.counts.sum()), 1.0)
    return (
        (counts[of_candidates] / total).astype(np.float32),
        np.log1p(recent[of_candidates]).astype(np.float32),
        np.log1p(np.maximum(days[of_candidates], 0.0)),
    )
