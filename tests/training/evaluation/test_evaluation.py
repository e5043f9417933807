"""Intervals, slices, sources, calibration and the gate, each on a world small enough to count by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.arrays import Rows
from contracts.features.history import UserHistory
from contracts.features.names import ITEM_STATISTICS
from contracts.ranking.candidates import POPULAR, REPEAT, SOURCES, TWO_TOWER, Shortlist
from contracts.ranking.inputs import RANKING_FEATURES
from contracts.ranking.neighbours import Neighbours
from tests.support.bundles.sealed import make_bundle
from training.evaluation.calibration import calibration
from training.evaluation.candidate_recall import candidate_recall, simple_union_recall
from training.evaluation.evaluate import table_of, verdicts
from training.evaluation.gate import (
    LEAST_USERS,
    Champion,
    GateFailed,
    best_simple,
    champion_at,
    comparisons,
    losses,
    passed,
    require_no_loss,
    write_values,
)
from training.evaluation.slices import (
    at_lengths,
    by_history,
    by_segment,
    of_cold_items,
    of_discoveries,
    of_repeats,
    values_of,
    with_intervals,
)
from training.evaluation.window import EvaluationWindow, lists_of, sampled
from training.metrics.intervals import difference, interval
from training.ranking.without_history import as_served

USERS = ("ann", "bob")
BOTH = np.array([1.0, 0.0])


def rows(*values: int) -> Rows:
    return np.array(values, np.int64)


def shortlist(*sources: tuple[int, tuple[str, ...]]) -> Shortlist:
    """Candidates as (row, the sources that propose it)."""
    masks = [sum(1 << SOURCES.index(name) for name in names) for _, names in sources]
    inputs = np.zeros((len(sources), len(RANKING_FEATURES)), np.float32)
    return Shortlist(rows(*(row for row, _ in sources)), np.array(masks, np.uint8), inputs)


def history(*items: int) -> UserHistory:
    ones = np.ones(len(items), np.float32)
    times = np.zeros(len(items))
    return UserHistory(rows(*items), ones, ones, ones, times, times)


# Ann has bought 0 and 1 before and buys 0 and 4; bob is new and buys 3. Item 3 is the most popular.
STATISTICS = np.zeros((5, len(ITEM_STATISTICS)), np.float32)
STATISTICS[:, ITEM_STATISTICS.index("item_purchases_365d")] = (3, 2, 1, 9, 0)
ORIGIN = EvaluationWindow(
    start=0,
    end=86_400,
    user_ids=USERS,
    candidates=[
        shortlist((0, (REPEAT, POPULAR)), (1, (REPEAT,)), (4, (TWO_TOWER,))),
        shortlist((3, (POPULAR,)), (2, (TWO_TOWER,))),
    ],
    truths=[rows(0, 4), rows(3)],
    known=[rows(0, 1), rows()],
    histories=[history(1, 0), history()],
    without_history=[None, rows(3, 0)],
    nearest=[rows(4, 0, 1, 2, 3), rows(2, 3, 0, 1, 4)],
    item_statistics=STATISTICS,
)
RANKED = [rows(4, 0, 1), rows(2, 3)]
LISTS = lists_of(ORIGIN, RANKED)


def test_the_baselines_of_an_origin() -> None:
    assert LISTS["popularity"][0].tolist() == [3, 0, 1, 2, 4]
    assert LISTS["p_top_freq"][0].tolist() == [1, 0]
    assert LISTS["gp_top_freq"][0].tolist() == [1, 0, 3, 2, 4]
    assert LISTS["gp_top_freq"][1].tolist() == [3, 0, 1, 2, 4]


def test_who_has_done_nothing_is_judged_by_the_list_that_is_served() -> None:
    """Bob is new: the server asks no model for him."""
    ranked = [(row, np.zeros(len(row), np.float32)) for row in RANKED]
    assert [own.tolist() for own in as_served(ranked, ORIGIN.without_history)] == [[4, 0, 1], [3, 0]]


def test_an_interval_holds_its_mean_and_shrinks_with_users() -> None:
    few, many = interval(np.tile(BOTH, 10)), interval(np.tile(BOTH, 1000))
    assert few.mean == many.mean == 0.5
    assert few.low < many.low < 0.5 < many.high < few.high
    # The standard error of 2,000 draws of 0 or 1 is .5 / sqrt(2000) = .0112, and 1.96 of it .0219.
    assert many.high - 0.5 == pytest.approx(0.0219, abs=0.003)


def test_what_users_have_in_common_does_not_blur_a_difference() -> None:
    theirs = np.random.default_rng(1).random(50)
    gain = difference(theirs + 0.01, theirs)
    assert [gain.low, gain.high] == pytest.approx([0.01, 0.01])


def test_what_a_source_finds_and_what_it_alone_finds() -> None:
    """Ann's 0 is found by repeat and popular, her 4 by the towers alone; bob's 3 by popular alone."""
    found = candidate_recall(ORIGIN.candidates, ORIGIN.truths)
    assert found["recall_union"] == 1.0
    assert (found["recall_repeat"], found["unique_repeat"]) == (0.25, 0.0)  # half of ann's, none of bob's
    assert (found["recall_popular"], found["unique_popular"]) == (0.75, 0.5)
    assert (found["recall_two_tower"], found["unique_two_tower"]) == (0.25, 0.25)
    assert found["mean_candidates"] == 2.5


def test_the_simplest_union_is_history_and_popularity() -> None:
    """Five items are all popular: everything is found with five candidates each.

    With two candidates each, half of ann's: she has bought 1 and 0 before, and bob nothing.
    """
    all_of_them = {"recall_simple_union_uncut": 1.0, "mean_simple_candidates_uncut": 5.0}
    assert simple_union_recall(ORIGIN, 5) == all_of_them | {"recall_simple_union": 1.0, "mean_simple_candidates": 5.0}
    assert simple_union_recall(ORIGIN, 2) == all_of_them | {"recall_simple_union": 0.25, "mean_simple_candidates": 2.0}


def test_beyond_the_most_users_a_sample_is_spread_evenly() -> None:
    assert sampled([3, 5, 7, 9, 11], 3) == [3, 7, 11]
    assert sampled([3, 5], 3) == sampled([3, 5], 0) == [3, 5]


def test_repeats_are_what_was_bought_before() -> None:
    lists, truths = of_repeats(ORIGIN, LISTS)
    assert [own.tolist() for own in truths] == [[0]]  # bob has bought nothing before
    assert lists["final_list"][0].tolist() == [0, 1]


def test_discoveries_are_the_rest() -> None:
    lists, truths = of_discoveries(ORIGIN, LISTS)
    assert [own.tolist() for own in truths] == [[4], [3]]
    assert lists["final_list"][0].tolist() == [4]
    assert "gp_top_freq" not in lists


def test_cold_items_are_what_nobody_had_bought() -> None:
    """Item 4 alone; ann buys it, and her final list begins with it."""
    lists, truths = of_cold_items(ORIGIN, LISTS)
    assert [own.tolist() for own in truths] == [[4]]
    assert lists["final_list"][0].tolist() == [4, 0, 1]


def test_without_users_there_is_no_table() -> None:
    assert with_intervals({"final_list": []}, []) == {}


def test_users_by_the_length_of_their_history() -> None:
    groups = by_history(ORIGIN, LISTS)
    assert {name: table["users"] for name, table in groups.items()} == {"no history": 1, "1 to 50 items": 1}
    assert groups["no history"]["popularity"]["ndcg@20"]["mean"] == 1.0  # bob's 3 leads the popular


def test_users_by_what_their_profile_says() -> None:
    """Ann and bob are of different ages, of bob's income nothing is known, and of nobody's home."""
    known = replace(ORIGIN, profiles=[{"age_band": "100+", "income_band": "50-74K"}, {"age_band": "19-24"}])
    found = by_segment(known, {"popularity": LISTS["popularity"]}, least_users=1)
    assert [(one["column"], one["value"], one["users"]) for one in found] == [
        ("age_band", "19-24", 1), ("age_band", "100+", 1), ("income_band", "50-74K", 1), ("income_band", "unknown", 1),
    ]  # fmt: skip
    assert found[0]["popularity"]["ndcg@20"]["mean"] == 1.0  # bob's 3 leads the popular


def test_segments_of_a_few_users_are_left_out() -> None:
    assert by_segment(replace(ORIGIN, profiles=[{"age_band": "19-24"}] * 2), LISTS) == []


def test_longer_lists_find_more() -> None:
    found = at_lengths({"final_list": LISTS["final_list"]}, ORIGIN.truths)["final_list"]
    assert found["recall@5"] == 1.0
    # Ann's list is perfect; bob's truth is second: 1 / log2(3) = .6309.
    assert found["ndcg@5"] == pytest.approx((1 + 0.6309) / 2, abs=1e-4)


def test_log_odds_that_are_right_have_no_calibration_error() -> None:
    """Log-odds ln(1/4) are a probability of .2: of each ten candidates two are bought."""
    scores = np.full(10, np.log(0.25), np.float32)
    found = calibration([(np.arange(10), scores)] * 10, [rows(0, 5)] * 10)
    assert found["expected_error"] == pytest.approx(0.0, abs=1e-6)
    assert {(round(one["predicted"], 6), one["observed"]) for one in found["bins"]} == {(0.2, 0.2)}


def test_a_wrong_probability_is_an_error_in_its_bin() -> None:
    """Ten candidates are ten bins: eight are .2 away from nothing bought, two .8 from a purchase; 3.2 / 10."""
    found = calibration([(np.arange(10), np.full(10, np.log(0.25), np.float32))], [rows(0, 5)])
    assert found["expected_error"] == pytest.approx(0.32)


def gate(ours: float, theirs: float, champion: Champion | None = None) -> dict[str, Any]:
    noise = np.random.default_rng(3).normal(0, 0.01, 100)
    values = {"final_list": ours + noise, "gp_top_freq": theirs + noise[::-1]}
    return comparisons(values, {}, tuple(map(str, range(100))), 5, champion)


def test_a_list_that_is_better_or_no_worse_than_chance_passes() -> None:
    assert losses(gate(0.4, 0.3)) == losses(gate(0.3, 0.3)) == []


def test_a_list_that_loses_beyond_the_interval_is_refused() -> None:
    (lost,) = losses(gate(0.3, 0.4))
    assert lost.startswith("the final list loses to own habits, then bestsellers by 0.1000 NDCG@20 (95 % interval 0.09")
    said = r"^Refused, because the final list loses to own habits, then bestsellers .* --force"
    with pytest.raises(GateFailed, match=said):
        require_no_loss({"gate": gate(0.3, 0.4)})


@pytest.mark.parametrize(("users", "refused"), [(1, False), (LEAST_USERS - 1, False), (LEAST_USERS, True)])
def test_a_handful_of_users_refuses_no_release_and_is_said(users: int, refused: bool) -> None:
    """One user's interval has no width: a shop's first week would be held to chance."""
    values = {"final_list": np.full(users, 0.3), "popularity": np.full(users, 0.4)}
    enough = {"final_list": np.full(40, 0.4), "popularity": np.full(40, 0.3)}
    ids = tuple(map(str, range(users)))
    everything, new = comparisons(values, enough, ids, 5, None), comparisons(enough, values, ids, 5, None)
    assert (bool(losses(everything)), bool(losses(new))) == (refused, refused)
    if not refused:
        few = f"too few users ({users}) to say whether another list is better"
        more = "it takes 30; a longer test window has more: features.test_days in params.yaml"
        assert passed(everything) == f"no other list is better beyond chance; {few}: {more}"
        assert passed(new) == f"no other list is better beyond chance; {few} on what is new to the user: {more}"
        assert passed(comparisons(values, {}, ids, 5, None)) == f"{few}: {more}"


def test_a_champion_with_few_users_in_common_refuses_nothing() -> None:
    found = gate(0.4, 0.3, Champion("old", 5, {str(user): 0.5 for user in range(90, 120)}))
    assert found["rivals"]["champion"]["high"] < 0
    assert losses(found) == []
    assert found["champion"] == "bundle old, 10 users in common, too few to refuse a release: it takes 30"


def test_a_list_that_loses_on_what_is_new_alone_is_refused_too() -> None:
    noise = np.random.default_rng(3).normal(0, 0.01, 100)
    values = {"final_list": 0.4 + noise, "ease": 0.3 + noise[::-1]}
    found = comparisons(values, {"final_list": 0.1 + noise, "ease": 0.2 + noise[::-1]}, ("0",) * 100, 5, None)
    (lost,) = losses(found)
    assert lost.startswith(
        "the final list loses to item-to-item weights alone on what is new to the user by 0.1000 NDCG@20"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (0.4, 0.3, [
            ("the final list beats own habits, then bestsellers, the best list without a model, on all items: "
             "NDCG@20 0.4000 against 0.3000", True),
            ("no other list is better beyond chance", True),
        ]),
        (0.3, 0.4, [
            ("the final list does not beat own habits, then bestsellers, the best list without a model, on all items: "
             "NDCG@20 0.3000 against 0.4000", False),
            ("the final list loses to own habits, then bestsellers by 0.1", False),
        ]),
    ],
)  # fmt: skip
def test_what_is_said_of_a_promise_is_true_whether_or_not_it_is_kept(
    ours: float, theirs: float, found: list[tuple[str, bool]]
) -> None:
    table = {"final_list": {"ndcg@20": ours}, "gp_top_freq": {"ndcg@20": theirs}}
    said = verdicts({"all_items": table, "new_to_user": {}, "gate": gate(ours, theirs)})
    for (words, holds), (expected, kept) in zip(said, found, strict=True):
        assert words.startswith(expected) and holds is kept


def test_the_best_simple_list_is_the_one_with_the_best_order() -> None:
    table = {
        name: {"ndcg@20": value} for name, value in (("gp_top_freq", 0.2), ("recent_popularity", 0.3), ("ease", 1))
    }
    assert best_simple(table) == "recent_popularity"  # EASE is a model


def test_item_to_item_weights_are_a_list_of_their_own() -> None:
    """Who bought 0 is near 2; behind it comes what is popular, and nothing twice."""
    near, weights = np.array([[0], [2], [1]], np.int32), np.array([[0], [0.5], [0.5]], np.float32)
    both = lists_of(ORIGIN, RANKED, Neighbours(np.array([0, 2]), near, weights, ORIGIN.num_items))["ease"]
    for history, own in zip(ORIGIN.histories, both, strict=True):
        assert len(set(own.tolist())) == len(own) == ORIGIN.num_items
        if 0 in history.item_rows:
            assert 2 in own[:2]


def test_a_bundle_of_before_the_gate_is_not_refused() -> None:
    require_no_loss({})


def test_the_champion_is_compared_on_the_users_in_common() -> None:
    champion = Champion("old", 5, {str(user): 0.5 for user in range(60, 120)})
    found = gate(0.4, 0.3, champion)
    assert found["rivals"]["champion"]["mean"] == pytest.approx(-0.1, abs=0.01)
    assert found["champion"] == "bundle old, 40 users in common"
    assert "loses to the list that serves today" in losses(found)[0]


def test_a_champion_of_another_window_or_other_users_is_not_compared() -> None:
    other = gate(0.4, 0.3, Champion("old", 4, {"1": 1.0}))
    assert "champion" not in other["rivals"] and "another test window" in other["champion"]
    cold_users = gate(0.4, 0.3, Champion("old", 5, {"nobody": 1.0}))
    assert (
        "champion" not in cold_users["rivals"]
        and cold_users["champion"] == "bundle old, 0 users in common, too few to refuse a release: it takes 30"
    )
    assert gate(0.4, 0.3)["champion"] == "nothing serves yet that could be compared"


def test_the_champion_is_read_from_the_bundle_that_serves(tmp_path: Path) -> None:
    write_values(tmp_path / "values.parquet", USERS, BOTH)
    parts = {"items.npz": b"items", "evaluation.parquet": (tmp_path / "values.parquet").read_bytes()}
    champion = champion_at(make_bundle(tmp_path / "bundles", parts))
    assert champion is not None and champion.cutoff == 1.0 and champion.values == {"ann": 1.0, "bob": 0.0}


def test_without_values_there_is_no_champion(tmp_path: Path) -> None:
    assert champion_at(tmp_path / "nothing") is None
    assert champion_at(make_bundle(tmp_path / "bundles")) is None


def test_where_nobody_bought_anything_new_the_table_of_it_is_empty_and_nobody_loses() -> None:
    repeating = replace(ORIGIN, truths=[rows(0, 1), rows(3)], known=[rows(0, 1), rows(3)])
    lists, truths = of_discoveries(repeating, LISTS)
    values = values_of(lists, truths)
    assert (truths, table_of(lists, values, 5), with_intervals(lists, truths)) == ([], {}, {})
    everything = {name: own["ndcg@20"] for name, own in values_of(LISTS, repeating.truths).items()}
    gate = comparisons(everything, {}, USERS, 0, None)
    assert gate["new_to_user"] == {}
    assert gate["rivals"].keys() == everything.keys() - {"final_list"}
