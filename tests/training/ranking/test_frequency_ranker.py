"""Scores from counts, by hand."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from contracts.bundle.files import RANKER
from contracts.ranking.candidates import BUYERS_COLUMN, Shortlist
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES, RANKING_FEATURES
from contracts.ranking.neighbours import NEIGHBOUR_FEATURES
from training.ranking.frequency_ranker import export_frequency_ranker
from training.ranking.scoring import rank_with_scores


def inputs_of(rows: list[tuple[float, float, float, float]], width: int) -> np.ndarray[tuple[int, ...], np.dtype]:
    """[1, rows, width] of (count, count in 91 days, days since the last, buyers in 28 days), scaled as contracts do."""
    inputs = np.full((1, len(rows), width), 0.3, np.float32)  # what else there is must not count
    columns = [PAIR_FEATURES.index(name) for name in ("count", "count_91d", "days_since_last")]
    inputs[0][:, [*columns, len(PAIR_FEATURES) + BUYERS_COLUMN]] = np.log1p(np.array(rows, np.float32))
    return inputs


@pytest.mark.parametrize("engagements", [False, True])
def test_own_purchases_fade_by_half_in_91_days_and_popularity_is_a_share(tmp_path: Path, engagements: bool) -> None:
    export_frequency_ranker(200, tmp_path, engagements=engagements)
    session = onnxruntime.InferenceSession(str(tmp_path / RANKER))
    width = len(RANKING_FEATURES) + (len(ENGAGEMENT_FEATURES) if engagements else 0)
    rows = [(4.0, 2.0, 0.0, 0.0), (4.0, 2.0, 91.0, 20.0), (0.0, 0.0, 730.0, 50.0)]
    (scores,) = session.run(None, {"inputs": inputs_of(rows, width)})
    # (4 + 2) · 2^0 = 6; 6 · 2^-1 + 20 / 200 = 3.1; never bought: 50 / 200 = 0.25.
    np.testing.assert_allclose(scores, [[6.0, 3.1, 0.25]], rtol=1e-4)


def test_a_shop_without_users_divides_by_one(tmp_path: Path) -> None:
    export_frequency_ranker(0, tmp_path, engagements=False)
    session = onnxruntime.InferenceSession(str(tmp_path / RANKER))
    (scores,) = session.run(None, {"inputs": inputs_of([(0.0, 0.0, 730.0, 3.0)], len(RANKING_FEATURES))})
    np.testing.assert_allclose(scores, [[3.0]], rtol=1e-4)


def test_columns_of_neighbours_behind_the_others_are_not_read(tmp_path: Path) -> None:
    export_frequency_ranker(200, tmp_path, engagements=False)
    inputs = inputs_of([(4.0, 2.0, 91.0, 20.0), (0.0, 0.0, 730.0, 50.0)], len(RANKING_FEATURES))[0]
    wider = np.hstack([inputs, np.full((2, len(NEIGHBOUR_FEATURES)), 7.0, np.float32)])
    shortlist = Shortlist(np.array([5, 9]), np.zeros(2, np.uint8), wider)
    # 6 · 2^-1 + 20 / 200 = 3.1; 50 / 200 = 0.25.
    ((rows, scores),) = rank_with_scores([shortlist], tmp_path)
    assert rows.tolist() == [5, 9]
    np.testing.assert_allclose(scores, [3.1, 0.25], rtol=1e-4)
