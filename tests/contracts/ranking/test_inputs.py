"""What the ranker reads of a user and a candidate, each of its columns by hand."""

from dataclasses import replace
from math import log1p
from typing import Any

import numpy as np
import pytest

from contracts.features import names
from contracts.features.history import UserHistory, user_history
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.inputs import (
    AFFINITY_COLUMNS,
    NEVER_DAYS,
    PAIR_FEATURES,
    RANKING_FEATURES,
    Catalogue,
    pair_features,
    ranking_inputs,
    scaled_user_statistics,
)

DAY = 86_400.0
NOW = 100 * DAY
BASKETS = 8.0
ITEMS = Vocabulary(["soap", "milk", "yoghurt", "bread", "cheese"])
SOAP, MILK, YOGHURT, BREAD, CHEESE = range(5)

CATALOGUE = Catalogue(
    codes={
        "department": np.array([2, 1, 1, 1, 1], np.int32),  # household, then food
        "brand": np.array([2, 1, 2, 1, 3], np.int32),  # milk and bread share one, soap and yoghurt another
        "category": np.array([3, 1, 1, 2, 1], np.int32),  # household, dairy, dairy, bakery, dairy
        "subcategory": np.array([5, 1, 2, 3, 4], np.int32),
        "manufacturer": np.array([4, 1, 2, 1, 3], np.int32),  # milk and bread share one
    },
    sizes={"department": 3, "brand": 4, "category": 4, "subcategory": 6, "manufacturer": 5},
    statistics=np.zeros((5, len(names.ITEM_STATISTICS)), np.float32),
    text=np.array([[0, 0], [1, 0], [0.6, 0.8], [0, 1], [1, 0]], np.float32),  # cheese reads like milk, soap is untitled
)
# Latest first: milk 4 times from day 20 to 90, bread once on day 80, yoghurt 5 times from day 0 to 4.
PURCHASES: dict[str, list[Any]] = {
    names.HISTORY_ITEM_IDS: ["milk", "bread", "yoghurt"],
    names.HISTORY_COUNTS: [4, 1, 5],
    names.HISTORY_COUNTS_91D: [3, 1, 0],
    names.HISTORY_COUNTS_28D: [2, 1, 0],
    names.HISTORY_FIRST_TIMESTAMPS: [20 * DAY, 80 * DAY, 0.0],
    names.HISTORY_LAST_TIMESTAMPS: [90 * DAY, 80 * DAY, 4 * DAY],
}
HISTORY = user_history(PURCHASES, ITEMS)
NO_PURCHASES = user_history(dict.fromkeys(names.HISTORY), ITEMS)


def test_a_new_item_is_expected_to_sell_like_what_sells_in_its_category() -> None:
    statistics = np.zeros((5, len(names.ITEM_STATISTICS)), np.float32)
    purchases, price, views = (
        names.ITEM_STATISTICS.index(name) for name in ("item_purchases_365d", "item_price", "item_views_365d")
    )
    statistics[[MILK, YOGHURT, BREAD], purchases] = (8, 4, 3)
    statistics[[MILK, YOGHURT, CHEESE], price] = (1, 3, 9)  # nobody has bought the cheese
    statistics[SOAP, views] = 5
    usual = replace(CATALOGUE, statistics=statistics).usual_statistics(np.array([1, 2, 3, 0], np.int32))
    assert usual[:, purchases].tolist() == [6, 3, 0, 3.75]
    assert usual[:, price].tolist() == [2, 0, 0, 1]
    assert usual[:, views].tolist() == [0, 0, 5, 1.25]
    assert not CATALOGUE.usual_statistics(np.array([1], np.int32)).any()  # nothing has happened yet


def test_what_is_usual_is_of_all_where_the_category_is_unknown_or_sold_nothing() -> None:
    statistics = np.zeros((5, len(names.ITEM_STATISTICS)), np.float32)
    purchases = names.ITEM_STATISTICS.index("item_purchases_365d")
    statistics[[MILK, BREAD], purchases] = (1, 3)  # one purchase is enough
    codes = {**CATALOGUE.codes, "category": np.array([3, 0, 1, 2, 1], np.int32)}  # nobody knows what milk is
    usual = replace(CATALOGUE, codes=codes, statistics=statistics).usual_statistics(np.array([0, 2, 1], np.int32))
    assert usual[:, purchases].tolist() == [2, 3, 2]  # all, the bread, and all again: no dairy was sold
    assert usual.dtype == np.float32


def test_an_item_bought_twice_within_a_day() -> None:
    twice: dict[str, list[Any]] = {name: [1] for name in names.HISTORY} | {
        names.HISTORY_ITEM_IDS: ["bread"], names.HISTORY_COUNTS: [2],
        names.HISTORY_FIRST_TIMESTAMPS: [98 * DAY], names.HISTORY_LAST_TIMESTAMPS: [98.5 * DAY],
    }  # fmt: skip
    bread = described(BREAD, user_history(twice, ITEMS))
    assert bread["gap_days"] == pytest.approx(log1p(0.5))
    assert bread["overdue_ratio"] == pytest.approx(1.5)  # by a day at least
    once = described(BREAD, user_history(twice | {names.HISTORY_COUNTS: [1]}, ITEMS))
    # All of the one purchase there is: its text and its department.
    assert once["text_affinity"] == pytest.approx(1.0)
    assert once["department_share"] == 1


