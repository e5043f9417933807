"""Recall and NDCG per user at the k of a set, with intervals by bootstrap over users: by the pipeline's own code."""

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from training.metrics import intervals
from training.metrics.ranking_metrics import hits, ndcg

Values = npt.NDArray[np.float64]


def per_user(lists: Rows, truths: list[Rows], k: int) -> tuple[Values, Values]:
    """([users] recall@k, [users] NDCG@k) of lists [users, >= k], -1 where a list is short.

    Recall divides by all truths; the ideal DCG puts min(truths, k) hits first (LightGCN's definition).
    """
    hit = hits(lists[:, :k], truths)
    sizes = np.array([len(truth) for truth in truths], dtype=np.float64)
    return hit.sum(axis=1) / sizes, ndcg(hit, sizes, k)


def interval(values: Values) -> tuple[float, float, float]:
    """(mean, lower, upper) with a 95 % percentile bootstrap over users."""
    found = intervals.interval(values)
    return found.mean, found.low, found.high
