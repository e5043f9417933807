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
    FRESH,
    NEIGHBOURS,
    POPULAR,
    REPEAT,
    RULE,
    TWO_TOWER,
    CandidatePlan,
    ItemSide,
    Shortlist,
    UserSide,
    first_allowed,
    item_side,
    likeliest_repeats,
    popularity_of,
    repeat_candidates,
    repeat_weights,
    shortlist,
    shortlist_of,
    source_names,
    union,
)
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES, RANKING_FEATURES, Catalogue
from contracts.ranking.neighbours import NEIGHBOUR_FEATURES, Neighbours

DAY = 86_400.0
NOW = 182 * DAY
BUYERS_COLUMN, YEAR_COLUMN = map(names.ITEM_STATISTICS.index, ("item_buyers_28d", "item_buyers_365d"))
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
    statistics[:, BUYERS_COLUMN] = BUYERS
    codes = {column: np.arange(len(BUYERS), dtype=np.int32) for column in names.ITEM_CONTENT}
    catalogue = Catalogue(codes, dict.fromkeys(codes, len(BUYERS)), statistics, np.zeros((len(BUYERS), 2), np.float32))
    embeddings = np.arange(2 * len(BUYERS), dtype=np.float32).reshape(-1, 2) ** 2
    return item_side(catalogue, embeddings, max_popular=4)


def pair_column(candidates: Shortlist, name: str) -> list[float]:
    values: list[float] = candidates.inputs[:, PAIR_FEATURES.index(name)].tolist()
    return values


def test_neighbours_have_more_room_where_repeats_are_left_out() -> None:
    plan = replace(PLAN, num_neighbours=2)
    assert plan.of_unseen == plan  # a bundle that knows no other share
    assert replace(plan, num_unseen_neighbours=7).of_unseen.num_neighbours == 7


def test_popular_rows_are_by_buyers_with_ties_by_row(items: ItemSide) -> None:
    assert items.popular.tolist() == [1, 3, 4, 0]  # 5, 5, 2, 1 buyers; the fifth is cut
    assert items.popularity.tolist() == list(BUYERS)


def test_a_month_of_few_buyers_is_ordered_by_the_year() -> None:
    """Two people have bought one item each this month; of a year's 40 the bestseller has 20."""
    statistics = np.zeros((3, len(names.ITEM_STATISTICS)), np.float32)
    statistics[:, BUYERS_COLUMN], statistics[:, YEAR_COLUMN] = (
        [1, 0, 1],
        [1, 20, 19],
    )
    assert popularity_of(statistics).tolist() == pytest.approx([1 + 0.5, 0 + 10, 1 + 9.5])
    statistics[0, BUYERS_COLUMN] = 1000  # a month of many speaks for itself
    assert popularity_of(statistics)[0] == pytest.approx(1000.5)
    assert popularity_of(statistics[:0]).tolist() == []


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
    assert repeat_candidates(REPEATS, 4, NOW).tolist() == [6, 7, 8, 9]  # latest first, and not by what is likely


def test_weights_of_repeats_by_hand() -> None:
    assert repeat_weights(REPEATS, NOW).tolist() == [1, 6, 5, 2]  # see the test of the half-life


def test_too_many_repeats_of_a_shortlist_are_the_likeliest_at_its_moment(items: ItemSide) -> None:
    # Row 5 once, today; row 0 ten times, 182 days ago: 1 against 10 / 4.
    user = user_with(history_of((5, 1, 0, 182), (0, 10, 0, 0)))
    assert shortlist(user, rows(), items, replace(PLAN, num_repeat=1)).proposed[REPEAT].tolist() == [0]


def test_the_only_item_of_a_history_may_be_one_that_is_not_shown(items: ItemSide) -> None:
    allowed = np.arange(len(BUYERS)) != 5
    user = user_with(history_of((5, 1, 1, 180)))
    assert shortlist(user, rows(), items, PLAN, allowed).proposed[REPEAT].tolist() == []


def test_the_only_item_that_was_looked_at_is_proposed(items: ItemSide) -> None:
    one = UserEngagements(rows(2), np.ones(1, np.float32), np.zeros(1), np.array([False]), rows(2), rows(0))
    user = replace(user_with(history_of((5, 1, 1, 180))), engagements=one)
    assert shortlist(user, rows(), items, replace(PLAN, num_engaged=2)).proposed[ENGAGED].tolist() == [2]


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
    assert given.sources.dtype == np.uint8


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


