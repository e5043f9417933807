"""Peers that let purchases fade in time: EASE, and the nearest users."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from benchmarks.quality.peers.peer import NO_CANDIDATE, Scores
from benchmarks.quality.peers.simple import Ease
from benchmarks.quality.splits import Split
from contracts.arrays import Rows


def faded(split: Split, half_life_days: float) -> sp.csr_matrix:
    """[users, num_items] what is left of each user's latest purchase of an item; the split needs a clock."""
    assert split.ages is not None, "purchases fade only where the set has a clock"
    users = np.repeat(np.arange(len(split.histories)), [sum(map(len, own)) for own in split.histories])
    items = np.concatenate([np.zeros(0, np.int64), *(basket for own in split.histories for basket in own)])
    sizes = [[len(basket) for basket in own] for own in split.histories]
    ages = np.concatenate([np.repeat(own, size) for own, size in zip(split.ages, sizes, strict=True)])
    order = np.lexsort((-ages, items, users))
    users, items, ages = users[order], items[order], ages[order]
    latest = np.append((users[1:] != users[:-1]) | (items[1:] != items[:-1]), True)
    shape = len(split.histories), split.num_items
    left = np.exp2(-ages[latest] / half_life_days).astype(np.float32)
    return sp.csr_matrix((left, (users[latest], items[latest])), shape)


@dataclass
class FadingEase(Ease):
    """EASE of all purchases alike, asked with purchases that fade."""

    half_life_days: float = 60.0

    def fit(self, split: Split) -> None:
        """Fits the weights to all purchases."""
        super().fit(split)
        self._own = faded(split, self.half_life_days)[:, self._items].tocsr()

    def scores(self, users: Rows) -> Scores:
        """The user's row times the weights."""
        scores = np.full((len(users), self._num_items), NO_CANDIDATE, np.float32)
        scores[:, self._items] = self._own[users] @ self._weights
        return scores


@dataclass
class SimilarUsers:
    """What the nearest users bought, and the user's own purchases, both fading (UP-CF, Faggioli et al., UMAP 2020)."""

    neighbours: int = 100
    half_life_days: float = 60.0
    own_share: float = 0.5  # of the user's own purchases in a score; 0 where nothing is bought again

    def fit(self, split: Split) -> None:
        """Keeps everybody's fading purchases, and as rows of length 1."""
        self._bought = faded(split, self.half_life_days)
        lengths = np.sqrt(np.asarray(self._bought.multiply(self._bought).sum(axis=1)).ravel())
        self._units = sp.diags(1 / np.maximum(lengths, 1e-9)).astype(np.float32) @ self._bought

    def scores(self, users: Rows) -> Scores:
        """Means of the neighbours' purchases by cosine, and the own ones."""
        likeness = np.asarray((self._units[users] @ self._units.T).todense(), np.float32)
        likeness[np.arange(len(users)), users] = 0.0
        k = min(self.neighbours, likeness.shape[1] - 1)
        nearest = np.argpartition(-likeness, k, axis=1)[:, :k]
        weights = np.take_along_axis(likeness, nearest, axis=1)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        spans = np.arange(0, nearest.size + 1, k)
        near = sp.csr_matrix((weights.ravel(), nearest.ravel(), spans), likeness.shape) @ self._bought
        scores: Scores = np.asarray(
            (self.own_share * self._bought[users] + (1 - self.own_share) * near).todense(), np.float32
        )
        return scores
