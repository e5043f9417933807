"""One question to a recommender: what it may learn from, whom it is asked about, and what they chose next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Baskets = list[Rows]
"""Baskets of one user, oldest first; a set without baskets has one item in each."""


@dataclass(frozen=True)
class Split:
    """Entry i of histories, learned and truths belongs to user i; items are 0..num_items - 1."""

    num_items: int
    histories: list[Baskets]  # what is known of a user when the list is made
    learned: list[
        Baskets
    ]  # what a model's weights may be fitted to: histories, or less where the published protocol is
    truths: list[Rows]  # what the user chose next; empty for users that are not asked about
    repeats: bool  # whether an item of the history may be recommended again
    ordered: bool  # whether the order of a history means time
    k: int  # the length of list that is judged

    @property
    def users(self) -> Rows:
        """Users that have a truth: those who are asked about."""
        return np.array([user for user, truth in enumerate(self.truths) if len(truth)], dtype=np.int64)


@dataclass(frozen=True)
class DataSet:
    """A set with the split that is tuned on and the one that is printed; both are read when they are asked for."""

    title: str
    metrics: tuple[str, str]  # names of the two figures of metrics.per_user, Recall and NDCG
    validation: Callable[[], Split]
    test: Callable[[], Split]
    published: Mapping[str, tuple[float, float]]  # by model: the two figures as others print them
    bounds: tuple[tuple[float, float], tuple[float, float]] | None = None  # what ours must reach, what it aims at


def shortened(split: Split, num_users: int) -> Split:
    """The same question about the first users alone, for a smoke run; the catalogue stays."""
    return Split(
        split.num_items, split.histories[:num_users], split.learned[:num_users], split.truths[:num_users],
        split.repeats, split.ordered, split.k,
    )  # fmt: skip