def test_equally_popular_items_are_in_the_order_of_rows() -> None:
    """A size at which an unstable sort swaps equal values."""
    size = 200
    statistics = np.zeros((size, len(names.ITEM_STATISTICS)), np.float32)
    statistics[::2, BUYERS_COLUMN] = 7
    codes = {column: np.ones(size, np.int32) for column in names.ITEM_CONTENT}
    catalogue = Catalogue(codes, dict.fromkeys(codes, 2), statistics, np.zeros((size, 2), np.float32))
    side = item_side(catalogue, np.ones((size, 2), np.float32), size)
    assert side.popular.tolist() == [*range(0, size, 2), *range(1, size, 2)]


def test_every_item_is_in_stock_until_it_is_said_otherwise(items: ItemSide) -> None:
    assert items.in_stock.tolist() == [True] * len(BUYERS)
    assert items.in_stock.dtype == np.bool_
    assert items.all_in_stock


def test_what_was_paid_stands_for_a_price_that_is_not_asked(items: ItemSide) -> None:
    price = names.ITEM_STATISTICS.index("item_price")
    statistics = items.catalogue.statistics.copy()
    statistics[:, price] = (0.5, 0, 2, 3, 4, 5)
    asked = np.array([np.nan, np.nan, 1.5, 0, 9, 9])
    catalogue = replace(items.catalogue, statistics=statistics)
    paid, known = (item_side(catalogue, items.embeddings, 4, prices) for prices in (None, asked))
    np.testing.assert_array_equal(paid.prices, np.array([0.5, np.nan, 2, 3, 4, 5], np.float32))
    np.testing.assert_array_equal(known.prices, np.array([0.5, np.nan, 1.5, 0, 9, 9], np.float32))
    assert known.prices.dtype == np.float32


def test_items_that_may_not_be_shown_are_candidates_of_no_source(items: ItemSide) -> None:
    # Rows 0 and 3 may not be shown: bought (0), popular (3) or near (3).
    user = user_with(history_of((5, 1, 1, 180), (0, 1, 0, 10)))
    allowed = np.array([False, True, True, False, True, True])
    found = shortlist(user, rows(3, 4, 5), items, PLAN, allowed)
    assert {source: proposed.tolist() for source, proposed in found.proposed.items()} == {
        REPEAT: [5], POPULAR: [1, 4], ENGAGED: [], TWO_TOWER: [3, 4],
    }  # fmt: skip
    assert found.rows.tolist() == [5, 1, 4]
    assert [source_names(mask) for mask in found.sources.tolist()] == ["repeat", "popular", "two_tower+popular"]
    assert pair_column(found, "is_repeat") == [1, 0, 0]


def test_a_shortlist_is_cut_with_its_sources(items: ItemSide) -> None:
    user = user_with(history_of((5, 1, 1, 180)))
    found = shortlist(user, rows(2, 3), items, replace(PLAN, num_candidates=2), also={FRESH: rows(4)})
    assert (found.rows.tolist(), [source_names(mask) for mask in found.sources.tolist()]) == (
        [4, 5],
        ["fresh", "repeat"],
    )
    assert found.proposed[FRESH].tolist() == [4]
    assert len(found.inputs) == 2


def test_an_empty_history_is_read_with_a_filter_too(items: ItemSide) -> None:
    empty = np.empty(0)
    nobody = user_with(UserHistory(rows(), *(empty.astype(np.float32),) * 3, first=empty, last=empty))
    assert shortlist(nobody, rows(2), items, PLAN, np.ones(len(BUYERS), np.bool_)).rows.tolist() == [1, 3, 2]


def test_the_first_allowed_are_looked_for_as_far_as_it_takes() -> None:
    order = np.arange(100)[::-1]
    assert first_allowed(order, order < 0, 3).tolist() == []
    only = np.isin(np.arange(100), (2, 11, 50, 91))  # row 91 is ninth, row 50 is 50th, rows 11 and 2 are near the end
    assert [first_allowed(order, only, limit).tolist() for limit in (1, 2, 3, 9)] == [
        [91],
        [91, 50],
        [91, 50, 11],
        [91, 50, 11, 2],
    ]
    assert first_allowed(order, only, 0).tolist() == []
    assert first_allowed(order, None, 2).tolist() == [99, 98]


def test_equally_likely_repeats_are_latest_first() -> None:
    history = history_of(*((row, 1 + row % 2, 0, 182) for row in range(200)))
    assert likeliest_repeats(history, NOW).tolist() == [*range(1, 200, 2), *range(0, 200, 2)]


