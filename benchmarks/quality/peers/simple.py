"""Popularity, personal frequency and neighbourhoods: what needs no training to speak of."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from benchmarks.quality.peers.peer import NO_CANDIDATE, Scores, counts, learned_counts
from benchmarks.quality.splits import Split
from contracts.arrays import Rows


@dataclass
class Popularity:
    """Users that have an item, the same list for everybody."""

    def fit(self, split: Split) -> None:
        """Counts users per item."""
        self._popularity = np.asarray(learned_counts(split, binary=True).sum(axis=0), dtype=np.float32).ravel()

    def scores(self, users: Rows) -> Scores:
        """The same row for each user."""
        return np.tile(self._popularity, (len(users), 1))


@dataclass
class GpTopFreq:
    """The user's own items by frequency, then popular ones (Li et al., arXiv 2109.14233)."""

    def fit(self, split: Split) -> None:
        """Counts baskets per user and item, and per item."""
        self._own = counts(split)
        popularity = np.asarray(self._own.sum(axis=0), dtype=np.float32).ravel()
        self._tie = popularity / (popularity.max() + 1.0)

    def scores(self, users: Rows) -> Scores:
        """Frequency, with popularity below one as the tie-breaker."""
        scores: Scores = np.asarray(self._own[users].todense(), dtype=np.float32) + self._tie
        return scores


@dataclass
class ItemKnn:
    """Cosine between items' user sets, shrunk, nearest neighbours only (Sarwar et al. 2001).

    Only the max_items most popular take part: users with hundreds of items make pairs of all of them.
    """

    neighbours: int = 100
    shrink: float = 10.0
    max_items: int = 50_000

    def fit(self, split: Split) -> None:
        """Similarities of all pairs that occur together, cut to the nearest."""
        learned = learned_counts(split, binary=True)
        self._items = _most_popular(learned, self.max_items)
        self._num_items = split.num_items
        self._own = counts(split, binary=True)[:, self._items].tocsr()
        learned = learned[:, self._items].tocsr()
        norms = np.sqrt(np.asarray(learned.sum(axis=0)).ravel())
        together = (learned.T @ learned).tocsr()
        rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        together.data /= norms[rows] * norms[together.indices] + self.shrink
        together.setdiag(0)
        self._similar = _nearest(together, self.neighbours)

    def scores(self, users: Rows) -> Scores:
        """Sum of similarities to the user's items."""
        scores = np.zeros((len(users), self._num_items), np.float32)
        scores[:, self._items] = (self._own[users] @ self._similar.T).todense()
        return scores


@dataclass
class Ease:
    """The closed form of an item-item model with zero diagonal (Steck, WWW 2019).

    Only the max_items most popular take part, the others score nothing: the inverse costs their number cubed, which for
    41,000 is half an hour on two cores.
    """

    regularization: float = 500.0
    max_items: int = 12_500

    def fit(self, split: Split) -> None:
        """Inverts the regularised Gram matrix, by Cholesky in place: [max_items, max_items] in float32."""
        learned = learned_counts(split, binary=True)
        self._items = _most_popular(learned, self.max_items)
        self._num_items = split.num_items
        self._own = counts(split, binary=True)[:, self._items].tocsr()
        learned = learned[:, self._items].tocsr()
        gram = np.asarray((learned.T @ learned).todense(), dtype=np.float32, order="F")
        gram[np.diag_indices_from(gram)] += self.regularization
        factor, _ = lapack.spotrf(gram, lower=True, overwrite_a=True)
        inverse, _ = lapack.spotri(factor, lower=True, overwrite_c=True)
        lower = np.tril(inverse, -1)
        diagonal = np.diag(inverse).copy()
        self._weights = -(lower + lower.T) / diagonal

    def scores(self, users: Rows) -> Scores:
        """The user's row times the weights."""
        scores = np.full((len(users), self._num_items), NO_CANDIDATE, np.float32)
        scores[:, self._items] = self._own[users] @ self._weights
        return scores


def _most_popular(learned: sp.csr_matrix, max_items: int) -> Rows:
    """Ascending."""
    popularity = np.asarray(learned.sum(axis=0)).ravel()
    return np.sort(np.argsort(-popularity, kind="stable")[:max_items])


def _nearest(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """Each row cut to its k largest entries."""
    for row in range(matrix.shape[0]):
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        if len(values) > k:
            values[np.argpartition(-values, k)[k:]] = 0.0
    matrix.eliminate_zeros()
    return matrix
