"""Item-to-item weights from everybody's purchases before a moment, fading in time.

EASE (Steck, WWW 2019, https://arxiv.org/abs/1905.03375) solves a linear model of each item by all others in closed
form; of its weights the heaviest of each item are kept. A matrix of items by items is inverted, or one of users by
users where these are fewer: memory grows with its square and time with its cube. 8,000 items of more users take 0.5 GB
and some 10 s on one core. So only the most bought items take part: items with at least two buyers, and at most as many
as the settings say.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from contracts.arrays import Doubles, Floats, Rows
from contracts.features.names import DAY_SECONDS
from contracts.ranking.neighbours import HALF_LIFE_DAYS, Neighbours
from training.dataset.purchase_log import PurchaseLog
from training.settings import NeighbourSettings
from training.threads import one_blas_thread

LEAST_BUYERS = 2
BLOCK = 1024  # items whose weights are looked through at once
Block = Callable[[slice], Floats]
"""[rows, m] weights of some of m items for all of them."""


def learn_neighbours(log: PurchaseLog, now: int, num_items: int, settings: NeighbourSettings) -> Neighbours:
    """Weights from what was bought before now, Unix seconds."""
    bought = _faded(log.kept(log.seconds < now), now, num_items)
    rows = _covered(bought, settings.max_items)
    if len(rows) == 0:
        return Neighbours(rows, np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32), num_items)
    return _heaviest(rows, _ease(bought[:, rows], settings.regularization), num_items, settings.per_item)


def _faded(log: PurchaseLog, now: int, num_items: int) -> sp.csr_matrix:
    """[users, num_items] what is left of each user's latest purchase of an item, however often it was bought."""
    order = np.lexsort((log.seconds, log.items, log.users))
    users, items = log.users[order], log.items[order]
    left: Doubles = np.exp2((log.seconds[order] - now) / (HALF_LIFE_DAYS * DAY_SECONDS))
    latest = np.ones(len(users), np.bool_)
    latest[:-1] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    shape = int(users.max(initial=0)) + 1, num_items
    return sp.csr_matrix((left[latest], (users[latest], items[latest])), shape, dtype=np.float32)


def _covered(bought: sp.csr_matrix, max_items: int) -> Rows:
    """Rows of the most bought items, ascending."""
    buyers, strength = bought.getnnz(axis=0), np.asarray(bought.sum(axis=0)).ravel()
    enough = np.flatnonzero(buyers >= LEAST_BUYERS)
    most = enough[np.argsort(-strength[enough], kind="stable")[:max_items]]
    return np.sort(most).astype(np.int64)


def _ease(bought: sp.csr_matrix, regularization: float) -> Block:
    """Weights from row to column, nothing on the diagonal."""
    users, items = bought.shape
    return (_by_users if users < items else _by_items)(bought, regularization)


def _by_items(bought: sp.csr_matrix, regularization: float) -> Block:
    """With P = (X'X + λI)⁻¹ the weight of i for j is -P_ij / P_jj."""
    inverse = _inverse((bought.T @ bought).toarray(), regularization)
    scale: Floats = (-1 / np.diag(inverse)).astype(np.float32)
    return lambda rows: _without_own(inverse[rows] * scale, rows)


def _by_users(bought: sp.csr_matrix, regularization: float) -> Block:
    """The same from users' inner products, the smaller matrix where there are fewer users than items.

    By the Woodbury identity λP = I - S with S = X'(XX' + λI)⁻¹X, so that the weight is S_ij / (1 - S_jj).
    """
    solved = np.ascontiguousarray((bought.T @ _inverse((bought @ bought.T).toarray(), regularization)).T)
    own = np.asarray(bought.multiply(solved).sum(axis=0), np.float32).ravel()
    scale = (1 / (1 - own)).astype(np.float32)
    by_item = bought.T.tocsr()

    def weights(rows: slice) -> Floats:
        part: Floats = by_item[rows].toarray() @ solved * scale
        return _without_own(part, rows)

    return weights


def _inverse(gram: Floats, regularization: float) -> Floats:
    """(gram + regularization * I)⁻¹ of a symmetric matrix, by Cholesky and in place."""
    diagonal = np.arange(len(gram))
    gram[diagonal, diagonal] += regularization
    with one_blas_thread():  # the transpose is the same matrix in the order that LAPACK wants
        factor, _ = lapack.spotrf(gram.T, lower=0, overwrite_a=1)
        inverse, _ = lapack.spotri(factor, lower=0, overwrite_c=1)
    whole: Floats = np.triu(inverse) + np.triu(inverse, 1).T
    return whole


def _without_own(weights: Floats, rows: slice) -> Floats:
    """The block of these rows with nothing on the matrix's diagonal."""
    own = np.arange(len(weights))
    weights[own, own + rows.start] = 0.0
    return weights


def _heaviest(rows: Rows, weights: Block, num_items: int, per_item: int) -> Neighbours:
    """The per_item heaviest positive weights of each row."""
    k = min(per_item, len(rows))
    near, kept = np.zeros((len(rows) + 1, k), np.int32), np.zeros((len(rows) + 1, k), np.float32)

    def fill(start: int) -> None:
        part = weights(slice(start, min(start + BLOCK, len(rows))))
        best = np.argpartition(-part, k - 1, axis=1)[:, :k]
        heaviest = np.maximum(np.take_along_axis(part, best, axis=1), 0.0)
        places = slice(start + 1, start + 1 + len(part))
        kept[places], near[places] = heaviest, np.where(heaviest > 0, best + 1, 0)

    # A block a core instead of several threads a product: what is computed does not depend on the number of cores.
    with one_blas_thread(), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(fill, range(0, len(rows), BLOCK)))
    return Neighbours(rows, near, kept, num_items)
