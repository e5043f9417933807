"""Which items are ranked: the union of several sources, and the ranker's input for it, offline and online alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features import names
from contracts.features.engagements import UserEngagements
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS
from contracts.ranking.inputs import (
    Catalogue,
    engagement_features,
    pair_features,
    ranking_inputs,
    scaled_user_statistics,
)
from contracts.ranking.neighbours import Neighbours, Scored

TWO_TOWER: Final = "two_tower"
REPEAT: Final = "repeat"
POPULAR: Final = "popular"
FRESH: Final = "fresh"  # joined the catalogue after the bundle was made
CONTEXT: Final = "context"  # goes with the items of the page or basket that the request names
RULE: Final = "rule"  # a business rule pins it, or asks for some of its kind
ENGAGED: Final = "looked"  # looked at lately, and never bought
NEIGHBOURS: Final = "neighbours"  # bought by those who bought what the user did
SOURCES: Final = (TWO_TOWER, REPEAT, POPULAR, FRESH, CONTEXT, RULE, ENGAGED, NEIGHBOURS)
"""Bit i of a source mask stands for SOURCES[i]."""
BY_RIGHT: Final = (RULE, CONTEXT, FRESH, ENGAGED, REPEAT, POPULAR, NEIGHBOURS, TWO_TOWER)
"""What is asked for comes first, and the towers fill what is left."""
_BIT: Final = {source: np.uint8(1 << bit) for bit, source in enumerate(SOURCES)}

BUYERS_COLUMN: Final = names.ITEM_STATISTICS.index("item_buyers_28d")
"""The item statistic that says what is bought now."""
YEAR_COLUMN: Final = names.ITEM_STATISTICS.index("item_buyers_365d")
PRIOR_BUYERS: Final = 10.0
"""Popularity counts this many more buyers of the year's bestseller, and of other items their share of it.

Where a month has thousands of buyers, the order is the month's; where it has ten, which is chance, it is the year's.
"""
BASKETS_COLUMN: Final = names.USER_STATISTICS.index("user_baskets_365d")
"""The user statistic that UserSide.baskets is."""

REPEAT_HALF_LIFE_DAYS: Final = 91.0
PRICE_COLUMN: Final = names.ITEM_STATISTICS.index("item_price")

Mask = npt.NDArray[np.bool_]
"""[num_items]: whether catalogue row i may be shown."""
NO_ROWS: Final[Rows] = np.zeros(0, np.int64)
_POSITION_BITS: Final = 24  # of a candidate in the sources together, which leaves 39 for its catalogue row


@dataclass(frozen=True)
class CandidatePlan:
    """How many candidates there are together, and how many four of the sources may propose.

    The towers fill what the others leave: the less is known of a user, the more they have to say.
    """

    num_candidates: int
    num_repeat: int
    num_popular: int
    num_engaged: int = 0
    num_neighbours: int = 0
    num_unseen_neighbours: int = 0  # in place of num_neighbours where repeats are left out and leave room

    @property
    def of_unseen(self) -> "CandidatePlan":
        """The plan of lists that leave out what the user had."""
        return replace(self, num_neighbours=max(self.num_neighbours, self.num_unseen_neighbours))

    @property
    def num_nearest(self) -> int:
        """How many items to ask the index for: enough for an unknown user."""
        return self.num_candidates


@dataclass(frozen=True)
class ItemSide:
    """What a bundle knows of all items. Row i of every array is catalogue row i, but for popular, a list of rows."""

    catalogue: Catalogue
    scaled_statistics: Floats  # [num_items, len(ITEM_STATISTICS)]
    embeddings: Floats  # [num_items, embedding_dim]
    popularity: Floats  # [num_items] as `popularity_of` has it
    popular: Rows  # rows by popularity, best first
    prices: Floats  # [num_items] asked now; NaN where no price is known
    in_stock: Mask  # [num_items]
    neighbours: Neighbours | None = None  # where the bundle holds item-to-item weights
    # [num_items] codes of an attribute that filters and rules name, where items came later whose terms the towers do
    # not know; a tower reads the catalogue's own codes, in which these terms are unknown.
    later_codes: Mapping[str, npt.NDArray[np.int32]] = field(default_factory=dict)

    def codes_of(self, attribute: str) -> npt.NDArray[np.int32]:
        """[num_items] codes of the attribute, of later terms too."""
        return self.later_codes.get(attribute, self.catalogue.codes[attribute])

    @cached_property
    def all_in_stock(self) -> bool:
        """Whether there is nothing that the stock filter would leave out; asked by every request."""
        return bool(self.in_stock.all())


@dataclass(frozen=True)
class UserSide:
    """What one request knows of its user."""

    query: Floats  # [embedding_dim]
    history: UserHistory
    statistics: Floats  # [len(USER_STATISTICS)], raw
    baskets: float  # in a year
    now: float  # Unix seconds
    engagements: UserEngagements | None = None  # where the bundle's ranker reads looks


@dataclass(frozen=True)
class Shortlist:
    """Candidates of one user. Row i of every array is one candidate."""

    rows: Rows
    sources: npt.NDArray[np.uint8]  # bit mask over SOURCES
    inputs: (
        Floats  # [k, len(RANKING_FEATURES)], then ENGAGEMENT_FEATURES and NEIGHBOUR_FEATURES where the bundle has them
    )
    proposed: Mapping[str, Rows] = field(default_factory=dict)  # by source, in its own order


def popularity_of(statistics: Floats) -> Floats:
    """[num_items] buyers of the last 28 days, a year's as prior; statistics: [num_items, len(ITEM_STATISTICS)]."""
    month, year = statistics[:, BUYERS_COLUMN], statistics[:, YEAR_COLUMN]
    popularity: Floats = month + np.float32(PRIOR_BUYERS / max(float(year.max(initial=0.0)), 1.0)) * year
    return popularity


