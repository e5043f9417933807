"""Our final list on baskets alone, on a world whose answer is obvious: everybody buys the same two items again."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks.quality.metrics import per_user
from benchmarks.quality.peers.final_list import FinalList, Known
from benchmarks.quality.peers.peer import counts, top_lists
from benchmarks.quality.splits import Split

USERS, ITEMS = 400, 200


@pytest.fixture(scope="module")
def split() -> Split:
    draw = np.random.default_rng(1)
    own = [np.sort(draw.choice(ITEMS, 2, replace=False)) for _ in range(USERS)]
    histories = [[np.union1d(items, draw.choice(ITEMS, 1)) for _ in range(4)] for items in own]
    return Split(ITEMS, histories, histories, own, repeats=True, ordered=True, k=10)


def test_what_everybody_buys_again_leads_the_lists(split: Split) -> None:
    peer = FinalList(trees=20, leaves=7)
    peer.fit(split)
    recall, ndcg = per_user(top_lists(peer, split, counts(split, binary=True)), split.truths, split.k)
    assert recall.mean() > 0.98 and ndcg.mean() > 0.95


def test_what_is_known_of_a_user_and_an_item_by_hand() -> None:
    """Three baskets; item 7 in the first and the last: 2 of 3, last 0 and first 2 baskets ago, so a gap of 2."""
    others = [[np.array([1])] for _ in range(400)]
    mine = [np.array([7]), np.array([8]), np.array([7, 9])]
    known = Known([mine, *others], 20)
    (rows,), (inputs,) = known.candidates(np.array([0]), num_nearest=2, num_popular=1)
    assert {1, 7, 8, 9} <= set(rows.tolist())  # what everybody buys, and what the user has bought
    of = dict(zip(rows.tolist(), inputs[:, :8].tolist(), strict=True))
    assert of[7][:6] == [1, 2, pytest.approx(2 / 3), 0, 2, 2]
    assert of[7][6:] == [0.5, pytest.approx(1 + 0.8**2)]  # half of the gap is over; faded by basket
    assert of[1][:2] == [0, 0]


def test_a_user_without_baskets_gets_candidates() -> None:
    known = Known([[], *([np.array([1])] for _ in range(400))], 20)
    (rows,), (inputs,) = known.candidates(np.array([0]), num_nearest=2, num_popular=1)
    assert 1 in rows and len(inputs) == len(rows) and np.isfinite(inputs).all()
