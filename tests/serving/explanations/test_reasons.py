"""Sentences by hand: each must be true of the numbers it is made from."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.events.schema import EventType
from contracts.features.engagements import UserEngagements
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS
from contracts.ranking.candidates import (
    BUYERS_COLUMN,
    CONTEXT,
    ENGAGED,
    POPULAR,
    REPEAT,
    RULE,
    TWO_TOWER,
    YEAR_COLUMN,
)
from contracts.ranking.related import Nearness, Related
from serving.explanations.sentences import ReasonFacts, reason
from tests.support.lists.catalogue import IDS, items, rows

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


def near(*pairs: tuple[str, str]) -> Related:
    """Pairs of items that are bought together, nearer than random ones."""
    all_rows = np.arange(len(IDS))
    places, weights = np.zeros((len(IDS) + 1, 1), np.int32), np.zeros((len(IDS) + 1, 1), np.float32)
    for one, other in pairs:
        for source, target in ((one, other), (other, one)):
            places[IDS.index(source) + 1], weights[IDS.index(source) + 1] = IDS.index(target) + 1, 0.5
    least = {Nearness.BASKETS: 0.3, Nearness.CONTENT: 0.9}
    return Related(all_rows, places, weights, len(IDS), least, np.ones(len(IDS) + 1, np.float32))


def test_similar_is_said_of_what_is_nearer_than_random_pairs_alone() -> None:
    facts = ReasonFacts(items(), IDS, BOUGHT, NOW, np.array(rows("apple"), np.int64), {})
    known = replace(facts, related=near(("brush", "soap"), ("ball", "apple")))
    assert reason(IDS.index("brush"), [TWO_TOWER], [], known) == "Similar to soap, which you buy."
    assert reason(IDS.index("ball"), [CONTEXT], [], known) == "Similar to apple, which you are looking at."
    assert reason(IDS.index("lamp"), [TWO_TOWER], [], known) == "Popular this month: 3 customers bought it in 28 days."
    assert reason(IDS.index("brush"), [TWO_TOWER], [], facts).startswith("Popular this month")  # without a threshold


def test_where_likes_are_learned_likes_are_said() -> None:
    facts = ReasonFacts(items(), IDS, BOUGHT, NOW, np.array([], np.int64), {rows("plum")[0]: {rows("bread")[0]: 2}})
    likes, views, carts = (replace(facts, target=kind) for kind in (EventType.LIKE, EventType.VIEW, EventType.CART_ADD))
    assert reason(IDS.index("pear"), [REPEAT], [], likes) == "You have liked this once, last yesterday."
    assert reason(IDS.index("plum"), [TWO_TOWER], [], likes) == "Liked together with bread, which you like."
    assert reason(IDS.index("apple"), [REPEAT], [], views) == "You look at this about every 12 days, last 14 days ago."
    assert reason(IDS.index("plum"), [TWO_TOWER], [], carts) == (
        "Put in the cart together with bread, which you put in the cart."
    )
    assert reason(IDS.index("bulb"), [TWO_TOWER], [], likes) == "Chosen by what you and others have liked."


def test_the_crowd_and_the_shop() -> None:
    assert said("lamp", POPULAR) == "Popular this month: 3 customers bought it in 28 days."
    side = items()
    statistics = np.zeros_like(side.catalogue.statistics)
    statistics[:2, YEAR_COLUMN] = 12
    statistics[0, BUYERS_COLUMN] = 1
    lately = replace(side, catalogue=replace(side.catalogue, statistics=statistics))
    known = ReasonFacts(lately, IDS, BOUGHT, NOW, np.array([], np.int64), {})
    assert reason(0, (POPULAR,), (), known) == "Popular this month: 1 customer bought it in 28 days."
    assert reason(1, (POPULAR,), (), known) == "Popular this year: 12 customers bought it in 365 days."
    assert said("bulb", POPULAR) == "Chosen by what you and others have bought."  # nobody did lately
    assert said("lamp", RULE, rules=("launch",)) == "Chosen by the shop: launch."


def test_what_was_looked_at_says_when() -> None:
    looked = np.array(rows("lamp", "plum"), np.int64)
    last, held = (NOW - np.array([3, 0]) * DAY_SECONDS), np.array([False, True])
    engagements = UserEngagements(looked, np.ones(2, np.float32), last, held, looked, looked)
    known = replace(ReasonFacts(items(), IDS, BOUGHT, NOW, np.array([], np.int64), {}), engagements=engagements)
    assert reason(IDS.index("lamp"), [ENGAGED, POPULAR], [], known) == "You looked at this 3 days ago."
    assert reason(IDS.index("plum"), [ENGAGED, TWO_TOWER], [], known) == "You have this in your cart."
    assert reason(IDS.index("ball"), [ENGAGED], [], known) == "Popular this month: 2 customers bought it in 28 days."
