"""What lists of related items and the word "similar" are worth, by purchases of the unseen test window."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import scipy.sparse as sp

from contracts.arrays import Floats, Rows
from contracts.ranking.inputs import Catalogue
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.related import RANDOM_SHARE, Related
from training.dataset.dataset import Dataset
from training.evaluation.window import EvaluationWindow
from training.metrics.intervals import interval
from training.retrieval.held_out_baskets import Question, basket_questions, recall, similar_questions

AT: Final = 10
QUESTIONS: Final = 5000
LINES: Final = 10
"""First lines of a list whose reasons are looked at."""
LEAST_CUSTOMERS: Final = 5
"""Of both items of a pair in the window: fewer say nothing of it."""
RANDOM_ITEMS: Final = 300
SEED: Final = 17
Answers = Mapping[str, Callable[[Rows], Rows]]
"""By name: given catalogue rows to what goes with them, best first."""


def related_recall(dataset: Dataset, related: Related | None, neighbours: Neighbours | None) -> dict[str, Any]:
    """Recall@AT of what goes with one item and with half a basket, next to popularity; empty without counts."""
    timeline = dataset.timeline
    if related is None:
        return {}
    baskets = dataset.baskets()
    test, before = baskets.between(timeline.cutoff, timeline.data_end), baskets.between(0, timeline.cutoff)
    popular = np.argsort(-np.asarray(before.items.sum(axis=0)).ravel(), kind="stable")[: 10 * AT]
    answers: Answers = {
        "related": lambda rows: related.nearest(rows, AT, neighbours=neighbours)[0],
        "popularity": lambda rows: popular[~np.isin(popular, rows)],
    }
    asked = {"similar": similar_questions(test, QUESTIONS), "basket": basket_questions(test, QUESTIONS)}
    return {name: judged(questions, answers) for name, questions in asked.items() if questions}


def judged(questions: Sequence[Question], answers: Answers) -> dict[str, Any]:
    """The number of questions and of users, and each answer's mean Recall@AT over users with its interval."""
    values = {name: recall(questions, answer, AT)[0] for name, answer in answers.items()}
    users = len({question.user for question in questions})
    return {
        "questions": len(questions),
        "users": users,
        f"recall@{AT}": {name: interval(own).to_dict() for name, own in values.items()},
    }


def reasons_held(
    window: EvaluationWindow, ranked: Sequence[Rows], related: Related | None, catalogue: Catalogue
) -> dict[str, Any]:
    """How often a list may say "similar to", and how often the test window bears it out; empty without counts.

    It does where more customers of the window bought both items, by how many bought each, than is so of RANDOM_SHARE
    of random pairs. Pairs of which an item has fewer than LEAST_CUSTOMERS in the window are counted and not judged.
    """
    if related is None:
        return {}
    lines, own, pairs = 0, 0, []
    for rows, known, history in zip(ranked, window.known, window.histories, strict=True):
        for row in rows[:LINES].tolist():
            lines += 1
            if row in known:
                own += 1
            elif (at := related.most_similar(row, history.item_rows, catalogue)) is not None:
                pairs.append((row, int(history.item_rows[at])))
    held = _Window(window.truths, window.num_items)
    judged = [pair for pair in pairs if held.can_tell(*pair)]
    true = sum(held.alike(*pair) for pair in judged)
    return {
        "lines": lines,
        "own": own,
        "similar": len(pairs),
        "judged": len(judged),
        "held": true / len(judged) if judged else None,
        "random_share": RANDOM_SHARE,
    }


class _Window:
    """Who bought what in the test window."""

    def __init__(self, truths: Sequence[Rows], num_items: int) -> None:
        users = np.repeat(np.arange(len(truths)), [len(rows) for rows in truths])
        items = np.concatenate([np.zeros(0, np.int64), *truths])
        shape = len(truths), num_items
        self._bought = sp.csc_matrix((np.ones(len(items), np.float32), (users, items)), shape)
        self._customers = np.asarray(self._bought.sum(axis=0)).ravel()
        self._least = self._beyond_random()

    def _beyond_random(self) -> float:
        """What RANDOM_SHARE of random pairs do not exceed, among the items that can be judged.

        Of rarer ones any two that a single customer took would have a cosine of 1.
        """
        often = np.flatnonzero(self._customers >= LEAST_CUSTOMERS)
        if len(often) < 2:
            return 1.0
        random, chance = np.random.default_rng(SEED), self._customers[often] / self._customers[often].sum()
        first, second = (np.unique(random.choice(often, RANDOM_ITEMS, p=chance)) for _ in range(2))
        return float(np.quantile(self._cosines(first, second)[first[:, np.newaxis] != second], RANDOM_SHARE))

    def can_tell(self, first: int, second: int) -> bool:
        return bool(min(self._customers[first], self._customers[second]) >= LEAST_CUSTOMERS)

    def alike(self, first: int, second: int) -> bool:
        return bool(self._cosines(np.array([first]), np.array([second]))[0, 0] > self._least)

    def _cosines(self, first: Rows, second: Rows) -> Floats:
        both: Floats = (self._bought[:, first].T @ self._bought[:, second]).toarray()
        lengths = np.sqrt(np.outer(self._customers[first], self._customers[second]))
        return np.asarray(both / np.maximum(lengths, 1e-9), np.float32)
