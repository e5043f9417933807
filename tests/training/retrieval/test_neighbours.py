"""Item-to-item weights from a log whose answer is obvious."""

import numpy as np
import pytest

from contracts.arrays import Rows
from contracts.features.names import DAY_SECONDS
from contracts.ranking.neighbours import HALF_LIFE_DAYS, Neighbours
from training.dataset.purchase_log import PurchaseLog
from training.retrieval.neighbours import learn_neighbours
from training.settings import NeighbourSettings

NOW = 400 * int(DAY_SECONDS)
SETTINGS = NeighbourSettings(regularization=1.0)


def log(*lines: tuple[int, int, float]) -> PurchaseLog:
    """(user, item, days ago) of each line."""
    users, items, days = zip(*lines, strict=True) if lines else ((), (), ())
    ages: Rows = (np.array(days, np.float64) * DAY_SECONDS).astype(np.int64)
    return PurchaseLog(np.array(users, np.int64), np.array(items, np.int64), NOW - ages)


def weight(found: Neighbours, source: int, target: int) -> float:
    places = found.places_of(np.array([source, target], np.int64))
    at = np.flatnonzero(found.near[places[0]] == places[1])
    return float(found.weights[places[0]][at].sum()) if places.all() else 0.0


def checkerboard() -> PurchaseLog:
    """Four users buy 0 and 1, four others 2 and 3."""
    return log(*((user, item + 2 * (user % 2), 1) for user in range(8) for item in (0, 1)))


def test_what_the_same_people_buy_is_near() -> None:
    found = learn_neighbours(checkerboard(), NOW, 5, SETTINGS)
    assert found.rows.tolist() == [0, 1, 2, 3]  # nobody buys item 4
    assert weight(found, 0, 1) > 0.5
    assert weight(found, 0, 2) == weight(found, 0, 0) == 0


def test_weights_are_those_of_a_linear_model() -> None:
    """Two items with two buyers each, both today: G + I = [[3, 2], [2, 3]], its inverse [[3, -2], [-2, 3]] / 5, so B is
    2/3 off the diagonal."""
    found = learn_neighbours(log((0, 0, 0.0001), (0, 1, 0.0001), (1, 0, 0.0001), (1, 1, 0.0001)), NOW, 2, SETTINGS)
    assert weight(found, 0, 1) == pytest.approx(2 / 3, abs=1e-4)


def test_fewer_users_than_items_have_the_same_weights() -> None:
    """Two users who buy 0, 1 and 2 today. G + I = I + 2J of three items, its inverse I - 2J / 7, so B is 2/5 off the
    diagonal: by users' inner products here, and by items' where a third user buys nothing of it."""
    both = [(user, item, 0.0001) for user in (0, 1) for item in (0, 1, 2)]
    more = [(user, 3, 0.0001) for user in (2, 3, 4)]
    for lines in (both, both + more):
        found = learn_neighbours(log(*lines), NOW, 4, SETTINGS)
        found_weights = [weight(found, source, target) for source, target in ((0, 1), (2, 0), (1, 1))]
        assert found_weights == pytest.approx([2 / 5, 2 / 5, 0], abs=1e-4)


def test_purchases_fade() -> None:
    """The same a half-life ago: each strength is a half, G + I = [[1.5, .5], [.5, 1.5]], so B is 1/3."""
    old = [(user, item, HALF_LIFE_DAYS) for user in (0, 1) for item in (0, 1)]
    assert weight(learn_neighbours(log(*old), NOW, 2, SETTINGS), 0, 1) == pytest.approx(1 / 3, abs=1e-4)


def test_the_latest_of_several_purchases_counts() -> None:
    once = [(user, item, HALF_LIFE_DAYS) for user in (0, 1) for item in (0, 1)]
    earlier = [(user, item, 300.0) for user in (0, 1) for item in (0, 1)]
    assert weight(learn_neighbours(log(*earlier, *once), NOW, 2, SETTINGS), 0, 1) == pytest.approx(1 / 3, abs=1e-4)


def test_nothing_from_the_moment_on_is_read() -> None:
    later = [(user, item, -1.0) for user in (5, 6) for item in (0, 3)]
    board = checkerboard()
    planted = PurchaseLog(
        *(np.concatenate([a, b]) for a, b in zip(vars(board).values(), vars(log(*later)).values(), strict=True))
    )
    assert weight(learn_neighbours(planted, NOW, 5, SETTINGS), 0, 3) == 0


def test_the_most_bought_items_take_part() -> None:
    lines = [*((user, item, 1.0) for user in range(3) for item in (0, 1)), (0, 2, 1.0), (1, 2, 1.0), (0, 3, 1.0)]
    assert learn_neighbours(log(*lines), NOW, 4, SETTINGS).rows.tolist() == [0, 1, 2]  # item 3 has one buyer
    few = NeighbourSettings(max_items=2, per_item=1)
    found = learn_neighbours(log(*lines), NOW, 4, few)
    assert found.rows.tolist() == [0, 1]
    assert found.near.shape == (3, 1)


def test_a_log_without_purchases_has_no_weights() -> None:
    found = learn_neighbours(log(), NOW, 4, SETTINGS)
    assert len(found.rows) == 0
    assert found.near.shape == (1, 0)
