"""What is bought together, from everybody's baskets before a moment.

Nearness of i to j is the weight of the baskets with both, relative to the baskets with i and with j:
w_ij / (w_i^(1-a) * (w_j + s)^a). A basket weighs 1 / log2(1 + its items), as a pair says less among many. With a = 0 it
is the share of i's baskets that hold j, so that bestsellers go with everything; with a = 1/2 it is a cosine, in which
rare items are overrated. What lies between is chosen by the baskets of the last label window, which the counts have not
seen.

The a that is best for one item is too low for a basket, whose items all name the same bestsellers. So a second exponent
of popularity is chosen by the same baskets, one half of each asked for the other (contracts/ranking/related.py). The
same questions choose how much the item-to-item weights count, for one item and for several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import scipy.sparse as sp

from contracts.arrays import Doubles, Floats, Rows
from contracts.ranking.inputs import Catalogue
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.related import RANDOM_SHARE, Nearness, Related, Summing, content_nearness
from training.dataset.baskets import Baskets
from training.retrieval.held_out_baskets import Question, basket_questions, recall, similar_questions

EXPONENTS: Final = (0.1, 0.2, 0.3, 0.4)
SEVERAL_EXPONENTS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
FACTORS: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Of the item-to-item weights next to nearness by baskets."""
SHRINK: Final = 10.0
"""Baskets that are added to each item's, so that two items bought once, and together, are not the nearest of all."""
LEAST_BASKETS = 2
LARGEST_BASKET = 300  # items; more than that is a stock order or a day's whole log, and says nothing of a pair
MOST_ITEMS = 100_000  # the most bought ones
PER_ITEM = 32
BLOCK = 512  # items whose pairs are counted at once
RANDOM_ITEMS = 400  # of them, each with as many others: the pairs that a threshold is taken from
QUESTIONS = 2000
AT = 10
SEED = 17


def chosen(baskets: Baskets, window: tuple[int, int], neighbours: Neighbours | None = None) -> tuple[float, Summing]:
    """(one of EXPONENTS, how sums are made) that find the window's baskets best, by counts from before it.

    What is for one item by lists of one item, the rest by halves of baskets that are to find the other halves. Without
    a question of a kind it is the kind's first. neighbours: weights as of the window's beginning.
    """
    held_out, earlier = baskets.between(*window), Pairs(baskets.between(0, window[0]))
    one, several = similar_questions(held_out, QUESTIONS), basket_questions(held_out, QUESTIONS)
    exponent = _for_one(earlier, one)
    counted = _counted(earlier, exponent)
    summing = Summing(_best(counted, several, "several_exponent", SEVERAL_EXPONENTS))
    if neighbours is not None:
        weighed = replace(counted, summing=summing)
        summing = replace(
            summing,
            neighbours_for_one=_best(weighed, one, "neighbours_for_one", FACTORS, neighbours),
            neighbours_for_several=_best(weighed, several, "neighbours_for_several", FACTORS, neighbours),
        )
    return exponent, summing


def _best(
    counted: Related,
    questions: Sequence[Question],
    name: str,
    values: Sequence[float],
    neighbours: Neighbours | None = None,
) -> float:
    """The value of a field of Summing that answers the questions best; the first without a question."""
    found = []
    for value in values if questions else ():
        related = replace(counted, summing=replace(counted.summing, **{name: value}))
        found.append(recall(questions, partial(_nearest, related, neighbours), AT)[0].mean())
    return values[int(np.argmax(found))] if found else values[0]


def _for_one(earlier: "Pairs", questions: Sequence[Question]) -> float:
    if not questions:
        return EXPONENTS[0]
    asked = np.unique([one.asked[0] for one in questions])
    both, found = earlier.weights(asked), []
    for exponent in EXPONENTS:
        nearness = earlier.nearness(both, asked, exponent)
        lists = {row: _heaviest(nearness, at, AT)[0] for at, row in enumerate(asked.tolist())}
        found.append(recall(questions, partial(_listed, lists), AT)[0].mean())
    return EXPONENTS[int(np.argmax(found))]


def related_by(baskets: Baskets, exponent: float, summing: Summing, catalogue: Catalogue) -> Related:
    """Each item's PER_ITEM nearest by these baskets, and the thresholds of both kinds of nearness."""
    pairs = Pairs(baskets)
    least = {
        Nearness.BASKETS: _beyond_random(pairs, exponent),
        Nearness.CONTENT: _content_beyond_random(catalogue),
    }
    return replace(_counted(pairs, exponent), least=least, summing=summing)


