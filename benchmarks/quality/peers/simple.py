"""Popularity, personal frequency and neighbourhoods: what needs no training to speak of."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from benchmarks.quality.peers.peer import Scores, counts
from benchmarks.quality.splits import Rows, Split


@dataclass
class Popularity:
    """Users that have an item, the same list for everybody."""

    def fit(self, split: Split) -> None:
        """Counts users per item."""
        self._popularity = np.asarray(counts(split, binary=True).sum(axis=0), dtype=np.float32).ravel()

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
    """Cosine between items' user sets, shrunk, nearest neighbours only (Sarwar et al. 2001)."""

    neighbours: int = 100
    shrink: float = 10.0

    def fit(self, split: Split) -> None:
        """Similarities of all pairs that occur together, cut to the nearest."""
        self._own = counts(split, binary=True)
        norms = np.sqrt(np.asarray(self._own.sum(axis=0)).ravel())
        together = (self._own.T @ self._own).tocsr()
        rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        together.data /= norms[rows] * norms[together.indices] + self.shrink
        together.setdiag(0)
        self._similar = _nearest(together, self.neighbours)

    def scores(self, users: Rows) -> Scores:
        """Sum of similarities to the user's items."""
        return np.asarray((self._own[users] @ self._similar.T).todense(), dtype=np.float32)


@dataclass
class Ease:
    """The closed form of an item-item model with zero diagonal (Steck, WWW 2019)."""

    regularization: float = 500.0

    def fit(self, split: Split) -> None:
        """Inverts the regularised Gram matrix: [num_items, num_items] in float32."""
        self._own = counts(split, binary=True)
        gram = np.asarray((self._own.T @ self._own).todense(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += self.regularization
        inverse = np.linalg.inv(gram)
        self._weights = -inverse / np.diag(inverse)
        self._weights[np.diag_indices_from(self._weights)] = 0.0

    def scores(self, users: Rows) -> Scores:
        """The user's row times the weights."""
        return np.asarray(self._own[users] @ self._weights, dtype=np.float32)


def _nearest(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """Each row cut to its k largest entries."""
    for row in range(matrix.shape[0]):
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        if len(values) > k:
            values[np.argpartition(-values, k)[k:]] = 0.0
    matrix.eliminate_zeros()
    return matrix
