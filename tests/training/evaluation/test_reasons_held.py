"""The share of pairs called similar that the test window bears out, on a window counted by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from contracts.arrays import Rows
from contracts.ranking.inputs import Catalogue
from contracts.ranking.related import Nearness, Related
from training.evaluation.related import reasons_held

ITEMS = 200
CUSTOMERS = 60


def customer(number: int) -> Rows:
    """Everybody takes 0 or 1 of a pair that goes together, 2 or 3 apart, and five things that nobody else takes."""
    pair = [0, 1] if number % 2 else [2 + number // 2 % 2]
    others = 4 + (number + np.arange(3) * 7) % 20  # twenty items that all take in turn
    return np.unique([*pair, *others, *(24 + (number * 2 + np.arange(2)) % (ITEMS - 24))])


def window(own: list[int], users: int) -> Any:
    truths = [customer(number) for number in range(CUSTOMERS)]
    history = SimpleNamespace(item_rows=np.array(own, np.int64))
    return SimpleNamespace(truths=truths, known=[np.array(own)] * users, histories=[history] * users, num_items=ITEMS)


def related(one: int, other: int) -> Related:
    near, weights = np.zeros((ITEMS + 1, 1), np.int32), np.zeros((ITEMS + 1, 1), np.float32)
    for source, target in ((one, other), (other, one)):
        near[source + 1], weights[source + 1] = target + 1, 0.5
    least = {Nearness.BASKETS: 0.1, Nearness.CONTENT: 0.9}
    return Related(np.arange(ITEMS), near, weights, ITEMS, least, np.ones(ITEMS + 1, np.float32))


def catalogue() -> Catalogue:
    return Catalogue({}, {}, np.zeros((ITEMS, 1), np.float32), np.zeros((ITEMS, 2), np.float32))


@pytest.mark.parametrize(("pair", "held"), [((0, 1), 1.0), ((2, 3), 0.0)])
def test_a_pair_holds_where_customers_took_both(pair: tuple[int, int], held: float) -> None:
    """Rare items of one customer, 148 of 200 here, must not set what random pairs are like."""
    one, other = pair
    lists = [np.array([one, other]), np.array([one, 5])]
    found = reasons_held(window([other], 2), lists, related(one, other), catalogue())
    assert (found["lines"], found["own"], found["similar"], found["judged"]) == (4, 1, 2, 2)
    assert found["held"] == held


def test_pairs_that_the_window_cannot_tell_about_are_counted_and_not_judged() -> None:
    found = reasons_held(window([199], 1), [np.array([0])], related(0, 199), catalogue())
    assert (found["similar"], found["judged"], found["held"]) == (1, 0, None)


def test_a_window_in_which_nothing_was_bought_often_judges_nothing() -> None:
    empty = window([1], 1)
    empty.truths = [np.array([0]), np.array([1])]
    assert reasons_held(empty, [np.array([0])], related(0, 1), catalogue())["held"] is None
    assert reasons_held(empty, [np.array([0])], None, catalogue()) == {}
