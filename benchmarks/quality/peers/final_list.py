"""Our final list where there are baskets and nothing else: the candidate union and the product's own tree ranker.

The public sets have no clock, profile or catalogue, so what a user has done with an item is counted in baskets, and
nearness comes from similar users (peers/tifu_knn.py) in place of the towers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.quality.peers.peer import NO_CANDIDATE, Scores
from benchmarks.quality.peers.tifu_knn import TifuKnn
from benchmarks.quality.splits import Baskets, Split
from contracts.arrays import Floats, Rows
from contracts.features.names import OVERDUE_LIMIT
from training.ranking.labelled_lists import LabelledLists, joined, labelled_lists
from training.ranking.trees import TreeRanker, train_trees
from training.settings import RankerSettings

BATCH = 512


@dataclass
class FinalList:
    """Own history, the nearest by similar users and the popular, ranked by trees."""

    num_nearest: int = 100
    num_popular: int = 100
    label_baskets: int = 1  # latest baskets of a history that the ranker learns to foresee, each from those before it
    trees: int = 150
    leaves: int = 15
    ranker: TreeRanker | None = field(default=None, init=False)

    def fit(self, split: Split) -> None:
        """Trains the ranker on each history's latest baskets, of which it reads what came before them."""
        settings = RankerSettings(trees=self.trees, leaves=self.leaves, shrinkage=0.05, tree_rows=1_000_000)
        windows = [self._window(split, held_out) for held_out in range(1, self.label_baskets + 1)]
        self.ranker, _ = train_trees(joined(windows), settings)
        self._known = Known(split.histories, split.num_items)

    def scores(self, users: Rows) -> Scores:
        """Log-odds of the candidates, and next to nothing for all other items."""
        assert self.ranker is not None
        scores = np.full((len(users), self._known.num_items), NO_CANDIDATE, np.float32)
        rows, inputs = self._known.candidates(users, self.num_nearest, self.num_popular)
        for at, (own, ranked) in enumerate(zip(rows, self.ranker.scores(inputs), strict=True)):
            scores[at, own] = ranked
        return scores

    def _window(self, split: Split, held_out: int) -> LabelledLists:
        """Candidates as of held_out baskets ago, labelled by the basket that came then."""
        before = [own[: max(len(own) - held_out, 0)] for own in split.histories]
        users = np.array([user for user, own in enumerate(before) if own], np.int64)
        known, lists = Known(before, split.num_items), list[LabelledLists]()
        for part in np.array_split(users, max(len(users) // BATCH, 1)):
            rows, inputs = known.candidates(part, self.num_nearest, self.num_popular)
            truths = [split.histories[user][len(split.histories[user]) - held_out] for user in part]
            lists.append(labelled_lists(inputs, rows, truths))
        return joined(lists)


class Known:
    """Everything that histories say at one moment."""

    def __init__(self, histories: list[Baskets], num_items: int) -> None:
        self.num_items = num_items
        self._histories = histories
        self._nearness = TifuKnn()
        self._nearness.fit(Split(num_items, histories, histories, [], repeats=True, ordered=True, k=1))
        every = _counted((basket for own in histories for basket in own), num_items)
        owned = [np.unique(np.concatenate(own), return_counts=True) for own in histories if own]
        buyers = _counted((items for items, _ in owned), num_items)
        returning = _counted((items[counts > 1] for items, counts in owned), num_items)
        # Counts of all time: without a clock, others' latest baskets may be later than the basket to predict.
        self._popular = np.argsort(-every, kind="stable")
        returns = (returning + 0.1) / (buyers + 1.0)
        self._items = np.stack([np.log1p(every), np.log1p(buyers), returns], 1).astype(np.float32)

    def candidates(self, users: Rows, num_nearest: int, num_popular: int) -> tuple[list[Rows], list[Floats]]:
        """([k_i] item rows, [k_i, features]) of each user."""
        nearness = self._nearness.scores(users)
        rows, inputs = [], []
        for user, near in zip(users, nearness, strict=True):
            nearest = np.argpartition(-near, num_nearest)[:num_nearest]
            own = _of_user(self._histories[user])
            found = np.unique(np.concatenate([own.items, nearest, self._popular[:num_popular]]))
            rows.append(found)
            inputs.append(self._inputs(own, found, near[found]))
        return rows, inputs

    def _inputs(self, own: "Own", rows: Rows, near: Scores) -> Floats:
        """[k, features]; the first column is whether the user has had the item, as the ranker's training expects."""
        place = np.minimum(np.searchsorted(own.items, rows), max(len(own.items) - 1, 0))
        had = own.items[place] == rows if len(own.items) else np.zeros(len(rows), bool)
        pair = np.where(had[:, np.newaxis], own.columns[place], own.never) if len(own.items) else own.never
        user = np.broadcast_to(own.user, (len(rows), len(own.user)))
        pair = np.broadcast_to(pair, (len(rows), pair.shape[-1]))
        order = np.argsort(np.argsort(-near, kind="stable")).astype(np.float32)
        ranked = np.stack([near, np.log1p(order), near / max(float(near.max()), 1e-9)], 1)
        return np.concatenate([had[:, np.newaxis], pair, ranked, self._items[rows], user], 1, dtype=np.float32)


@dataclass(frozen=True)
class Own:
    """One user. Row i of columns is items[i]."""

    items: Rows  # distinct, ascending
    columns: Floats  # [items, 7]
    never: Floats  # [7] the same of an item that the user never had
    user: Floats


def _of_user(baskets: Baskets) -> Own:
    """Counts, places and gaps in baskets, latest basket 0."""
    size = len(baskets)
    flat = np.concatenate(baskets) if baskets else np.zeros(0, np.int64)
    ages = np.repeat(np.arange(size)[::-1], [len(basket) for basket in baskets]).astype(np.float32)
    items, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    latest, first = np.full(len(items), np.inf, np.float32), np.zeros(len(items), np.float32)
    np.minimum.at(latest, inverse, ages)
    np.maximum.at(first, inverse, ages)
    gap = np.where(counts > 1, (first - latest) / np.maximum(counts - 1, 1), size)
    overdue = np.where(counts > 1, np.minimum((latest + 1) / np.maximum(gap, 1.0), OVERDUE_LIMIT), 0.0)
    faded = np.bincount(inverse, weights=0.8**ages, minlength=len(items))
    columns = np.stack([counts, counts / max(size, 1), latest, first, gap, overdue, faded], 1).astype(np.float32)
    never = np.array([0, 0, size, size, size, 0, 0], np.float32)
    return Own(items, columns, never, np.array([size, len(items), len(flat) / max(size, 1)], np.float32))


def _counted(parts: Iterable[Rows], num_items: int) -> npt.NDArray[np.float64]:
    joined = np.concatenate([np.zeros(0, np.int64), *parts])
    return np.bincount(joined, minlength=num_items).astype(np.float64)
