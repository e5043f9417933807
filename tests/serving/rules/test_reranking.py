"""Diversity and exploration: lists by hand, propensities that add up, and a log that an estimate can be made from."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from contracts.errors import InvalidInput
from contracts.rules.rules import rule_set
from serving.rules.reranking import by_chance, by_relevance_and_likeness
from tests.support.each import each
from tests.support.lists.catalogue import IDS
from tests.support.lists.rules import arranged, shown
from training.evaluation.off_policy import LoggedImpressions, ips


def test_the_likest_of_what_is_shown_sinks_by_hand() -> None:
    """Relevance 1, .9 and 0; the second is the first's twin: .5 * .9 - .5 * 1 is below .5 * 0 - .5 * 0."""
    vectors = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    strengths = np.array([-1.0, -1.1, -2.0])
    order = by_relevance_and_likeness(np.arange(3), strengths, vectors, 0.5, 2)
    assert order.tolist() == [0, 2, 1]
    assert by_relevance_and_likeness(np.arange(3), strengths, vectors, 0.01, 2).tolist() == [0, 1, 2]


def test_candidates_below_the_pool_keep_their_places() -> None:
    vectors = np.ones((2, 2), np.float32)
    order = by_relevance_and_likeness(np.array([3, 0, 2, 1]), -np.arange(4.0), vectors, 0.5, 1)
    assert sorted(order[:2].tolist()) == [0, 3]
    assert order[2:].tolist() == [2, 1]


def test_a_diversity_rule_brings_unlike_items_and_says_so() -> None:
    done = arranged(3, {"diversity": {"strength": 0.7}})
    assert shown(done)[0] == "apple"  # the angles of the catalogue grow with the row: the last is least like it
    assert "ball" in shown(done)
    assert done.acted[IDS.index("ball")] == ["rule-0"]
    assert shown(arranged(3, {"diversity": {"strength": 0.01}})) == ["apple", "pear", "plum"]


def test_exploration_keeps_every_candidate_once_and_logs_the_chance_of_each() -> None:
    order, propensities, drawn = by_chance(range(5), 2, 1.0, 3, np.random.default_rng(5))
    assert sorted(order) == list(range(5))
    assert list(propensities) == order[:2]
    assert set(propensities.values()) == {1 / 3}
    assert all(at in order[:2] for at in each(drawn))


def test_places_that_are_not_explored_show_the_best_with_what_chance_leaves() -> None:
    order, propensities, drawn = by_chance(range(4), 2, 1e-9, 4, np.random.default_rng(2))
    assert (order, drawn) == ([0, 1, 2, 3], [])
    assert propensities[0] == pytest.approx(1.0)


def test_logged_propensities_are_how_often_items_are_shown() -> None:
    """One place, share .4 among 4: the best is shown with .6 + .1, each other with .1."""
    draw, counts, logged = np.random.default_rng(5), Counter[int](), dict[int, float]()
    for _ in range(20_000):
        order, propensities, _drawn = by_chance(range(6), 1, 0.4, 4, draw)
        counts[order[0]] += 1
        logged |= propensities
    assert logged == {0: pytest.approx(0.7), 1: pytest.approx(0.1), 2: pytest.approx(0.1), 3: pytest.approx(0.1)}
    for item, propensity in logged.items():
        assert counts[item] / 20_000 == pytest.approx(propensity, abs=0.01)


def test_an_estimate_from_the_log_finds_what_another_list_would_earn() -> None:
    """Item i earns i / 4. A list that shows item 3 first would earn .75; the log is of one that shows item 0."""
    draw = np.random.default_rng(6)
    shown, chances = [], []
    for _ in range(20_000):
        order, propensities, _drawn = by_chance(range(4), 1, 0.4, 4, draw)
        shown.append(order[0])
        chances.append(propensities[order[0]])
    items = np.array(shown)
    rewards = (draw.random(len(items)) < items / 4).astype(np.float64)
    found = ips(LoggedImpressions(rewards, np.array(chances), (items == 3).astype(np.float64)))
    assert found.low < 0.75 < found.high


EXPLORE: dict[str, Any] = {"explore": {"share": 1.0, "among": 5}}


def test_an_exploring_rule_draws_anew_and_pins_stay() -> None:
    pinned = {"pin": {"item_id": "lamp", "position": 1}}
    lists = {tuple(shown(arranged(3, EXPLORE, pinned))) for _ in range(30)}
    assert len(lists) > 1
    assert {one[0] for one in lists} == {"lamp"}
    done = arranged(3, EXPLORE, pinned)
    assert IDS.index("lamp") not in done.propensities  # it is sure
    assert [done.propensities[at] for at in done.positions[1:]] == [0.2, 0.2]


@pytest.mark.parametrize("other", [{"cap": {"at_most": 1, "per": "brand"}}, EXPLORE], ids=["cap", "explore"])
def test_what_would_make_propensities_wrong_is_refused(other: dict[str, Any]) -> None:
    rules = [{"name": "a", **EXPLORE}, {"name": "b", **other}]
    with pytest.raises(InvalidInput, match="'a' and 'b' at the same time and place"):
        rule_set({"version": "1", "rules": rules})
    apart = [{**rules[0], "surfaces": ["mail"]}, {**rules[1], "surfaces": ["home"]}]
    assert len(rule_set({"version": "1", "rules": apart}).rules) == 2
