"""LightGBM as a peer: what it reads of a user and an item, and that it learns the obvious."""

import numpy as np
import pytest

pytest.importorskip("lightgbm", reason="the extra `quality` is not installed; make bench-quality installs it")

from benchmarks.quality.metrics import per_user
from benchmarks.quality.peers.boosted import Boosted, Pairs
from benchmarks.quality.peers.peer import counts, top_lists
from benchmarks.quality.splits import Split, one_basket_earlier

USERS, ITEMS = 300, 120


def split_of(*histories: list[list[int]], ages: list[list[float]] | None = None) -> Split:
    baskets = [[np.array(basket) for basket in own] for own in histories]
    days = [np.array(own) for own in ages] if ages else None
    return Split(10, baskets, baskets, [np.array([7])] * len(baskets), repeats=True, ordered=True, k=3, ages=days)


def test_what_is_known_of_a_pair_by_hand() -> None:
    """Item 7 bought 30 and 2 days ago in two of three baskets: gap 28, so 2/28 of it is over."""
    split = split_of([[7], [8], [7, 9]], [[1]], ages=[[30.0, 9.0, 2.0], [40.0]])
    pairs = Pairs(split)
    rows, items = pairs.candidates(np.array([0]), num_popular=1)
    assert (rows.tolist(), items.tolist()) == (
        [0, 0, 0],
        [7, 8, 9],
    )  # the popular one, by late purchases, is among them
    known = dict(zip(items.tolist(), pairs.inputs(np.zeros(3, np.int64), items).tolist(), strict=True))
    count, last, first, gap, overdue, faded, share, bought, late, buyers, returned, *user = known[7]
    assert (count, last, first, gap, share) == (2, 2, 30, 28, pytest.approx(2 / 3))
    assert (overdue, faded) == (pytest.approx(2 / 28), pytest.approx(0.5 ** (30 / 28) + 0.5 ** (2 / 28)))
    assert (bought, late, buyers, returned) == (2, 1, 1, 1)
    assert user == [3, 3, pytest.approx(4 / 3), 2]
    (unknown,) = pairs.inputs(np.array([1]), np.array([7]))
    assert np.isnan(unknown[:7]).all()


def test_without_a_clock_late_purchases_are_all_purchases() -> None:
    pairs = Pairs(split_of([[7], [7], [9]]))
    (known,) = pairs.inputs(np.array([0]), np.array([7]))
    assert known[1:4].tolist() == [1, 2, 1]  # baskets ago, and between
    assert known[7] == known[8] == 2


@pytest.mark.parametrize("objective", ["lambdarank", "binary"])
def test_what_everybody_buys_again_leads_the_lists(objective: str) -> None:
    draw = np.random.default_rng(1)
    own = [np.sort(draw.choice(ITEMS, 2, replace=False)) for _ in range(USERS)]
    histories = [[np.union1d(items, draw.choice(ITEMS, 1)) for _ in range(4)] for items in own]
    split = Split(ITEMS, histories, histories, own, repeats=True, ordered=True, k=10)
    peer = Boosted(objective, leaves=7, trees=20, num_popular=20)
    peer.fit(split)
    recall, ndcg = per_user(top_lists(peer, split, counts(split, binary=True)), split.truths, split.k)
    assert recall.mean() > 0.98 and ndcg.mean() > 0.95


def test_one_basket_earlier_asks_for_the_latest_basket() -> None:
    earlier = one_basket_earlier(split_of([[1], [2]], [[3]]))
    assert earlier.users.tolist() == [0]
    assert earlier.truths[0].tolist() == [2]
    assert [basket.tolist() for basket in earlier.histories[0]] == [[1]]