def test_a_union_of_many_rows_is_in_the_order_of_first_appearance() -> None:
    draw = np.random.default_rng(4)
    near, bought, popular = (draw.permutation(1000)[:300] for _ in range(3))
    distinct, masks = union({TWO_TOWER: near, REPEAT: bought, POPULAR: popular})
    everything = [*near.tolist(), *bought.tolist(), *popular.tolist()]
    assert distinct.tolist() == list(dict.fromkeys(everything))
    expected = [sum(bit * (row in own) for bit, own in ((1, near), (2, bought), (4, popular))) for row in distinct]
    assert masks.tolist() == expected


def test_rows_of_a_large_catalogue_keep_their_numbers() -> None:
    """A key holds the row above 24 bits of position: rows of tens of millions do not run into it."""
    distinct, masks = union({TWO_TOWER: rows(2**25 + 1, 3), POPULAR: rows(3, 2**25 + 1)})
    assert (distinct.tolist(), masks.tolist()) == ([2**25 + 1, 3], [0b101, 0b101])


def test_a_union_of_nothing_is_nothing() -> None:
    distinct, masks = union({TWO_TOWER: rows(), REPEAT: rows(-1)})
    assert (distinct.tolist(), masks.tolist()) == ([], [])
    assert [part.tolist() for part in union({POPULAR: rows()})] == [[], []]
    # And row 0 is a row.
    assert [part.tolist() for part in union({TWO_TOWER: rows(-1, 0, 4)})] == [[0, 4], [1, 1]]


def test_inputs_of_engagements_are_of_the_users_own(items: ItemSide) -> None:
    engagements = UserEngagements(
        rows(2), np.array([3.0], np.float32), np.array([NOW]), np.array([True]), rows(2), rows(0)
    )
    user = replace(user_with(history_of((5, 1, 1, 180))), engagements=engagements)
    found = shortlist_of(user, rows(2, 4), items)
    look_count = found.inputs[:, len(RANKING_FEATURES) + ENGAGEMENT_FEATURES.index("look_count")]
    assert look_count.tolist() == [pytest.approx(np.log1p(3)), 0]
    since = found.inputs[:, len(RANKING_FEATURES) + ENGAGEMENT_FEATURES.index("days_since_look")]
    assert since[0] == 0
    # And of the user's own baskets: item 5 was bought once in four.
    assert pair_column(shortlist_of(user, rows(5), items), "basket_share") == [0.25]
    assert pair_column(shortlist_of(user, rows(5), items), "days_since_last") == [pytest.approx(np.log1p(2))]
    statistics = RANKING_FEATURES.index("item_buyers_28d")
    assert shortlist_of(user, rows(3), items).inputs[0, statistics] == pytest.approx(np.log1p(5))
    spend = names.USER_STATISTICS.index("user_spend_28d")
    column = RANKING_FEATURES.index("user_spend_28d")
    assert shortlist_of(user, rows(3), items).inputs[0, column] == pytest.approx(np.log1p(spend))


def with_weights(items: ItemSide) -> ItemSide:
    """What buys 5 says 2 (.5), 0 (.25) and 4 (.125)."""
    near, weights = np.zeros((len(BUYERS) + 1, 3), np.int32), np.zeros((len(BUYERS) + 1, 3), np.float32)
    near[6], weights[6] = (3, 1, 5), (0.5, 0.25, 0.125)
    return replace(items, neighbours=Neighbours(np.arange(len(BUYERS)), near, weights, len(BUYERS)))


def test_neighbours_of_purchases_are_candidates(items: ItemSide) -> None:
    user, plan = user_with(history_of((5, 1, 1, 0), (0, 1, 0, 10))), replace(PLAN, num_candidates=9, num_neighbours=1)
    proposed = shortlist(user, rows(4, 3), with_weights(items), plan).proposed
    assert proposed[NEIGHBOURS].tolist() == [2]  # 0 was bought, and 4 is one too many
    allowed = np.ones(len(BUYERS), np.bool_)
    allowed[2] = False
    assert shortlist(user, rows(4, 3), with_weights(items), plan, allowed).proposed[NEIGHBOURS].tolist() == [4]
    assert NEIGHBOURS not in shortlist(user, rows(4, 3), items, plan).proposed


def test_scores_of_neighbours_are_the_last_inputs(items: ItemSide) -> None:
    user = user_with(history_of((5, 1, 1, 182)))
    inputs = shortlist_of(user, rows(2, 4, 5), with_weights(items)).inputs
    assert inputs.shape == (3, len(RANKING_FEATURES) + len(NEIGHBOUR_FEATURES))
    assert inputs[:, -3:-1].tolist() == [[0.5, 1.0], [0.125, 0.25], [0.0, 0.0]]
    assert shortlist_of(user, rows(2, 4, 5), items).inputs.shape == (3, len(RANKING_FEATURES))