def test_double_precision_is_read_as_single() -> None:
    assert scaled_user_statistics(np.full(len(names.USER_STATISTICS), 0.5)).dtype == np.float32
    assert pair_features(HISTORY, np.array([MILK]), np.array([0.25]), CATALOGUE, BASKETS, NOW).dtype == np.float32


NEVER = {
    "is_repeat": 0,
    "count": 0,
    "count_91d": 0,
    "count_28d": 0,
    "basket_share": 0,
    "days_since_last": log1p(NEVER_DAYS),
    "days_since_first": log1p(NEVER_DAYS),
    "gap_days": log1p(NEVER_DAYS),
    "overdue_ratio": 0,
    "history_position": log1p(names.HISTORY_LENGTH),
    **{f"{column}_share": 0 for column in AFFINITY_COLUMNS},
    **{f"{column}_count_91d": 0 for column in AFFINITY_COLUMNS},
    **{f"{column}_days_since_last": log1p(NEVER_DAYS) for column in AFFINITY_COLUMNS},
    "text_affinity": 0,
}


def described(candidate: int, history: UserHistory = HISTORY, baskets: float = BASKETS) -> dict[str, float]:
    score = np.array([0.25], np.float32)
    (row,) = pair_features(history, np.array([candidate]), score, CATALOGUE, baskets, NOW)
    return dict(zip(PAIR_FEATURES, row.tolist(), strict=True))


def test_repeat_candidate() -> None:
    assert described(MILK) == pytest.approx(
        {
            "is_repeat": 1,
            "count": log1p(4),
            "count_91d": log1p(3),
            "count_28d": log1p(2),
            "basket_share": 0.5,  # 4 of 8 baskets
            "days_since_last": log1p(10),  # 100 - 90
            "days_since_first": log1p(80),  # 100 - 20
            "gap_days": log1p(70 / 3),  # day 20 to 90, three gaps
            "overdue_ratio": 3 / 7,  # 10 / (70 / 3)
            "history_position": 0,  # log1p(0), the latest
            "department_share": 1,  # all of it food
            "brand_share": 0.5,  # milk 4 and bread 1 of 10
            "department_count_91d": log1p(4),
            "brand_count_91d": log1p(4),
            "department_days_since_last": log1p(10),
            "brand_days_since_last": log1p(10),
            "category_share": 0.9,  # milk 4 and yoghurt 5 of 10
            "subcategory_share": 0.4,
            "manufacturer_share": 0.5,  # milk 4 and bread 1 of 10
            "category_count_91d": log1p(3),
            "subcategory_count_91d": log1p(3),
            "manufacturer_count_91d": log1p(4),  # milk 3, bread 1
            "category_days_since_last": log1p(10),  # milk's 10, not yoghurt's 96
            "subcategory_days_since_last": log1p(10),
            "manufacturer_days_since_last": log1p(10),  # milk's 10, not bread's 20
            "text_affinity": 0.7,  # (4 x 1 + 1 x 0 + 5 x .6) / 10
            "retrieval_score": 0.25,
        },
        rel=1e-6,
    )


def test_same_category_candidate_has_the_category_and_nothing_else() -> None:
    dairy = {"category_share": 0.9, "category_count_91d": log1p(3), "category_days_since_last": log1p(10)}
    food = {"department_share": 1, "department_count_91d": log1p(4), "department_days_since_last": log1p(10)}
    titled_like_milk = {"text_affinity": 0.7, "retrieval_score": 0.25}
    assert described(CHEESE) == pytest.approx(NEVER | dairy | food | titled_like_milk, rel=1e-6)


def test_unrelated_candidate_was_never_bought_in_any_way() -> None:
    brand = {"brand_share": 0.5, "brand_count_91d": 0, "brand_days_since_last": log1p(96)}  # the yoghurt's brand
    assert described(SOAP) == pytest.approx(NEVER | brand | {"retrieval_score": 0.25}, rel=1e-6)


def test_an_item_bought_once_has_no_gap_and_is_never_overdue() -> None:
    bread = described(BREAD)
    assert bread["gap_days"] == pytest.approx(log1p(NEVER_DAYS))
    assert bread["overdue_ratio"] == 0
    assert bread["days_since_last"] == bread["days_since_first"] == pytest.approx(log1p(20))
    assert bread["history_position"] == pytest.approx(log1p(1))


def test_overdue_ratio_stops_at_five() -> None:
    yoghurt = described(YOGHURT)
    assert yoghurt["gap_days"] == pytest.approx(log1p(1))  # day 0 to 4, four gaps
    assert yoghurt["overdue_ratio"] == 5  # 96 days / 1


def test_a_user_without_baskets_in_a_year_counts_as_one_basket() -> None:
    assert described(MILK, baskets=0.0)["basket_share"] == 4


