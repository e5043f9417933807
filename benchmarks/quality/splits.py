"""One question to a recommender: what it may learn from, whom it is asked about, and what they chose next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from contracts.arrays import Doubles, Rows

Baskets = list[Rows]
"""Baskets of one user, oldest first; a set without baskets has one item in each."""


@dataclass(frozen=True)
class PipelineMoment:
    """Where the product's own pipeline has trained, and the moment that its lists are made at."""

    root: Path  # of the workspace
    seconds: int  # Unix


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
    ages: list[Doubles] | None = None  # of each basket, days before the list is made; None where the set has no clock
    earlier: tuple["Split", ...] = ()  # the same question at earlier moments, whose truths may be learned from
    moment: PipelineMoment | None = None  # where the pipeline's own lists can be had

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
    oracle_share: tuple[float, float] | None = None  # of the oracle's NDCG: what ours must reach, what it aims at
    figures: Callable[[Rows, Sequence[Rows], int], tuple[Doubles, Doubles]] | None = None  # not metrics.per_user
    slices: Callable[[Split], Mapping[str, Rows]] | None = None  # positions in split.users, by name, of a second table
    reachable: Callable[[Split], Mapping[str, Doubles]] | None = (
        None  # [users] the best figure there is, by the entrant that has it
    )


def one_basket_earlier(split: Split) -> Split:
    """The same users one basket ago, asked about their latest one; those with one basket are not asked about."""
    histories = [own[:-1] for own in split.histories]
    nothing = np.zeros(0, np.int64)
    truths = [own[-1] if len(own) > 1 else nothing for own in split.histories]
    return replace(split, histories=histories, learned=histories, truths=truths)


def shortened(split: Split, num_users: int) -> Split:
    """The same question about the first users alone, for a smoke run; the catalogue stays."""
    return replace(
        split,
        histories=split.histories[:num_users],
        learned=split.learned[:num_users],
        truths=split.truths[:num_users],
        ages=split.ages[:num_users] if split.ages is not None else None,
        earlier=tuple(shortened(one, num_users) for one in split.earlier[-1:]),
    )
