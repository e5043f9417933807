"""What a step of the network reads, and its loss by hand."""

import math

import numpy as np
import pytest

from contracts.ranking.inputs import RANKING_FEATURES
from training.keras2 import tf
from training.ranking.labelled_lists import BOUGHT, VIEWED, LabelledLists
from training.ranking.lessons import COUNT_COLUMNS, EASY_KEPT, HARDEST, LEVEL_SPREAD, Lessons, move_levels
from training.ranking.neural import listwise_loss

pytestmark = pytest.mark.tf


def lists_of(*labels: list[float]) -> LabelledLists:
    """Lists whose one input is the candidate's place."""
    inputs = tuple(np.arange(len(own), dtype=np.float32)[:, np.newaxis] for own in labels)
    return LabelledLists(inputs, tuple(np.array(own, np.float32) for own in labels), (1,) * len(labels))


def test_listwise_loss_ignores_padding_and_shares_the_target() -> None:
    labels = tf.constant([[1.0, 1.0, 0.0, 0.0]])
    scores = tf.constant([[1.0, 0.0, 0.0, 9.0]])  # the last is padding; its score must not matter
    weights = tf.constant([[1.0, 1.0, 1.0, 0.0]])
    log_sum = math.log(math.e + 1 + 1)
    # Half the target on each of the two bought items: −½ (1 − logsum) − ½ (0 − logsum)
    assert float(listwise_loss(labels, scores, weights)) == pytest.approx(log_sum - 0.5, rel=1e-5)


def test_a_candidate_that_stands_for_four_is_worth_four() -> None:
    one = listwise_loss(tf.constant([[1.0, 0.1]]), tf.constant([[1.0, 0.5]]), tf.constant([[1.0, 4.0]]))
    four = listwise_loss(
        tf.constant([[1.0, 0.1, 0.1, 0.1, 0.1]]), tf.constant([[1.0, 0.5, 0.5, 0.5, 0.5]]), tf.ones((1, 5))
    )
    # Of the target 1 / 1.4 lies on the first, .4 / 1.4 on the others: logsum − (1 · 1 + .4 · .5) / 1.4
    by_hand = math.log(math.e + 4 * math.exp(0.5)) - 1.2 / 1.4
    assert float(one) == pytest.approx(by_hand, rel=1e-5)
    assert float(four) == pytest.approx(by_hand, rel=1e-5)


def test_lists_without_a_measure_of_hardness_are_read_whole() -> None:
    lists = lists_of([BOUGHT, 0.0, VIEWED], [0.0, BOUGHT])
    soft = [np.array([0.5, 0.25, 0.0], np.float32), np.array([0.0, 1.0], np.float32)]
    lessons = Lessons(lists, soft, None)
    inputs, labels, weights = lessons.padded(np.array([1, 0]), 3, np.random.default_rng(1))
    assert inputs[..., 0].tolist() == [[0, 1, 0], [0, 1, 2]]
    assert weights.tolist() == [[1, 1, 0], [1, 1, 1]]
    # Heads: bought (with the soft labels), chosen, viewed.
    assert labels[0].tolist() == [[0, 0, 0], [2, 1, 1], [0, 0, 0]]
    assert labels[1].tolist() == [[1.5, 1, 1], [0.25, 0, 0], [0, 0, 1]]


def test_what_is_labelled_or_hard_is_always_read_and_a_part_of_the_rest() -> None:
    labels = [0.0] * 1000
    labels[999] = BOUGHT  # the easiest, and bought
    labels[998] = VIEWED
    hardness = -np.arange(1000, dtype=np.float32)  # the first are the hardest
    lessons = Lessons(lists_of(labels), None, [hardness])
    draw, drawn = np.random.default_rng(2), []
    for _ in range(3):
        inputs, _, weights = lessons.padded(np.array([0]), 1, draw)
        places = inputs[0, :, 0].astype(int)
        certain = [*range(HARDEST), 998, 999]
        assert set(certain) <= set(places.tolist())
        stands_for = dict(zip(places.tolist(), weights[0].tolist(), strict=True))
        assert {stands_for[place] for place in certain} == {1.0}
        easy = set(places.tolist()) - set(certain)
        assert {stands_for[place] for place in easy} == {float(EASY_KEPT)}
        assert len(easy) == pytest.approx((1000 - len(certain)) / EASY_KEPT, rel=0.2)
        drawn.append(easy)
    assert drawn[0] != drawn[1] != drawn[2]  # others each time


def test_a_list_of_few_is_read_whole() -> None:
    lessons = Lessons(lists_of([0.0] * (HARDEST - 1) + [BOUGHT]), None, [np.zeros(HARDEST, np.float32)])
    inputs, _, weights = lessons.padded(np.array([0]), 1, np.random.default_rng(3))
    assert inputs.shape == (1, HARDEST, 1) and (weights == 1).all()


def test_all_counts_of_a_list_move_by_the_same_and_nothing_else_does() -> None:
    inputs = np.full((2000, 3, len(RANKING_FEATURES)), 4.0, np.float32)
    inputs[:, 1, COUNT_COLUMNS] = 6.0
    inputs[:, 2, COUNT_COLUMNS] = 0.0  # never bought
    moved = inputs.copy()
    move_levels(moved, np.random.default_rng(4))
    assert {RANKING_FEATURES[column].rsplit("_", 1)[0] for column in COUNT_COLUMNS} == {"item_purchases", "item_buyers"}
    others = [column for column in range(inputs.shape[2]) if column not in COUNT_COLUMNS]
    assert (moved[..., others] == 4.0).all() and (moved[:, 2, COUNT_COLUMNS] == 0.0).all()
    shift = moved[:, 0, COUNT_COLUMNS] - 4.0
    assert np.ptp(shift, axis=1).max() == 0.0  # one number a list
    np.testing.assert_allclose(moved[:, 1, COUNT_COLUMNS] - 6.0, shift, atol=1e-5)
    assert shift[:, 0].std() == pytest.approx(LEVEL_SPREAD, rel=0.1) and abs(shift[:, 0].mean()) < 0.05