def item_side(
    catalogue: Catalogue,
    embeddings: Floats,
    max_popular: int,
    prices: Floats | None = None,
    neighbours: Neighbours | None = None,
) -> ItemSide:
    """The item side, with its derived matrices computed once and every item in stock.

    prices: [num_items] as the catalogue asks; without them, and where they are NaN, the mean paid over a year is taken.
    """
    popularity = popularity_of(catalogue.statistics)
    paid = catalogue.statistics[:, PRICE_COLUMN]
    paid = np.where(paid > 0, paid, np.float32(np.nan))  # nobody has paid anything yet: not known, and not free
    return ItemSide(
        catalogue=catalogue,
        scaled_statistics=catalogue.scaled_statistics(),
        embeddings=embeddings,
        popularity=popularity,
        popular=np.argsort(-popularity, kind="stable")[:max_popular],
        prices=paid if prices is None else np.where(np.isnan(prices), paid, prices).astype(np.float32),
        in_stock=np.ones(len(embeddings), np.bool_),
        neighbours=neighbours,
    )


def shortlist(
    user: UserSide,
    nearest: Rows,
    items: ItemSide,
    plan: CandidatePlan,
    allowed: Mask | None = None,
    also: Mapping[str, Rows] | None = None,
) -> Shortlist:
    """The user's candidates with the ranker's input: plan.num_candidates, or all that the sources propose.

    nearest: rows the index found for user.query, best first, plan.num_nearest of them; -1 where it found nothing.
    What the user has bought is not proposed by the towers: repeats have a source of their own.
    allowed: what may be shown; each source goes on to its next best where it is not. also: rows of further SOURCES.
    """
    scored = items.neighbours.scored(user.history, user.now) if items.neighbours else None
    proposed = {
        **(also or {}),
        REPEAT: repeat_candidates(allowed_history(user.history, allowed), plan.num_repeat, user.now),
        POPULAR: first_allowed(items.popular, allowed, plan.num_popular),
        ENGAGED: engaged_candidates(user, allowed, plan.num_engaged),
        TWO_TOWER: nearest[~user.history.positions(nearest)[1]],
    }
    if scored:
        proposed[NEIGHBOURS] = neighbour_candidates(user.history, scored, allowed, plan.num_neighbours)
    rows, sources = union({source: proposed[source] for source in BY_RIGHT if source in proposed})
    if allowed is not None:  # an index that was asked without the filter, or a caller's own rows
        kept = allowed[rows]
        rows, sources = rows[kept], sources[kept]
    rows, sources = rows[: plan.num_candidates], sources[: plan.num_candidates]
    return Shortlist(rows, sources, _ranker_inputs(user, rows, items, scored), proposed)


def shortlist_of(user: UserSide, rows: Rows, items: ItemSide) -> Shortlist:
    """Given catalogue rows with the ranker's input, whichever source would propose them."""
    scored = items.neighbours.scored(user.history, user.now) if items.neighbours else None
    return Shortlist(rows, np.zeros(len(rows), np.uint8), _ranker_inputs(user, rows, items, scored))


