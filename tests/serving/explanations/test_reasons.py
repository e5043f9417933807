"""Sentences by hand: each must be true of the numbers it is made from."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.features.engagements import UserEngagements
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS
from contracts.ranking.candidates import CONTEXT, ENGAGED, POPULAR, REPEAT, RULE, TWO_TOWER
from serving.explanations.sentences import ReasonFacts, reason
from tests.support.catalogue import IDS, items, rows

NOW = 400 * DAY_SECONDS


def history(**purchases: tuple[int, int, int]) -> UserHistory:
    """item=(count, day of the first purchase, day of the last)."""
    table = np.array(list(purchases.values()), np.float64)
    counts, first, last = table[:, 0].astype(np.float32), table[:, 1] * DAY_SECONDS, table[:, 2] * DAY_SECONDS
    return UserHistory(np.array(rows(*purchases)), counts, counts, counts, first, last)


BOUGHT = history(apple=(5, 338, 386), pear=(1, 399, 399), bread=(2, 390, 400), soap=(3, 400, 400))


def said(item: str, *sources: str, context: tuple[str, ...] = (), rules: tuple[str, ...] = ()) -> str:
    companions = {rows("plum")[0]: {rows("bread")[0]: 9, rows("apple")[0]: 4}}
    known = ReasonFacts(items(), IDS, BOUGHT, NOW, np.array(rows(*context), np.int64), companions)
    return reason(IDS.index(item), sources, rules, known)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("apple", "You buy this about every 12 days, last 14 days ago."),  # (386 - 338) / 4
        ("pear", "You have bought this once, last yesterday."),
        ("bread", "You have bought this twice, last today."),
        ("soap", "You have bought this 3 times, last today."),  # all on one day: no rhythm
    ],
)
def test_repeats_tell_the_rhythm(item: str, sentence: str) -> None:
    assert said(item, REPEAT, POPULAR) == sentence


def test_what_is_bought_together_goes_before_what_is_alike() -> None:
    assert said("plum", TWO_TOWER) == "Bought together with bread, which you buy."
    assert said("plum", CONTEXT, context=("apple", "ball")) == "Bought together with apple, which you are looking at."


def test_alike_is_by_the_towers_and_only_when_near() -> None:
    """The brush lies at 60 degrees, the soap at 50: a cosine of .98. The ball at 90 is 40 degrees from the soap."""
    assert said("brush", TWO_TOWER) == "Similar to soap, which you buy."
    assert said("ball", CONTEXT, TWO_TOWER, context=("apple",)) == "Similar to soap, which you buy."  # .77; apple 0
    assert said("ball", CONTEXT, context=("apple",)) == "Fits what you have bought lately."


def test_the_crowd_and_the_shop() -> None:
    assert said("lamp", POPULAR) == "Popular this month: 3 customers bought it in 28 days."
    one_each = replace(items(), popularity=np.ones(len(IDS), np.float32))
    known = ReasonFacts(one_each, IDS, BOUGHT, NOW, np.array([], np.int64), {})
    assert reason(0, (POPULAR,), (), known) == "Popular this month: 1 customer bought it in 28 days."
    assert said("bulb", POPULAR) == "Fits what you have bought lately."  # nobody did
    assert said("lamp", RULE, rules=("launch",)) == "Chosen by the shop: launch."


def test_what_was_looked_at_says_when() -> None:
    looked = np.array(rows("lamp", "plum"), np.int64)
    last, held = (NOW - np.array([3, 0]) * DAY_SECONDS), np.array([False, True])
    engagements = UserEngagements(looked, np.ones(2, np.float32), last, held, looked, looked)
    known = replace(ReasonFacts(items(), IDS, BOUGHT, NOW, np.array([], np.int64), {}), engagements=engagements)
    assert reason(IDS.index("lamp"), [ENGAGED, POPULAR], [], known) == "You looked at this 3 days ago."
    assert reason(IDS.index("plum"), [ENGAGED, TWO_TOWER], [], known) == "You have this in your cart."
    assert reason(IDS.index("ball"), [ENGAGED], [], known) == "Fits what you have bought lately."
