"""Ranking metrics by hand."""

from math import log2

import numpy as np
import pytest

from contracts.arrays import Rows
from training.metrics.intervals import Interval, difference, interval, intervals, ratio_interval
from training.metrics.ranking_metrics import hits, padded, per_user_metrics, summary, without


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
    lists = padded([first, second], 100)
    means = summary(lists, per_user_metrics(lists, [rows(0, 50), rows(60)]), num_items=84)
    assert means["recall@20"] == pytest.approx((1 / 2 + 0) / 2)
    assert means["precision@5"] == pytest.approx((1 / 5 + 0) / 2)
    assert means["coverage@20"] == pytest.approx(21 / 84)  # items 0 to 20; -1 is not an item, 21 is in no top 20


def test_a_user_without_truths_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^A user without truths has no recall; leave such users out\.$"):
        per_user_metrics(padded([rows(1), rows(2)], 20), [rows(1), rows()])


def test_lists_without_their_truths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        hits(padded([rows(1), rows(2)], 20), [rows(1)])


def test_padded_cuts_and_fills() -> None:
    matrix = padded([rows(1, 2, 3), rows(4), rows()], 2)
    assert matrix.tolist() == [[1, 2], [4, -1], [-1, -1]]
    assert matrix.dtype == np.int64


def test_an_interval_holds_95_of_100_means_of_redrawn_users() -> None:
    # 100 users, of whom half have 1: a redrawn mean is a hundredth of a binomial count with deviation 5, so the middle
    # 95 % lie between 50 − 1.96 · 5 and 50 + 1.96 · 5 hundredths.
    found = interval(np.repeat([0.0, 1.0], 50))
    assert found.mean == 0.5
    assert [found.low, found.high] == pytest.approx([0.402, 0.598], abs=0.015)
    assert interval(np.full(5, 0.25)) == Interval(0.25, 0.25, 0.25)


def test_every_user_can_be_drawn() -> None:
    # One of three has 9: all three places are that user's in 1 of 27 draws (3.7 %), and nobody's in 8 of 27.
    for values in ([9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]):
        assert interval(np.array(values)) == Interval(3.0, 0.0, 9.0)


def test_the_draws_are_the_same_each_time() -> None:
    values = np.random.default_rng(3).random(30)
    assert interval(values) == interval(values)
    assert interval(2 * values).low == pytest.approx(2 * interval(values).low)


def test_a_ratio_is_of_sums_that_are_redrawn_together() -> None:
    # Each row has half its denominator: whatever is drawn, the ratio is one half.
    found = ratio_interval(np.array([1.0, 2.0, 5.0]), np.array([2.0, 4.0, 10.0]))
    assert found == Interval(0.5, 0.5, 0.5)
    # The second row weighs nothing: drawn alone it gives 0, in one of four draws; the first gives 3.
    assert ratio_interval(np.array([3.0, 0.0]), np.array([1.0, 0.0])) == Interval(3.0, 0.0, 3.0)


def test_a_difference_is_of_the_same_users() -> None:
    # Values are far apart, the difference is 1 for each user: no doubt about it.
    theirs = np.array([1.0, 50.0, 900.0])
    assert difference(theirs + 1, theirs) == Interval(1.0, 1.0, 1.0)


def test_intervals_are_of_the_named_metrics() -> None:
    values = {"recall": np.ones(2), "ndcg": np.zeros(2), "other": np.ones(2)}
    assert intervals(values, ("ndcg", "recall")) == {
        "ndcg": {"mean": 0.0, "low": 0.0, "high": 0.0},
        "recall": {"mean": 1.0, "low": 1.0, "high": 1.0},
    }


def test_without_keeps_the_order_of_the_rest() -> None:
    assert without(rows(5, 1, 9, 1, 3), rows(1, 3, 7)).tolist() == [5, 9]


def test_means_have_every_metrics_name() -> None:
    lists = padded([rows(1)], 100)
    means = summary(lists, per_user_metrics(lists, [rows(1)]), num_items=2)
    assert means == {"recall@20": 1.0, "recall@100": 1.0, "ndcg@20": 1.0, "precision@5": 0.2, "coverage@20": 0.5}


def test_recall_at_20_and_precision_at_5_end_there() -> None:
    values = per_user_metrics(np.arange(100).reshape(1, 100), [rows(4, 5, 19, 20)])
    assert (values["precision@5"].item(), values["recall@20"].item()) == (1 / 5, 3 / 4)  # item 4 is fifth, 19 is 20th
    # Places 5, 6 and 20 of the best 4: 1/log2(6) + 1/log2(7) + 1/log2(21) over 1 + 1/log2(3) + 1/2 + 1/log2(5).
    ideal = 1 + 1 / log2(3) + 1 / 2 + 1 / log2(5)
    assert values["ndcg@20"].item() == pytest.approx((1 / log2(6) + 1 / log2(7) + 1 / log2(21)) / ideal)
