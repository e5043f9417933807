"""Counts of baskets whose answer is obvious."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from contracts.features.vocabulary import Vocabulary
from contracts.ranking.inputs import Catalogue
from contracts.ranking.neighbours import Neighbours
from contracts.ranking.related import Nearness, Summing
from training.dataset.baskets import Baskets, read_baskets
from training.retrieval.held_out_baskets import basket_questions, recall, similar_questions
from training.retrieval.related import (
    EXPONENTS,
    FACTORS,
    SHRINK,
    Pairs,
    chosen,
    related_by,
)

NOW = 1_000


def baskets(*held: tuple[int, ...], items: int = 5) -> Baskets:
    """Basket i is user i's, begun at second i."""
    matrix = np.zeros((len(held), items), np.float32)
    for row, members in enumerate(held):
        matrix[row, list(members)] = 1.0
    at = np.arange(len(held), dtype=np.int64)
    return Baskets(sp.csr_matrix(matrix), at, at)


def catalogue(items: int = 5) -> Catalogue:
    return Catalogue(
        {"category": np.ones(items, np.int32)},
        {"category": 2},
        np.zeros((items, 1), np.float32),
        np.zeros((items, 2), np.float32),
    )


CHECKERBOARD = baskets(*[(0, 1), (2, 3)] * 4)


def test_what_is_bought_together_is_near_and_the_rest_is_not() -> None:
    found = related_by(CHECKERBOARD, 0.5, Summing(), catalogue())
    assert found.rows.tolist() == [0, 1, 2, 3]  # nobody buys item 4
    assert found.nearest(np.array([0]), 5)[0].tolist() == [1]
    # Four baskets that weigh 1 / log2(3) each: w / (w^.5 * (w + SHRINK)^.5).
    weight = 4 / np.log2(3)
    expected = weight / (weight**0.5 * (weight + SHRINK) ** 0.5)
    assert found.nearest(np.array([0]), 5)[1].tolist() == pytest.approx([expected])


def test_a_stock_order_and_a_single_item_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.retrieval.related.LARGEST_BASKET", 2)
    assert Pairs(baskets((0, 1, 2), (3,), (0, 1), (0, 1))).rows.tolist() == [0, 1]


def test_random_pairs_set_the_threshold_and_a_shop_without_baskets_has_one() -> None:
    found = related_by(CHECKERBOARD, 0.5, Summing(), catalogue())
    assert 0 < found.least[Nearness.BASKETS] <= float(found.weights.max())
    assert found.least[Nearness.CONTENT] == 1.0  # all items are of one category
    nothing = related_by(baskets((0,), (1,)), 0.5, Summing(), catalogue())
    assert len(nothing.rows) == 0 and nothing.least[Nearness.BASKETS] == 1.0
    assert nothing.nearest(np.array([0]), 5)[0].tolist() == []


def test_the_window_chooses_the_exponent_and_without_one_the_first_stands() -> None:
    """Item 4 is in every basket: next to 0, only a strong norm puts 1 before it."""
    early = [(0, 1, 4)] * 6 + [(0, 4)] * 4 + [(2, 4), (3, 4)] * 60
    late = [(0, 1)] * 5
    both = baskets(*early, *late)
    exponent, _ = chosen(both, (len(early), len(both.seconds)))
    assert exponent in EXPONENTS
    assert chosen(both, (10_000, 10_001), no_weights(5)) == (EXPONENTS[0], Summing())


def test_popularity_is_the_weight_of_an_items_baskets() -> None:
    found = related_by(baskets((0, 1), (0, 1, 2), (0, 2), (3,)), 0.1, Summing(0.3), catalogue())
    assert found.rows.tolist() == [0, 1, 2] and found.summing == Summing(0.3)
    two, three = 1 / np.log2(3), 1 / np.log2(4)
    expected = [SHRINK, *(weight + SHRINK for weight in (2 * two + three, two + three, two + three))]
    assert found.popularity.tolist() == pytest.approx(expected)


def test_halves_of_baskets_choose_the_exponent_of_several_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the items 0 to 3 name ten bestsellers before the other two, unless popularity counts for enough."""
    monkeypatch.setattr("training.retrieval.related.EXPONENTS", (0.1,))
    bestsellers = tuple(range(10, 20))
    early = [(*three, *bestsellers) for three in combinations(range(4), 3)] * 10 + [bestsellers] * 300

    def several(*late: tuple[int, ...]) -> float:
        log = baskets(*early, *late, items=20)
        return chosen(log, (len(early), len(early) + 10))[1].several_exponent

    # Each bestseller is in all baskets of an item, each other item in 2/3 of them. Popularity is 10 + 40 / log2(14) +
    # 300 / log2(11) = 107 and 10 + 30 / log2(14) = 18, so (107 / 18)^(.1 + x) has to be above 3/2: x above .13.
    assert several(*[(0, 1, 2, 3)] * 5) == 0.2
    assert several(bestsellers) == 0  # all find the same: the plain sum
    assert several((0,)) == 0  # nothing to ask


def no_weights(items: int) -> Neighbours:
    return Neighbours(np.zeros(0, np.int64), np.zeros((1, 0), np.int32), np.zeros((1, 0), np.float32), items)


def test_weights_between_items_count_where_they_find_what_baskets_do_not() -> None:
    """Baskets put 1 next to 0; item 2 was never in a basket with it, and later baskets hold both."""
    early = [(0, 1)] * 12 + [(2, 3)] * 12
    near, weights = np.array([[0], [2], [1]], np.int32), np.array([[0], [0.5], [0.5]], np.float32)
    told = Neighbours(np.array([0, 2]), near, weights, 5)
    log = baskets(*early, *[(0, 2)] * 5)
    window = len(early), len(early) + 10
    assert chosen(log, window)[1] == chosen(log, window, no_weights(5))[1] == Summing()
    assert chosen(log, window, told)[1].neighbours_for_one == FACTORS[1]  # the least that finds it


def test_questions_hide_the_rest_of_a_basket() -> None:
    one = baskets((0, 1, 2), (3,))
    asked = similar_questions(one, 100)
    assert sorted(int(question.asked[0]) for question in asked) == [0, 1, 2]
    assert all(sorted([*question.asked, *question.truth]) == [0, 1, 2] for question in asked)
    (half,) = basket_questions(one, 100)
    assert len(half.asked) == 2 and len(half.truth) == 1
    assert len(similar_questions(one, 2)) == 2


def test_recall_is_a_mean_over_users() -> None:
    asked = similar_questions(baskets((0, 1), (2, 3)), 100)
    found, users = recall(asked, lambda rows: np.array([0, 1]), 2)
    assert users.tolist() == [0, 1] and found.tolist() == [1.0, 0.0]


def test_baskets_are_read_by_user_and_name(tmp_path: Path) -> None:
    """Two users may have baskets of one name; a line that repeats counts once."""
    table = pa.table(
        {
            "user_id": ["a", "a", "a", "b"],
            "item_id": ["x", "y", "x", "y"],
            "basket": ["1", "1", "1", "1"],
            "seconds": pa.array([20, 10, 30, 5], pa.int64()),
        }
    )
    pq.write_table(table, tmp_path / "purchases.parquet")
    read = read_baskets(tmp_path / "purchases.parquet", Vocabulary(("x", "y")))
    assert read.items.toarray().tolist() == [[1, 1], [0, 1]]
    assert read.seconds.tolist() == [10, 5]
    assert read.between(0, 10).items.toarray().tolist() == [[0, 1]]
