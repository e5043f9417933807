"""What the ranker knows about a user and a candidate: one numpy function, called offline and online.

The user side is the purchase history from Feast, the item side are matrices of the bundle, so no store holds
pairs and there is no second implementation that could disagree (training/serving skew). Rows of matrices are picked
with take, which costs a quarter of what indexing does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features import names
from contracts.features.engagements import UserEngagements
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS, OVERDUE_LIMIT
from contracts.features.vocabulary import OUT_OF_VOCABULARY

NEVER_DAYS: Final = 730.0
"""Stands for "never bought" and "never looked at" where a number of days is asked."""


RECENT_DAYS: Final = 91.0

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
ENGAGEMENT_FEATURES: Final = (
    "look_count",
    "days_since_look",
    "in_cart",
    "category_look_share",
    "category_look_days",
    "category_look_days_91d",
    "category_days_since_look",
)
"""Of the very item, then of its category; computed where the log that trained the bundle has looks."""
_MODELLED_COLUMNS: Final = [names.USER_STATISTICS.index(name) for name in names.MODELLED_USER_STATISTICS]

RANKING_FEATURES: Final = (*PAIR_FEATURES, *names.ITEM_STATISTICS, *names.MODELLED_USER_STATISTICS)
"""Columns of the ranker's input; where the log has looks, LOOK_FEATURES stand behind them. Counts, days and money are
log1p-scaled, shares and ratios are not."""

USER_COLUMNS: Final = slice(len(PAIR_FEATURES) + len(names.ITEM_STATISTICS), len(RANKING_FEATURES))
"""Those that say the same of all candidates of a user."""

_NEVER_ENGAGED: Final = np.array([0.0, np.log1p(NEVER_DAYS), 0.0, 0.0, 0.0, 0.0, np.log1p(NEVER_DAYS)], np.float32)

_PLAIN_STATISTICS: Final = frozenset(
    name
    for name in (*names.ITEM_STATISTICS, *names.USER_STATISTICS)
    if "_share_" in name or name in ("user_overdue_ratio", "user_basket_gap_variation")
)
_ALIVE: Final = [names.ITEM_STATISTICS.index(name) for name in ("item_purchases_365d", "item_views_365d")]
_PLAIN_OF_ITEMS: Final = np.array([name in _PLAIN_STATISTICS for name in names.ITEM_STATISTICS])
_PLAIN_OF_USERS: Final = np.array([name in _PLAIN_STATISTICS for name in names.MODELLED_USER_STATISTICS])


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

    @cached_property
    def affinity_codes(self) -> npt.NDArray[np.int32]:
        """[num_items, len(AFFINITY_COLUMNS)] codes, moved apart so that no two columns share one."""
        starts = np.cumsum([0, *(self.sizes[column] for column in AFFINITY_COLUMNS[:-1])])
        columns = [self.codes[column] + start for column, start in zip(AFFINITY_COLUMNS, starts, strict=True)]
        return np.stack(columns, axis=1).astype(np.int32)

    def usual_statistics(self, categories: npt.NDArray[np.int32]) -> Floats:
        """[k, len(ITEM_STATISTICS)] means over what was bought or viewed of each category within a year.

        That is what may be expected of a new item. categories: [k] codes; one that is not known, or of which nothing
        was bought, has the means over all.
        """
        alive = (self.statistics[:, _ALIVE] > 0).any(axis=1)
        usual = np.zeros((len(categories), self.statistics.shape[1]), np.float32)
        for category in np.unique(categories):
            own = alive & (self.codes["category"] == category) if category != OUT_OF_VOCABULARY else alive
            of_kind = own if own.any() else alive
            if of_kind.any():
                usual[categories == category] = self.statistics[of_kind].mean(axis=0)
        return usual

    def scaled_statistics(self) -> Floats:
        """Statistics as the ranker reads them; compute once, it is the whole matrix.

        Row by row in memory, however the statistics lie: to take rows of the other order numpy copies all of it.
        """
        return np.ascontiguousarray(_scaled(self.statistics, _PLAIN_OF_ITEMS))


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
    return np.concatenate(
        [
            _repeat_columns(history, candidates, max(baskets, 1.0), now),
            _affinity_columns(history, candidates, catalogue, now),
            _text_affinity(history, catalogue.text, candidates)[:, np.newaxis],
            retrieval_scores[:, np.newaxis],
        ],
        axis=1,
        dtype=np.float32,
    )


def engagement_features(engagements: UserEngagements, candidates: Rows, catalogue: Catalogue, now: float) -> Floats:
    """[k, len(LOOK_FEATURES)]; row i describes the user's engagements with candidates[i]."""
    if len(engagements) == 0:
        return np.broadcast_to(_NEVER_ENGAGED, (len(candidates), len(_NEVER_ENGAGED)))
    of_category = _engagements_by_category(engagements, catalogue)
    # Row 0 stands for every item that was not looked at, row i + 1 for item i of the engagements.
    known = np.zeros((len(engagements) + 1, 3), np.float32)
    known[0] = _NEVER_ENGAGED[:3]
    known[1:, 0], known[1:, 2] = np.log1p(engagements.counts), engagements.in_cart
    known[1:, 1] = np.log1p(np.maximum((now - engagements.last) / DAY_SECONDS, 0.0))
    place = np.zeros(len(catalogue.statistics), np.int32)
    place[engagements.item_rows] = np.arange(1, len(known))
    own = known.take(place.take(candidates), axis=0)
    return np.concatenate([own, of_category.take(catalogue.codes["category"].take(candidates), axis=0)], axis=1)