def test_a_purchase_after_now_is_zero_days_ago() -> None:
    tomorrow = {name: [NOW + DAY] for name in (names.HISTORY_FIRST_TIMESTAMPS, names.HISTORY_LAST_TIMESTAMPS)}
    bread = described(BREAD, user_history({name: [PURCHASES[name][1]] for name in names.HISTORY} | tomorrow, ITEMS))
    assert (bread["days_since_last"], bread["days_since_first"], bread["category_days_since_last"]) == (0, 0, 0)


def test_empty_history_makes_every_candidate_unrelated() -> None:
    assert len(NO_PURCHASES) == 0
    assert described(MILK, NO_PURCHASES) == pytest.approx(NEVER | {"retrieval_score": 0.25}, rel=1e-6)


def test_history_items_unknown_to_the_bundle_are_left_out_of_every_array() -> None:
    ids = ["milk", "withdrawn", "yoghurt"]
    history = user_history(PURCHASES | {names.HISTORY_ITEM_IDS: ids}, ITEMS)
    assert len(history) == 2
    assert history.item_rows.tolist() == [MILK, YOGHURT]
    assert history.counts.tolist() == [4, 5]
    assert history.counts_91d.tolist() == [3, 0]
    assert history.counts_28d.tolist() == [2, 0]
    assert history.first.tolist() == [20 * DAY, 0.0]
    assert history.last.tolist() == [90 * DAY, 4 * DAY]


def test_rows_follow_the_candidates_whatever_their_order() -> None:
    candidates, scores = np.array([SOAP, MILK, BREAD, MILK]), np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    rows = pair_features(HISTORY, candidates, scores, CATALOGUE, BASKETS, NOW)
    assert rows.shape == (4, len(PAIR_FEATURES))
    assert rows.dtype == np.float32
    assert rows[:, PAIR_FEATURES.index("is_repeat")].tolist() == [0, 1, 1, 1]
    assert rows[:, PAIR_FEATURES.index("retrieval_score")].tolist() == scores.tolist()
    for row, candidate in enumerate(candidates):
        alone = pair_features(HISTORY, candidates[row : row + 1], scores[row : row + 1], CATALOGUE, BASKETS, NOW)
        assert rows[row].tolist() == alone[0].tolist(), candidate


def test_no_candidates_give_no_rows() -> None:
    rows = pair_features(HISTORY, np.empty(0, np.int64), np.empty(0, np.float32), CATALOGUE, BASKETS, NOW)
    assert rows.shape == (0, len(PAIR_FEATURES))


def test_ranking_inputs_are_pair_item_and_user_side_by_side() -> None:
    pairs = np.full((2, len(PAIR_FEATURES)), 1.0, np.float32)
    items = np.array([[2.0], [3.0]], np.float32) * np.ones(len(names.ITEM_STATISTICS), np.float32)
    user = np.full(len(names.MODELLED_USER_STATISTICS), 4.0, np.float32)
    inputs = ranking_inputs(pairs, items, user)
    assert inputs.shape == (2, len(RANKING_FEATURES))
    assert inputs.dtype == np.float32
    by_name = dict(zip(RANKING_FEATURES, inputs.T.tolist(), strict=True))
    assert by_name["is_repeat"] == [1, 1]
    assert by_name["item_price"] == [2, 3]
    assert by_name["user_purchases_7d"] == [4, 4]
    assert len(by_name) == len(RANKING_FEATURES)


def test_looks_stand_behind_everything_else() -> None:
    pairs, items, user = np.ones((2, 3), np.float32), np.full((2, 2), 2, np.float32), np.full(1, 3, np.float32)
    engagements = np.array([[4, 5], [6, 7]], np.float32)
    assert ranking_inputs(pairs, items, user, engagements).tolist() == [
        [1, 1, 1, 2, 2, 3, 4, 5],
        [1, 1, 1, 2, 2, 3, 6, 7],
    ]


def test_shares_stay_plain_and_the_rest_is_log_scaled() -> None:
    user = scaled_user_statistics(np.full(len(names.USER_STATISTICS), 0.5, np.float32))
    plain = {name for name, value in zip(names.MODELLED_USER_STATISTICS, user, strict=True) if value == 0.5}
    assert plain == {"user_discount_share_365d"}
    assert user[0] == pytest.approx(log1p(0.5))
    statistics = np.full((1, len(names.ITEM_STATISTICS)), 0.5, np.float32)
    items = Catalogue(CATALOGUE.codes, CATALOGUE.sizes, statistics, CATALOGUE.text).scaled_statistics()
    plain = {name for name, value in zip(names.ITEM_STATISTICS, items[0], strict=True) if value == 0.5}
    assert plain == {"item_repeat_share_365d", "item_discount_share_91d"}


def test_negative_money_is_scaled_as_none() -> None:
    user = scaled_user_statistics(np.full(len(names.USER_STATISTICS), -3.0, np.float32))
    assert user[names.MODELLED_USER_STATISTICS.index("user_spend_7d")] == 0
