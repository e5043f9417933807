"""Lists of what goes with an item, judged by baskets that nothing has seen."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from contracts.arrays import Doubles, Rows
from training.dataset.baskets import Baskets

PER_BASKET = 10
SEED = 17


class Question(NamedTuple):
    """Items of one basket, and the others in it, which are to be found."""

    user: int
    asked: Rows  # catalogue rows; one for `similar`, several for the basket so far
    truth: Rows


def similar_questions(baskets: Baskets, most: int) -> list[Question]:
    """Each of up to PER_BASKET items of a basket, asked for the rest of it; at most this many, drawn evenly."""
    questions = []
    for user, items in _drawn(baskets):
        questions += [Question(user, items[at : at + 1], np.delete(items, at)) for at in range(len(items[:PER_BASKET]))]
    return _sampled(questions, most)


def basket_questions(baskets: Baskets, most: int) -> list[Question]:
    """One half of each basket, asked for the other; at most this many."""
    halves = [(user, items, (len(items) + 1) // 2) for user, items in _drawn(baskets)]
    return _sampled([Question(user, items[:half], items[half:]) for user, items, half in halves], most)


def recall(questions: Sequence[Question], answer: Callable[[Rows], Rows], k: int) -> tuple[Doubles, Rows]:
    """([users] mean over a user's questions of the share of the truth among the first k, [users] who they are)."""
    shares = np.array([np.isin(one.truth, answer(one.asked)[:k]).mean() for one in questions])
    users, at = np.unique([one.user for one in questions], return_inverse=True)
    return np.bincount(at, shares) / np.bincount(at), users


def _drawn(baskets: Baskets) -> list[tuple[int, Rows]]:
    """(user, items in an order of chance) of each basket with two items or more."""
    random, held = np.random.default_rng(SEED), baskets.items
    spans = zip(baskets.users.tolist(), held.indptr[:-1].tolist(), held.indptr[1:].tolist(), strict=True)
    return [
        (user, random.permutation(held.indices[start:end]).astype(np.int64))
        for user, start, end in spans
        if end - start > 1
    ]


def _sampled(questions: list[Question], most: int) -> list[Question]:
    if len(questions) <= most:
        return questions
    kept = np.sort(np.random.default_rng(SEED).choice(len(questions), most, replace=False))
    return [questions[at] for at in kept.tolist()]
