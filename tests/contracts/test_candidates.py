"""Which items are ranked: order and origin of the union, and equal inputs whichever way a candidate came."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.arrays import Rows
from contracts.features import names
from contracts.features.engagements import UserEngagements
from contracts.features.history import UserHistory
from contracts.ranking.candidates import (
    CONTEXT,
    ENGAGED,
    POPULAR,
    REPEAT,
    RULE,
    TWO_TOWER,
    CandidatePlan,
    ItemSide,
    Shortlist,
    UserSide,
    item_side,
    repeat_candidates,
    shortlist,
    shortlist_of,
    source_names,
    union,
)
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES, RANKING_FEATURES, Catalogue

DAY = 86_400.0
NOW = 182 * DAY
POPULAR_COLUMN = names.ITEM_STATISTICS.index("item_buyers_28d")
BUYERS = (1, 5, 0, 5, 2, 0)
PLAN = CandidatePlan(num_candidates=5, num_repeat=10, num_popular=2)


def rows(*values: int) -> Rows:
    return np.array(values, np.int64)


def history_of(*purchases: tuple[int, int, int, int]) -> UserHistory:
    """(item row, count, count in 91 days, day of the last purchase), latest first."""
    items, counts, recent, days = (np.array(column) for column in zip(*purchases, strict=True))
    moments = days * DAY
    return UserHistory(
        item_rows=items,
        counts=counts.astype(np.float32),
        counts_91d=recent.astype(np.float32),
        counts_28d=np.zeros(len(items), np.float32),
        first=moments,
        last=moments,
    )


REPEATS = history_of((6, 1, 0, 182), (7, 4, 2, 182), (8, 10, 0, 91), (9, 8, 0, 0))


def user_with(history: UserHistory) -> UserSide:
    statistics = np.arange(len(names.USER_STATISTICS), dtype=np.float32)
    return UserSide(np.array([1.0, -1.0], np.float32), history, statistics, baskets=4.0, now=NOW)


@pytest.fixture
def items() -> ItemSide:
    statistics = np.zeros((len(BUYERS), len(names.ITEM_STATISTICS)), np.float32)
    statistics[:, POPULAR_COLUMN] = BUYERS
    codes = {column: np.arange(len(BUYERS), dtype=np.int32) for column in names.ITEM_CONTENT}
    catalogue = Catalogue(codes, dict.fromkeys(codes, len(BUYERS)), statistics, np.zeros((len(BUYERS), 2), np.float32))
    embeddings = np.arange(2 * len(BUYERS), dtype=np.float32).reshape(-1, 2) ** 2
    return item_side(catalogue, embeddings, POPULAR_COLUMN, max_popular=4)


def pair_column(candidates: Shortlist, name: str) -> list[float]:
    values: list[float] = candidates.inputs[:, PAIR_FEATURES.index(name)].tolist()
    return values


def test_popular_rows_are_by_buyers_with_ties_by_row(items: ItemSide) -> None:
    assert items.popular.tolist() == [1, 3, 4, 0]  # 5, 5, 2, 1 buyers; the fifth is cut
    assert items.popularity.tolist() == list(BUYERS)


def test_union_keeps_the_order_of_first_appearance_and_every_origin() -> None:
    distinct, masks = union({TWO_TOWER: rows(3, 1), REPEAT: rows(1, 2), POPULAR: rows(2, 3, 0)})
    assert distinct.tolist() == [3, 1, 2, 0]
    assert masks.tolist() == [0b101, 0b011, 0b110, 0b100]
    assert masks.dtype == np.uint8


def test_union_drops_what_the_index_did_not_find() -> None:
    distinct, masks = union({TWO_TOWER: rows(-1, 4, -1), REPEAT: rows(-1), POPULAR: rows()})
    assert (distinct.tolist(), masks.tolist()) == ([4], [1])


def test_repeats_fade_with_a_half_life_of_91_days() -> None:
    # (count + count in 91 days) x 2^(-days / 91): 6: (1 + 0) x 1, 7: (4 + 2) x 1, 8: (10 + 0) / 2, 9: (8 + 0) / 4.
    assert repeat_candidates(REPEATS, 3, NOW).tolist() == [7, 8, 9]
    assert repeat_candidates(REPEATS, 1, NOW).tolist() == [7]
    assert repeat_candidates(REPEATS, 0, NOW).tolist() == []


def test_a_history_within_the_limit_is_proposed_whole() -> None:
    assert set(repeat_candidates(REPEATS, 4, NOW).tolist()) == {6, 7, 8, 9}


def test_the_towers_fill_what_repeats_and_popular_items_leave(items: ItemSide) -> None:
    # Of the nearest, 5 was bought before; popular is 1 and 3, so one place is left for 4, and none for 2.
    user = user_with(history_of((5, 1, 1, 180), (0, 1, 0, 10)))
    candidates = shortlist(user, rows(5, 4, 3, 2), items, PLAN)
    assert candidates.rows.tolist() == [5, 0, 1, 3, 4]
    assert [source_names(mask) for mask in candidates.sources.tolist()] == [
        "repeat",
        "repeat",
        "popular",
        "two_tower+popular",
        "two_tower",
    ]
    assert pair_column(candidates, "is_repeat") == [1, 1, 0, 0, 0]


def test_what_is_asked_for_is_never_crowded_out(items: ItemSide) -> None:
    user = user_with(history_of((5, 1, 1, 180), (0, 1, 0, 10)))
    candidates = shortlist(user, rows(4, 3), items, PLAN, also={CONTEXT: rows(2), RULE: rows(4, 3)})
    assert candidates.rows.tolist() == [4, 3, 2, 5, 0]


def test_as_many_neighbours_are_asked_for_as_there_are_candidates() -> None:
    assert PLAN.num_nearest == 5  # somebody without a history gets the nearest alone, but for popular ones


def test_a_user_without_anything_still_gets_popular_items(items: ItemSide) -> None:
    empty = np.empty(0)
    nobody = user_with(UserHistory(rows(), *(empty.astype(np.float32),) * 3, first=empty, last=empty))
    candidates = shortlist(nobody, rows(-1, -1), items, PLAN)
    assert candidates.rows.tolist() == [1, 3]
    assert candidates.inputs.shape == (2, len(RANKING_FEATURES))


def test_retrieval_score_is_the_inner_product_with_the_query(items: ItemSide) -> None:
    user = user_with(history_of((5, 1, 1, 180)))
    candidates = shortlist_of(user, rows(2, 0), items)
    # Embedding rows are (16, 25) and (0, 1), the query is (1, -1).
    assert pair_column(candidates, "retrieval_score") == [-9, -1]


def test_given_items_have_the_same_inputs_as_proposed_ones(items: ItemSide) -> None:
    user = user_with(history_of((5, 3, 1, 180), (0, 1, 0, 10)))
    proposed = shortlist(user, rows(4, 3), items, PLAN)
    given = shortlist_of(user, proposed.rows[::-1], items)
    assert given.rows.tolist() == proposed.rows[::-1].tolist()
    assert given.inputs.tolist() == proposed.inputs[::-1].tolist()
    assert given.sources.tolist() == [0] * len(given.rows)


def test_source_names_join_the_bits_of_a_mask() -> None:
    assert source_names(0) == ""
    assert source_names(0b010) == "repeat"
    assert source_names(0b101) == "two_tower+popular"
    assert source_names(0b111) == "two_tower+repeat+popular"


def test_what_was_looked_at_and_never_bought_is_proposed_most_telling_first(items: ItemSide) -> None:
    looked = rows(2, 5, 0, 3)
    zeros = np.zeros(4)
    engagements = UserEngagements(looked, np.ones(4, np.float32), zeros, zeros > 0, looked, looked)
    user = replace(user_with(history_of((5, 1, 1, 180))), engagements=engagements)
    plan = replace(PLAN, num_engaged=2)
    assert shortlist(user, rows(4), items, plan).proposed[ENGAGED].tolist() == [2, 0]  # 5 was bought, 3 is one too many
    in_stock = np.arange(len(BUYERS)) != 2
    assert shortlist(user, rows(4), items, plan, in_stock).proposed[ENGAGED].tolist() == [0, 3]
    assert shortlist(user, rows(4), items, PLAN).proposed[ENGAGED].tolist() == []
    found = shortlist(user, rows(4), items, plan)
    assert source_names(int(found.sources[found.rows.tolist().index(2)])) == "looked"
    assert found.inputs.shape[1] == len(RANKING_FEATURES) + len(ENGAGEMENT_FEATURES)
