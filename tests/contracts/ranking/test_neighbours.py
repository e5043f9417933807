"""What a history says of other items by item-to-item weights, with sums worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from contracts.arrays import Rows
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS
from contracts.ranking.neighbours import (
    HALF_LIFE_DAYS,
    NEIGHBOUR_FEATURES,
    RANKED,
    Neighbours,
    best_places,
    load_neighbours,
)

NOW = 1_000 * DAY_SECONDS


def rows(*values: int) -> Rows:
    return np.array(values, np.int64)


@pytest.fixture
def weights() -> Neighbours:
    """Of six items 1, 2 and 4 have weights: 1 says 2 (.5) and 4 (.25), 2 says 4 (.75), 4 says nothing."""
    near = np.array([[0, 0], [2, 3], [3, 0], [0, 0]], np.int32)
    return Neighbours(rows(1, 2, 4), near, np.array([[0, 0], [0.5, 0.25], [0.75, 0], [0, 0]], np.float32), 6)


def history(*bought: tuple[int, float]) -> UserHistory:
    """(row, days ago) of each purchase, latest first."""
    ones = np.ones(len(bought), np.float32)
    last = NOW - np.array([days for _, days in bought], np.float64) * DAY_SECONDS
    return UserHistory(rows(*(row for row, _ in bought)), ones, ones, ones, last, last)


def test_scores_are_sums_of_faded_weights(weights: Neighbours) -> None:
    scored = weights.scored(history((1, 0.0), (2, HALF_LIFE_DAYS)), NOW)
    # 2: .5 from 1. 4: .25 from 1 and half of .75 from 2, bought a half-life ago: .625.
    assert scored.scores.tolist() == pytest.approx([0, 0, 0.5, 0.625])
    assert scored.best_rows(None, 9).tolist() == [4, 2]


def test_features_are_score_share_and_place(weights: Neighbours) -> None:
    scored = weights.scored(history((1, 0.0), (2, HALF_LIFE_DAYS)), NOW)
    features = dict(zip(NEIGHBOUR_FEATURES, scored.features(rows(2, 4, 0, 1)).T.tolist(), strict=True))
    assert features["neighbour_score"] == pytest.approx([0.5, 0.625, 0, 0])
    assert features["neighbour_share"] == pytest.approx([0.8, 1, 0, 0])
    last = np.log1p(RANKED)  # item 0 has no weights, and nothing speaks for item 1
    assert features["neighbour_place"] == pytest.approx([np.log1p(1), 0, last, last])


def test_a_filter_goes_on_to_the_next_best(weights: Neighbours) -> None:
    scored = weights.scored(history((1, 0.0)), NOW)
    assert scored.best_rows(None, 1).tolist() == [2, 4]
    assert scored.best_rows(np.array([True, True, False, True, True, True]), 1).tolist() == [4]


def test_nothing_is_said_without_purchases_or_of_later_items(weights: Neighbours) -> None:
    nobody = weights.scored(history(), NOW)
    assert len(nobody.best) == 0
    assert nobody.features(rows(1, 2, 7)) == pytest.approx(np.array([[0, 0, np.log1p(RANKED)]] * 3))
    assert weights.scored(history((7, 0.0)), NOW).scores.tolist() == [0, 0, 0, 0]  # item 7 came after the bundle


def test_best_places_leave_out_what_is_not_positive() -> None:
    assert best_places(np.array([0.0, 3, 1, 3, -1]), 2).tolist() == [1, 3]
    assert best_places(np.array([0.0, 3, 1, 3, -1]), 9).tolist() == [1, 3, 2]


def test_a_file_reads_back(weights: Neighbours, tmp_path: Path) -> None:
    weights.save(tmp_path / "neighbours.npz")
    read = load_neighbours(tmp_path / "neighbours.npz")
    assert (read.near == weights.near).all()
    assert (read.weights == weights.weights).all()
    assert (read.rows.tolist(), read.num_items) == ([1, 2, 4], 6)


def test_a_file_for_other_inputs_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "neighbours.npz", features=np.array(["nearness"]))
    with pytest.raises(ValueError, match=r"weights are for the inputs nearness, this release computes neighbour"):
        load_neighbours(tmp_path / "neighbours.npz")