def _ranker_inputs(user: UserSide, rows: Rows, items: ItemSide, scored: Scored | None) -> Floats:
    scores = items.embeddings.take(rows, axis=0) @ user.query
    pairs = pair_features(user.history, rows, scores, items.catalogue, user.baskets, user.now)
    statistics = items.scaled_statistics.take(rows, axis=0)
    engagements = (
        None if user.engagements is None else engagement_features(user.engagements, rows, items.catalogue, user.now)
    )
    near = scored.features(rows) if scored else None
    return ranking_inputs(pairs, statistics, scaled_user_statistics(user.statistics), engagements, near)


def allowed_history(history: UserHistory, allowed: Mask | None) -> UserHistory:
    """The history without items that may not be shown; only for choosing candidates, features need all of it."""
    if allowed is None or len(history) == 0:
        return history
    kept = allowed[history.item_rows]
    return UserHistory(**{column.name: getattr(history, column.name)[kept] for column in fields(history)})


def first_allowed(rows: Rows, allowed: Mask | None, limit: int) -> Rows:
    """Up to limit of the rows, in their order, that may be shown."""
    if allowed is None:
        return rows[:limit]
    size = 4 * limit  # most filters keep a quarter of what is popular; a rare kind reads on
    while True:
        found = rows[:size][allowed[rows[:size]]]
        if len(found) >= limit or size >= len(rows):
            return found[:limit]
        size *= 4


def engaged_candidates(user: UserSide, allowed: Mask | None, limit: int) -> Rows:
    """Up to limit rows of items that the user has looked at and never bought, most telling first."""
    if user.engagements is None or len(user.engagements) == 0:
        return NO_ROWS
    rows = user.engagements.item_rows
    new = rows[~user.history.positions(rows)[1]]
    return first_allowed(new, allowed, limit)


def neighbour_candidates(history: UserHistory, scored: Scored, allowed: Mask | None, limit: int) -> Rows:
    """Up to limit rows that the user has not bought, the highest sums of weights from what was bought first."""
    rows = scored.best_rows(allowed, limit + len(history))
    return rows[~history.positions(rows)[1]][:limit]


def repeat_candidates(history: UserHistory, limit: int, now: float) -> Rows:
    """Up to limit rows of items the user has bought: latest first where all fit, else likeliest repeats first.

    Ordered by purchases that fade with a half-life since the last one: the order of P-TopFreq for what is still
    bought, with abandoned items sinking.
    """
    if len(history) <= limit:
        return history.item_rows
    return likeliest_repeats(history, now)[:limit]


def likeliest_repeats(history: UserHistory, now: float) -> Rows:
    """All rows that the user has bought, the likeliest to be bought again first."""
    return history.item_rows[np.argsort(-repeat_weights(history, now), kind="stable")]


def repeat_weights(history: UserHistory, now: float) -> npt.NDArray[np.float64]:
    """[k] how likely each item of the history is bought again, on no particular scale."""
    decay = np.exp2((history.last - now) / (REPEAT_HALF_LIFE_DAYS * DAY_SECONDS))
    return np.asarray((history.counts + history.counts_91d) * decay, np.float64)


def union(sources: Mapping[str, Rows]) -> tuple[Rows, npt.NDArray[np.uint8]]:
    """([k] distinct rows in order of first appearance, [k] bit mask of the sources that proposed each).

    sources: rows by source, one of SOURCES; negative rows (an index's "nothing found") are left out.
    """
    rows = np.concatenate(list(sources.values()))
    bits = np.repeat([_BIT[source] for source in sources], [len(r) for r in sources.values()])
    if len(rows) and rows.min() < 0:
        rows, bits = rows[rows >= 0], bits[rows >= 0]
    if len(rows) == 0:
        return rows, bits
    keys = np.sort(rows << _POSITION_BITS | np.arange(len(rows)))  # several times as quick as a stable argsort
    ordered, order = keys >> _POSITION_BITS, keys & ((1 << _POSITION_BITS) - 1)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    masks = np.bitwise_or.reduceat(bits[order], starts)
    first = order[starts]  # the first appearance of each row
    appearance = np.argsort(first)
    return ordered[starts][appearance], masks[appearance]


@cache
def source_names(mask: int) -> str:
    """Names of the sources in a mask, joined by "+"."""
    return "+".join(name for bit, name in enumerate(SOURCES) if mask >> bit & 1)