def _engagements_by_category(engagements: UserEngagements, catalogue: Catalogue) -> Floats:
    """[categories, 4] share of the days with looks, days, days within 91, and days since the latest.

    Days, not looks: ten looks in one visit say little more of a taste than three.
    """
    size, categories = catalogue.sizes["category"], catalogue.codes["category"].take(engagements.event_rows)
    distinct = np.unique(engagements.event_days * size + categories)
    days, categories = np.divmod(distinct, size)
    counts = np.bincount(categories, minlength=size)
    columns = np.full((size, 4), _NEVER_ENGAGED[3:], np.float32)
    columns[:, 0] = counts / len(distinct)
    columns[:, 1] = np.log1p(counts)
    columns[:, 2] = np.log1p(np.bincount(categories, days <= RECENT_DAYS, size))
    columns[categories[::-1], 3] = np.log1p(days[::-1])  # assigned backwards, the latest day wins
    return columns


def _text_affinity(history: UserHistory, text: Floats, candidates: Rows) -> Floats:
    """[k] mean cosine of each candidate's text to what the user has bought, every purchase counted."""
    total = max(float(history.counts.sum()), 1.0)
    taste = history.counts @ text.take(history.item_rows, axis=0) / np.float32(total)
    affinity: Floats = text.take(candidates, axis=0) @ taste
    return affinity


def ranking_inputs(
    pairs: Floats, items: Floats, user: Floats, engagements: Floats | None = None, neighbours: Floats | None = None
) -> Floats:
    """[k, len(RANKING_FEATURES)] from [k, pair], [k, item] and [user] features, the last two scaled.

    Behind them stand engagements [k, len(ENGAGEMENT_FEATURES)] and neighbours [k, len(NEIGHBOUR_FEATURES)] where there
    are any.
    """
    more = [part for part in (engagements, neighbours) if part is not None]
    parts = [pairs, items, np.broadcast_to(user, (len(pairs), len(user))), *more]
    return np.concatenate(parts, axis=1, dtype=np.float32)


def scaled_user_statistics(statistics: Floats) -> Floats:
    """[..., len(names.MODELLED_USER_STATISTICS)] as the ranker reads them, of [..., len(USER_STATISTICS)]."""
    return _scaled(statistics[..., _MODELLED_COLUMNS], _PLAIN_OF_USERS)


