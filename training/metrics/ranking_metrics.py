"""Ranking metrics over the full catalogue; never over a sample of it (Krichene and Rendle, KDD 2020)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows

RECALL_AT = (20, 100)
NDCG_AT = 20
PRECISION_AT = 5


def hits(lists: Rows, truths: Sequence[Rows]) -> npt.NDArray[np.bool_]:
    """[users, k] whether position j of user i's list is one of the truths; -1 fills short lists and never hits."""
    return np.stack([among(row, truth) & (row >= 0) for row, truth in zip(lists, truths, strict=True)])


def per_user_metrics(lists: Rows, truths: Sequence[Rows]) -> dict[str, npt.NDArray[np.float64]]:
    """[users] values of recall@20, recall@100, ndcg@20 and precision@5. Users without truth must be left out before.

    Recall divides by all truths; the ideal DCG puts min(truths, k) hits first; gains are binary.
    """
    hit = hits(lists, truths)
    sizes = np.array([len(truth) for truth in truths], dtype=np.float64)
    if np.any(sizes == 0):
        raise ValueError("A user without truths has no recall; leave such users out.")
    values = {f"recall@{k}": hit[:, :k].sum(axis=1) / sizes for k in RECALL_AT}
    values[f"ndcg@{NDCG_AT}"] = ndcg(hit, sizes, NDCG_AT)
    values[f"precision@{PRECISION_AT}"] = hit[:, :PRECISION_AT].sum(axis=1) / PRECISION_AT
    return values


def ndcg(hit: npt.NDArray[np.bool_], sizes: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
    """[users] NDCG@k of hits [users, at least k or all there is]; sizes: [users] number of truths, none of them 0."""
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes.astype(int), k) - 1]
    top = hit[:, :k]
    values: npt.NDArray[np.float64] = (top * discounts[: top.shape[1]]).sum(axis=1) / ideal
    return values


def summary(lists: Rows, values: Mapping[str, npt.NDArray[np.float64]], num_items: int) -> dict[str, float]:
    """Means over users of their metrics, and the share of the catalogue that the top 20 of all users together show."""
    means = {name: float(own.mean()) for name, own in values.items()}
    shown = lists[:, :NDCG_AT]
    means[f"coverage@{NDCG_AT}"] = len(np.unique(shown[shown >= 0])) / num_items
    return means


def padded(lists: Sequence[Rows], k: int) -> Rows:
    """[users, k] from lists of any length, cut or filled with -1."""
    matrix = np.full((len(lists), k), -1, np.int64)
    for row, items in enumerate(lists):
        matrix[row, : min(len(items), k)] = items[:k]
    return matrix


def without(rows: Rows, excluded: Rows) -> Rows:
    """rows in their order, less the excluded."""
    return rows[~among(rows, excluded)]


def among(rows: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    """[k] whether each of the catalogue rows is one of the others."""
    # By a table over the catalogue: numpy would sort both for each user, which takes four times as long.
    return np.isin(rows, others, kind="table")
