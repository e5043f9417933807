"""Recall and NDCG per user, with intervals by bootstrap over users."""

import numpy as np
import numpy.typing as npt

from benchmarks.quality.splits import Rows

Values = npt.NDArray[np.float64]
BOOTSTRAP_ROUNDS = 1000
BOOTSTRAP_SEED = 5


def per_user(lists: Rows, truths: list[Rows], k: int) -> tuple[Values, Values]:
    """([users] recall@k, [users] NDCG@k) of lists [users, >= k], -1 where a list is short.

    Recall divides by all truths; the ideal DCG puts min(truths, k) hits first (LightGCN's definition).
    """
    hit = np.stack([np.isin(row[:k], truth) & (row[:k] >= 0) for row, truth in zip(lists, truths, strict=True)])
    sizes = np.array([len(truth) for truth in truths], dtype=np.float64)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes.astype(int), k) - 1]
    return hit.sum(axis=1) / sizes, (hit * discounts).sum(axis=1) / ideal


def interval(values: Values) -> tuple[float, float, float]:
    """(mean, lower, upper) with a 95 % percentile bootstrap over users (Efron and Tibshirani 1993, chapter 13)."""
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    means = [values[generator.integers(0, len(values), len(values))].mean() for _ in range(BOOTSTRAP_ROUNDS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