def _scaled(values: Floats, plain: npt.NDArray[np.bool_]) -> Floats:
    return np.where(plain, values, np.log1p(np.maximum(values, 0.0))).astype(np.float32)


def _repeat_columns(history: UserHistory, candidates: Rows, baskets: float, now: float) -> Floats:
    """[k, 10] the first ten of PAIR_FEATURES."""
    # Row i is the history's item i, the last row stands for every item that is not in it: a user has bought fewer
    # items than are candidates, so each logarithm is taken once.
    known = np.empty((len(history) + 1, 6), np.float32)
    known[-1] = (0.0, 0.0, 0.0, NEVER_DAYS, NEVER_DAYS, names.HISTORY_LENGTH)
    known[:-1, 0], known[:-1, 1], known[:-1, 2] = history.counts, history.counts_91d, history.counts_28d
    known[:-1, 3] = (now - history.last) / DAY_SECONDS
    known[:-1, 4] = (now - history.first) / DAY_SECONDS
    known[:-1, 5] = np.arange(len(history))
    count, since_last, since_first = known[:, 0], known[:, 3], known[:, 4]
    gap = np.where(count > 1, (since_first - since_last) / np.maximum(count - 1, 1), NEVER_DAYS)
    logs = np.log1p(np.maximum(known, 0.0))
    columns = np.empty((len(known), 10), np.float32)
    columns[:-1, 0], columns[-1, 0] = 1.0, 0.0  # bought
    columns[:, 1:4] = logs[:, 0:3]  # counts
    columns[:, 4] = count / np.float32(baskets)
    columns[:, 5:7] = logs[:, 3:5]  # days since last and since first
    columns[:, 7] = np.log1p(np.maximum(gap, 0.0))
    columns[:, 8] = np.where(count > 1, np.minimum(since_last / np.maximum(gap, 1.0), OVERDUE_LIMIT), 0.0)  # overdue
    columns[:, 9] = logs[:, 5]  # position
    position, bought = history.positions(candidates)
    picked: Floats = columns.take(np.where(bought, position, len(history)), axis=0)
    return picked


def _affinity_columns(history: UserHistory, candidates: Rows, catalogue: Catalogue, now: float) -> Floats:
    """[k, 3 * len(AFFINITY_COLUMNS)] of each candidate's own classes: shares of the user's purchases, then purchases
    in 91 days, then days since the last one.
    """
    # Place j of flat is one class of one purchased item, latest first. Each class stands at its first place, where its
    # latest purchase is; row 0 of known stands for every class that the user never bought. A catalogue has thousands
    # of classes, a history a few hundred places.
    flat = catalogue.affinity_codes.take(history.item_rows, axis=0).ravel()
    width, places = len(AFFINITY_COLUMNS), np.arange(1, len(flat) + 1, dtype=np.int32)
    place_of = np.zeros(sum(catalogue.sizes[column] for column in AFFINITY_COLUMNS), np.int32)
    place_of[flat[::-1]] = places[::-1]  # assigned backwards, the first place wins
    stands = place_of.take(flat)
    known = np.zeros((3, len(flat) + 1), np.float32)
    known[0] = np.bincount(stands, np.repeat(history.counts, width), len(flat) + 1)
    known[0] /= max(float(history.counts.sum()), 1.0)
    known[1] = np.bincount(stands, np.repeat(history.counts_91d, width), len(flat) + 1)
    known[2, 0], known[2, 1:] = NEVER_DAYS, np.repeat((now - history.last) / DAY_SECONDS, width)
    np.log1p(np.maximum(known[1:], 0.0), out=known[1:])
    of_candidates = place_of.take(catalogue.affinity_codes.take(candidates, axis=0))
    return np.concatenate([of_place.take(of_candidates) for of_place in known], axis=1)
