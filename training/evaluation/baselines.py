"""The lists to beat: popularity, recent popularity, P-TopFreq and GP-TopFreq (Li et al., arXiv 2109.14233)."""

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from contracts.features.history import UserHistory
from training.metrics.ranking_metrics import without


def top_rows(scores: npt.NDArray[np.float32], k: int) -> Rows:
    """[k] rows of the highest scores, ties by row."""
    return np.argsort(-scores, kind="stable")[:k]


def personal_frequency(history: UserHistory) -> Rows:
    """P-TopFreq: the user's items by number of baskets, ties by recency."""
    return history.item_rows[np.argsort(-history.counts, kind="stable")]


def personal_then_popular(history: UserHistory, popular: Rows, k: int) -> Rows:
    """GP-TopFreq: P-TopFreq, filled up with popular items."""
    own = personal_frequency(history)[:k]
    return np.concatenate([own, without(popular[: k + len(history)], history.item_rows)])[:k]