def _counted(pairs: "Pairs", exponent: float) -> Related:
    """Each item's PER_ITEM nearest; without thresholds, and nearness is a plain sum."""
    rows, k = pairs.rows, min(PER_ITEM, max(len(pairs.rows) - 1, 0))
    near, weights = np.zeros((len(rows) + 1, k), np.int32), np.zeros((len(rows) + 1, k), np.float32)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        part = pairs.nearness(pairs.weights(some), some, exponent)
        for at in range(part.shape[0]):
            best, values = _heaviest(part, at, k)
            near[start + at + 1, : len(best)] = np.searchsorted(rows, best) + 1
            weights[start + at + 1, : len(best)] = values
    popularity = (np.concatenate([[0.0], pairs.weight[rows]]) + SHRINK).astype(np.float32)
    return Related(rows, near, weights, len(pairs.weight), {}, popularity)


def _listed(lists: Mapping[int, Rows], asked: Rows) -> Rows:
    return lists[int(asked[0])]


def _nearest(related: Related, neighbours: Neighbours | None, asked: Rows) -> Rows:
    return related.nearest(asked, AT, neighbours=neighbours)[0]


class Pairs:
    """Counts of pairs, computed for some items at a time: all of them may be more than memory holds."""

    def __init__(self, baskets: Baskets) -> None:
        held = baskets.items
        sizes = held.getnnz(axis=1)
        held = held[np.flatnonzero((sizes > 1) & (sizes <= LARGEST_BASKET))]
        weight = 1 / np.log2(1 + held.getnnz(axis=1))
        self._held = held.tocsc()
        self._weighted = sp.diags(weight.astype(np.float32)) @ held.tocsr()
        self.weight: Doubles = np.asarray(self._weighted.sum(axis=0), np.float64).ravel()  # [num_items] of its baskets
        enough = np.flatnonzero(held.getnnz(axis=0) >= LEAST_BASKETS)
        most = enough[np.argsort(-self.weight[enough], kind="stable")[:MOST_ITEMS]]
        self.rows: Rows = np.sort(most).astype(np.int64)
        self._covered = np.zeros(held.shape[1], np.float32)
        self._covered[self.rows] = 1.0

    def weights(self, rows: Rows) -> sp.csr_matrix:
        """[len(rows), num_items] weight of the baskets with both."""
        return (self._held[:, rows].T.tocsr() @ self._weighted).tocsr()

    def nearness(self, both: sp.csr_matrix, rows: Rows, exponent: float) -> sp.csr_matrix:
        """[len(rows), num_items], nothing on the item itself. both: the weights of these rows."""
        of_row = np.repeat(np.arange(len(rows)), np.diff(both.indptr))
        own = self.weight[rows][of_row] ** (1 - exponent)
        other = (self.weight[both.indices] + SHRINK) ** exponent
        near = both.copy()
        near.data = (both.data / (own * other) * self._covered[both.indices]).astype(np.float32)
        near.data[both.indices == rows[of_row]] = 0.0
        return near


def _heaviest(part: sp.csr_matrix, at: int, k: int) -> tuple[Rows, Floats]:
    """([up to k] columns, [up to k] values) of one row, the highest first."""
    span = slice(part.indptr[at], part.indptr[at + 1])
    columns, values = part.indices[span].astype(np.int64), part.data[span]
    if len(values) > k:
        top = np.argpartition(-values, k)[:k] if k else np.zeros(0, np.int64)
        columns, values = columns[top], values[top]
    order = np.lexsort((columns, -values))
    order = order[values[order] > 0]
    return columns[order], values[order]


def _beyond_random(pairs: Pairs, exponent: float) -> float:
    """The nearness that RANDOM_SHARE of random pairs do not exceed: of items drawn as often as they are bought."""
    if len(pairs.rows) < 2:
        return 1.0
    random, chance = np.random.default_rng(SEED), pairs.weight[pairs.rows] / pairs.weight[pairs.rows].sum()
    first, second = (np.unique(random.choice(pairs.rows, RANDOM_ITEMS, p=chance)) for _ in range(2))
    there = pairs.nearness(pairs.weights(first), first, exponent)[:, second].toarray()
    back = pairs.nearness(pairs.weights(second), second, exponent)[:, first].toarray().T
    return float(np.quantile(np.minimum(there, back)[first[:, np.newaxis] != second], RANDOM_SHARE))


def _content_beyond_random(catalogue: Catalogue) -> float:
    """The same of content, of items drawn evenly: what is new is bought by nobody."""
    size = len(catalogue.text)
    random = np.random.default_rng(SEED)
    some = random.choice(size, min(RANDOM_ITEMS, size), replace=False)
    nearness = np.stack([content_nearness(catalogue, int(row), some) for row in some])
    apart = ~np.eye(len(some), dtype=np.bool_)
    return float(np.quantile(nearness[apart], RANDOM_SHARE)) if apart.any() else 1.0
