"""Mined negatives of small catalogues, and their share of the candidates, by hand."""

import numpy as np
import pytest

from training.keras2 import tf
from training.retrieval.hard_negatives import KEPT, HardNegatives
from training.settings import TwoTowerSettings


def test_hard_negatives_are_near_and_not_bought() -> None:
    """Two users on two axes, items along them: each gets its own axis, less what it has bought, and its share of Q."""
    items = np.repeat(np.eye(2, dtype=np.float32), 150, axis=0) + np.arange(300, dtype=np.float32)[:, np.newaxis] / 1e4
    settings = TwoTowerSettings(batch_size=30, hard_negatives=60, uniform_negatives=10)
    taught = np.array([0, 0, 1]), np.array([149, 148, 299])  # rows of queries, items
    hard = HardNegatives(np.array([7, 8], np.int32), taught, len(items), settings)
    hard.renew(np.eye(2, dtype=np.float32), items)
    first, second = hard.items.numpy()
    assert set(first) <= set(range(50, 148)) and set(second) <= set(range(200, 299))
    assert len({*first}) == len({*second}) == KEPT
    drawn = hard.drawn_for(tf.constant([1, 1])).numpy()
    assert len(drawn) == 60 and set(drawn) <= set(second)
    q = hard.probabilities.numpy()
    assert q.sum() == pytest.approx(1.0, rel=1e-4)
    assert q[149] == pytest.approx((30 / 3 + 10 / 300) / 100) and q[first[0]] == pytest.approx((10 / 300 + 3) / 100)


def test_hard_negatives_of_a_user_are_all_that_was_not_bought() -> None:
    """13 items, all of them near: of three that a user has bought none is left, and ten are."""
    users, size = np.array([7, 8], np.int32), 13
    taught = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 5, 11])
    hard = HardNegatives(users, taught, size, TwoTowerSettings(batch_size=6, hard_negatives=10))
    embeddings = np.random.default_rng(3).random((size, 2), np.float32)
    hard.renew(np.eye(2, dtype=np.float32), embeddings)
    first, second = (sorted(rows) for rows in hard.items.numpy().tolist())
    assert first == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert second == [1, 2, 3, 4, 6, 7, 8, 9, 10, 12]
    # 6 of 16 candidates by the six positives, 10 by the twenty that are mined: item 12 is mined twice and bought never.
    q = hard.probabilities.numpy()
    assert (q[12], q[0]) == (pytest.approx(10 / 16 * 2 / 20), pytest.approx(6 / 16 * 2 / 6))


def test_who_has_bought_nearly_everything_has_negatives_from_all_of_the_catalogue() -> None:
    size = 13
    taught = np.zeros(9, np.int64), np.arange(9)
    hard = HardNegatives(np.array([7], np.int32), taught, size, TwoTowerSettings(batch_size=6, hard_negatives=10))
    hard.renew(np.ones((1, 2), np.float32), np.random.default_rng(3).random((size, 2), np.float32))
    (mined,) = hard.items.numpy().tolist()
    assert {9, 10, 11, 12} <= set(mined) <= set(range(size))
    assert len(mined) == KEPT and len(set(mined[4:])) > 1  # six are drawn, one by one


def test_fewer_items_than_are_kept_are_filled_up_from_all_of_them() -> None:
    """4 items: what was not bought is mined once each, and the rest of the ten are drawn from the catalogue."""
    taught = np.array([0, 1, 1, 1, 1]), np.array([2, 0, 1, 2, 3])
    settings = TwoTowerSettings(batch_size=6, hard_negatives=10)
    hard = HardNegatives(np.array([7, 8], np.int32), taught, 4, settings)
    hard.renew(np.eye(2, dtype=np.float32), np.random.default_rng(3).random((4, 2), np.float32))
    first, second = hard.items.numpy().tolist()
    assert sorted(first[:3]) == [0, 1, 3]
    assert len(first) == len(second) == KEPT
    assert set(first[3:]) | set(second) <= {0, 1, 2, 3} and len(set(second)) > 1  # the second has bought all four
    assert hard.probabilities.numpy().sum() == pytest.approx(1.0, rel=1e-5)


def test_every_query_of_a_batch_and_every_mined_item_may_be_drawn() -> None:
    items = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    settings = TwoTowerSettings(batch_size=30, hard_negatives=2000)
    hard = HardNegatives(np.array([7, 8, 9], np.int32), (np.array([0]), np.array([39])), len(items), settings)
    assert not hard.items.numpy().any() and not hard.probabilities.numpy().any()  # nothing is mined yet
    assert (hard.items.dtype, hard.probabilities.dtype) == (tf.int64, tf.float32)
    assert not hard.items.trainable and not hard.probabilities.trainable
    hard.renew(np.eye(2, dtype=np.float32)[[0, 1, 0]], items)
    first, second, _ = hard.items.numpy()
    drawn = hard.drawn_for(tf.constant([1, 0])).numpy()
    assert set(drawn) == set(first) | set(second)


def test_a_seed_mines_the_same_items_again() -> None:
    mined = []
    for seed in (5, 5, 6):
        hard = HardNegatives(
            np.array([7], np.int32), (np.array([0]), np.array([0])), 300, TwoTowerSettings(seed=seed, hard_negatives=10)
        )
        hard.renew(np.ones((1, 2), np.float32), np.random.default_rng(3).random((300, 2), np.float32))
        mined.append(hard.items.numpy().tolist())
    assert mined[0] == mined[1] != mined[2]
