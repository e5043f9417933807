"""The lists to beat, on a user who has bought three of eight items."""

import numpy as np

from contracts.arrays import Rows
from contracts.features.history import UserHistory
from training.evaluation.baselines import personal_frequency, personal_then_popular, top_rows
from training.metrics.ranking_metrics import without


def rows(*values: int) -> Rows:
    return np.array(values, np.int64)


def history_of(items: Rows, counts: list[int]) -> UserHistory:
    zeros, moments = np.zeros(len(items), np.float32), np.zeros(len(items))
    return UserHistory(items, np.array(counts, np.float32), zeros, zeros, first=moments, last=moments)


HISTORY = history_of(rows(6, 2, 4), [1, 5, 1])  # latest first
NOTHING = history_of(rows(), [])
POPULAR = rows(4, 0, 6, 1, 2, 3, 5, 7)


def test_top_rows_are_by_score_with_ties_by_row() -> None:
    scores = np.array([1, 3, 0, 3, 2], np.float32)
    assert top_rows(scores, 4).tolist() == [1, 3, 4, 0]
    assert top_rows(scores, 9).tolist() == [1, 3, 4, 0, 2]


def test_personal_frequency_is_by_count_with_ties_by_recency() -> None:
    assert personal_frequency(HISTORY).tolist() == [2, 6, 4]
    assert personal_frequency(NOTHING).tolist() == []


def test_personal_frequency_is_filled_up_with_popular_items_once_each() -> None:
    assert personal_then_popular(HISTORY, POPULAR, 5).tolist() == [2, 6, 4, 0, 1]
    assert personal_then_popular(HISTORY, POPULAR, 2).tolist() == [2, 6]
    assert personal_then_popular(NOTHING, POPULAR, 2).tolist() == [4, 0]


def test_without_keeps_the_order() -> None:
    assert without(rows(3, 1, 2, 1), rows(1, 9)).tolist() == [3, 2]
