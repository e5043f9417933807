"""What every recommender of the table does: learn from a split, then rank all items for some of its users."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from benchmarks.quality.splits import Baskets, Split
from contracts.arrays import Rows

Scores = npt.NDArray[np.float32]
RECENT_DAYS = 28
NO_CANDIDATE = -1e9
"""The score of an item that a peer leaves out."""


class Peer(Protocol):
    """One recommender with its hyper-parameters set."""

    def fit(self, split: Split) -> None:
        """Learns from the histories of all users."""
        ...

    def scores(self, users: Rows) -> Scores:
        """[len(users), num_items]; higher is better."""
        ...


def counts(split: Split, *, binary: bool = False) -> sp.csr_matrix:
    """[users, num_items] how many of a user's baskets hold an item when the list is made, or whether any does."""
    return _counts(split.histories, split.num_items, binary)


def learned_counts(split: Split, *, binary: bool = False) -> sp.csr_matrix:
    """[users, num_items] of what weights may be fitted to."""
    return _counts(split.learned, split.num_items, binary)


def _counts(users: list[Baskets], num_items: int, binary: bool) -> sp.csr_matrix:
    rows = np.repeat(np.arange(len(users)), [sum(map(len, own)) for own in users])
    columns = np.concatenate([basket for own in users for basket in own])
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(users), num_items))
    matrix.sum_duplicates()
    if binary:
        matrix.data[:] = 1.0
    return matrix


def top_lists(peer: Peer, split: Split, seen: sp.csr_matrix, batch: int = 512) -> Rows:
    """[users, k] of split.users, best first; what a user has seen is left out where the split says so.

    A peer that says nothing of a user, as of one without a history, is filled with what is popular: so would a shop do.
    """
    lists, popular = [], popularity(split)
    for start in range(0, len(split.users), batch):
        users = split.users[start : start + batch]
        scores = np.array(peer.scores(users), dtype=np.float32)
        silent = ~np.any((scores != 0) & (scores > NO_CANDIDATE), axis=1)
        scores[silent] = popular
        if not split.repeats:
            own = seen[users]
            scores[np.repeat(np.arange(len(users)), np.diff(own.indptr)), own.indices] = -np.inf
        best = np.argpartition(-scores, split.k - 1, axis=1)[:, : split.k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        lists.append(np.take_along_axis(best, order, axis=1))
    return np.concatenate(lists)


def popularity(split: Split) -> Scores:
    """[num_items] baskets of the last RECENT_DAYS that hold an item, of all time where the set has no clock."""
    baskets = [
        basket
        for user, own in enumerate(split.histories)
        for at, basket in enumerate(own)
        if split.ages is None or split.ages[user][at] <= RECENT_DAYS
    ]
    rows = np.concatenate([np.zeros(0, np.int64), *baskets])
    return np.bincount(rows, minlength=split.num_items).astype(np.float32)
