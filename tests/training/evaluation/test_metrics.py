"""Ranking metrics by hand."""

from math import log2

import numpy as np
import pytest

from contracts.arrays import Rows
from training.metrics.ranking_metrics import hits, padded, per_user_metrics, summary


def rows(*values: int) -> Rows:
    return np.array(values, np.int64)


def test_metrics_of_two_users_by_hand() -> None:
    lists = padded([rows(7, 3, 5), rows(1, 2)], 100)
    values = per_user_metrics(lists, [rows(3, 9), rows(1)])
    assert values["recall@20"].tolist() == [1 / 2, 1]  # 3 of {3, 9}; 1 of {1}
    assert values["recall@100"].tolist() == [1 / 2, 1]
    assert values["precision@5"].tolist() == pytest.approx([1 / 5, 1 / 5])  # of 5 places, filled or not
    # First user: the hit is second, 1 / log2(3); ideal puts two hits first, 1 / log2(2) + 1 / log2(3).
    assert values["ndcg@20"].tolist() == pytest.approx([(1 / log2(3)) / (1 + 1 / log2(3)), 1])


def test_padding_is_never_a_hit() -> None:
    assert hits(padded([rows(4)], 3), [rows(-1, 4)]).tolist() == [[True, False, False]]
    values = per_user_metrics(padded([rows()], 20), [rows(4)])
    assert {name: value.tolist() for name, value in values.items()} == {
        "recall@20": [0],
        "recall@100": [0],
        "ndcg@20": [0],
        "precision@5": [0],
    }


def test_more_truths_than_places() -> None:
    values = per_user_metrics(np.arange(100).reshape(1, 100), [np.arange(25)])
    assert values["recall@20"].tolist() == [20 / 25]
    assert values["recall@100"].tolist() == [1]
    assert values["ndcg@20"].tolist() == pytest.approx([1])  # no list of 20 could be better
    assert values["precision@5"].tolist() == [1]


def test_a_hit_behind_place_20_counts_for_recall_at_100_alone() -> None:
    values = per_user_metrics(np.arange(100).reshape(1, 100), [rows(20)])
    assert (values["recall@20"].item(), values["recall@100"].item(), values["ndcg@20"].item()) == (0, 1, 0)


def test_lists_shorter_than_20_are_judged_as_they_are() -> None:
    values = per_user_metrics(np.array([[8, 4]]), [rows(4)])
    assert values["ndcg@20"].item() == pytest.approx(1 / log2(3))
    assert values["precision@5"].item() == pytest.approx(1 / 5)


def test_summary_is_the_mean_over_users_and_the_share_of_the_catalogue_shown() -> None:
    first, second = rows(0, 1), np.arange(1, 22)  # place 21 is item 21
    means = summary(padded([first, second], 100), [rows(0, 50), rows(60)], num_items=84)
    assert means["recall@20"] == pytest.approx((1 / 2 + 0) / 2)
    assert means["precision@5"] == pytest.approx((1 / 5 + 0) / 2)
    assert means["coverage@20"] == pytest.approx(21 / 84)  # items 0 to 20; -1 is no item, item 21 is not in a top 20


def test_a_user_without_truths_is_refused() -> None:
    with pytest.raises(ValueError, match="leave such users out"):
        per_user_metrics(padded([rows(1), rows(2)], 20), [rows(1), rows()])


def test_lists_without_their_truths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        hits(padded([rows(1), rows(2)], 20), [rows(1)])


def test_padded_cuts_and_fills() -> None:
    matrix = padded([rows(1, 2, 3), rows(4), rows()], 2)
    assert matrix.tolist() == [[1, 2], [4, -1], [-1, -1]]
    assert matrix.dtype == np.int64
