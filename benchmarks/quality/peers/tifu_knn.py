"""TIFU-KNN (Hu et al., SIGIR 2020): time-decayed personal frequencies, mixed with similar users' frequencies."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from benchmarks.quality.peers.peer import Scores
from benchmarks.quality.splits import Baskets, Split
from contracts.arrays import Rows


@dataclass
class TifuKnn:
    """Names as in the paper: decay within a group of baskets, decay between groups, neighbours, share of own taste."""

    within_decay: float = 0.9
    group_decay: float = 0.7
    group_size: int = 7
    neighbours: int = 300
    own_share: float = 0.7

    def fit(self, split: Split) -> None:
        """One vector a user."""
        vectors = [self._vector(own) for own in split.histories]
        rows = np.repeat(np.arange(len(vectors)), [len(items) for items, _ in vectors])
        shape = (len(vectors), split.num_items)
        items = np.concatenate([items for items, _ in vectors])
        weights = np.concatenate([weights for _, weights in vectors])
        self._vectors = sp.csr_matrix((weights, (rows, items)), shape, dtype=np.float32)
        self._squares = np.asarray(self._vectors.multiply(self._vectors).sum(axis=1)).ravel()

    def scores(self, users: Rows) -> Scores:
        """Own vector and the mean of the nearest users' (Euclidean distance); nothing for whom no user is near."""
        own = self._vectors[users]
        distances = self._squares[np.newaxis] - 2.0 * np.asarray((own @ self._vectors.T).todense())
        distances[np.arange(len(users)), users] = np.inf  # a user is not a neighbour of their own
        k = min(self.neighbours, distances.shape[1] - 1)
        nearest = np.argpartition(distances, k, axis=1)[:, :k]
        rows = np.repeat(np.arange(len(users)), k)
        shares = np.full(nearest.size, 1.0 / k, np.float32)
        mixing = sp.csr_matrix((shares, (rows, nearest.ravel())), (len(users), self._vectors.shape[0]))
        mixed = self.own_share * own + (1.0 - self.own_share) * (mixing @ self._vectors)
        scores: Scores = np.asarray(mixed.todense(), dtype=np.float32)
        scores[self._squares[users] == 0] = 0.0  # without a history the nearest are those with the least of one
        return scores

    def _vector(self, baskets: Baskets) -> tuple[Rows, Scores]:
        """(items, weights): baskets in groups from the latest backwards, decayed within and between groups."""
        if not baskets:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        age = np.arange(len(baskets))[::-1]
        group, place = age // self.group_size, age % self.group_size
        sizes = np.bincount(group)[group]
        weight = self.within_decay**place / sizes * self.group_decay**group / (group.max() + 1)
        items = np.concatenate(baskets)
        weights = np.repeat(weight, [len(basket) for basket in baskets])
        distinct, inverse = np.unique(items, return_inverse=True)
        return distinct, np.bincount(inverse, weights=weights).astype(np.float32)
