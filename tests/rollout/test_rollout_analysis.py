"""Gates: what fails, what succeeds, what waits, and that the sentence says why."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from rollout.analysis.gates import _chance_of_mean, analyse, click_evidence
from rollout.analysis.measurements import Histogram, Measurements, Mirrored, SlotNumbers
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.settings import GateName, Thresholds
from serving.metrics import ANSWER_BUCKETS_SECONDS

FAST = Histogram((0.01, 0.02, 0.05, 0.1, math.inf), (9800, 190, 10, 0, 0))  # p99: 9,900 lie at 10 + 100/190 * 10 ms
BEYOND = "the limit is beyond the histogram's last bucket"
GOOD = SlotNumbers(requests=10_000, errors=10, answers=10_000, empty=5, degraded=200, clicks=500, latency=FAST)
Lists = tuple[tuple[str, ...] | None, ...]
SAME = tuple(tuple(f"item{(user + row) % 40}" for row in range(10)) for user in range(40))


def measured(canary: SlotNumbers = GOOD, stable: SlotNumbers = GOOD, mirrored: Mirrored | None = None) -> Measurements:
    return Measurements(stable, canary, mirrored or same(SAME, SAME))


def same(stable: Lists, canary: Lists) -> Mirrored:
    return Mirrored(tuple(f"user{row}" for row in range(len(stable))), stable, canary)


def gate(name: GateName, look: Measurements, **thresholds: object) -> GateResult:
    [result] = analyse(look, Thresholds.model_validate({"gates": (name,)} | thresholds)).gates
    return result


def test_a_canary_like_stable_passes_every_gate() -> None:
    analysis = analyse(measured(), Thresholds())
    assert [result.gate for result in analysis.gates] == list(GateName)
    assert analysis.verdict is Verdict.SUCCESSFUL
    assert analysis.sentence == "all 8 gates successful"


def test_one_failed_gate_fails_the_analysis_and_is_what_it_says() -> None:
    analysis = analyse(measured(replace(GOOD, errors=900, clicks=0, answers=0, empty=0, degraded=0)), Thresholds())
    assert analysis.verdict is Verdict.FAILED
    assert analysis.sentence.startswith("errors: 9.00% errors of 10000, stable 0.10% of 10000; 0.50% more is allowed")


def test_inconclusive_outranks_successful() -> None:
    gates = tuple(
        GateResult(gate=GateName.ERRORS, verdict=verdict, sentence="so") for verdict in Verdict if verdict != "failed"
    )
    assert Analysis(gates=gates).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("seconds", [0.004, 0.02, 0.03, 0.06, 0.09, 0.15])
def test_a_canary_slower_by_a_third_of_a_second_is_found(seconds: float) -> None:
    """In the buckets of the server: all of stable's answers take `seconds`, all of canary's 0.33 s more."""
    stable, canary = (replace(GOOD, latency=served([each] * 300)) for each in (seconds, seconds + 0.33))
    assert gate(GateName.LATENCY, measured(canary, stable)).verdict is Verdict.FAILED
    assert gate(GateName.LATENCY, measured(stable, stable)).verdict is Verdict.SUCCESSFUL


def served(seconds: list[float]) -> Histogram:
    """As the server counts them."""
    bounds = (*ANSWER_BUCKETS_SECONDS, math.inf)
    edges = (0.0, *bounds)
    return Histogram(bounds, tuple(sum(low < one <= high for one in seconds) for low, high in pairwise(edges)))


@pytest.mark.parametrize("name", [GateName.ERRORS, GateName.EMPTY, GateName.DEGRADED])
def test_shares_above_stable_and_margin_fail(name: GateName) -> None:
    bad = {
        GateName.ERRORS: replace(GOOD, errors=900),
        GateName.EMPTY: replace(GOOD, empty=900),
        GateName.DEGRADED: replace(GOOD, degraded=900),
    }[name]
    assert gate(name, measured(bad)).verdict is Verdict.FAILED
    assert gate(name, measured(stable=bad)).verdict is Verdict.SUCCESSFUL


def test_errors_only_fail_early() -> None:
    """10 of 10: B(10.5, .5)/B(.5, .5) = 0.1762, so shares below (0.1762/200)^(1/10) = 0.495 are refuted at 0.005."""
    dead = SlotNumbers(requests=10, errors=10)
    assert gate(GateName.ERRORS, measured(dead)).verdict is Verdict.FAILED


def test_a_few_errors_are_not_held_against_a_canary() -> None:
    few = gate(GateName.ERRORS, measured(SlotNumbers(requests=100, errors=1)))
    assert (few.verdict, few.sentence) == (Verdict.INCONCLUSIVE, "waits for 200 requests to canary, has 100")
    unclear = gate(GateName.ERRORS, measured(SlotNumbers(requests=300, errors=3)))
    assert unclear.verdict is Verdict.INCONCLUSIVE
    assert unclear.sentence.endswith("too few to say")


def test_stable_without_traffic_is_nothing_to_compare_with() -> None:
    result = gate(GateName.ERRORS, measured(stable=SlotNumbers()))
    assert (result.verdict, result.sentence) == (Verdict.INCONCLUSIVE, "waits for 200 requests to stable, has 0")


def test_slower_than_stables_p99_allows_fails() -> None:
    slow = replace(GOOD, latency=Histogram(FAST.bounds, (9000, 500, 300, 200, 0)))
    result = gate(GateName.LATENCY, measured(slow))
    # p99 of stable 15 ms; times 1.25 plus 5 ms is 24 ms, which is known at the bucket bound of 50 ms: 200 of 10,000.
    assert result.verdict is Verdict.FAILED
    assert result.sentence == "2.00% of canary's answers took over 50 ms (p99 allows 1 %; stable's p99 is 15 ms)"


def test_a_little_slower_than_allowed_on_few_answers_waits() -> None:
    result = gate(GateName.LATENCY, measured(replace(GOOD, latency=Histogram(FAST.bounds, (290, 5, 0, 5, 0)))))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.sentence.endswith("too few to say")


@pytest.mark.parametrize(
    ("stable", "canary", "sentence"),
    [
        (FAST, Histogram(), "waits for 200 answers of canary, has 0"),
        (FAST, Histogram(FAST.bounds, (50, 0, 0, 0, 0)), "waits for 200 answers of canary, has 50"),
        (Histogram(FAST.bounds, (50, 0, 0, 0, 0)), FAST, "stable has 50 answers to compare with, of 200"),
        (Histogram(FAST.bounds, (0, 0, 0, 500, 0)), FAST, f"stable's p99 is 100 ms, {BEYOND}"),
        (Histogram(FAST.bounds, (0, 0, 0, 0, 500)), FAST, f"stable's p99 is inf ms, {BEYOND}"),
    ],
)
def test_latency_waits_for(stable: Histogram, canary: Histogram, sentence: str) -> None:
    result = gate(GateName.LATENCY, measured(replace(GOOD, latency=canary), replace(GOOD, latency=stable)))
    assert (result.verdict, result.sentence) == (Verdict.INCONCLUSIVE, sentence)


def test_quantile_is_linear_within_its_bucket_and_nan_of_nothing() -> None:
    assert Histogram((1.0, 2.0, math.inf), (1, 2, 1)).quantile(0.5) == 1.5
    assert math.isnan(Histogram((1.0, math.inf), (0, 0)).quantile(0.5))


def test_a_slot_that_leaves_mirrored_requests_unanswered_fails() -> None:
    result = gate(GateName.ANSWERED, measured(mirrored=same(SAME, (None,) * 40)))
    assert result.verdict is Verdict.FAILED
    assert result.sentence.startswith("100.00% unanswered mirrored requests of 40, stable 0.00% of 40")


def test_lists_that_have_nothing_in_common_fail() -> None:
    others = tuple(tuple(f"other{row}" for row in range(10)) for _ in range(60))
    # 60 means of 0 where 0.1 is asked: 0.9^60 = 0.0018 < 0.01.
    assert gate(GateName.OVERLAP, measured(mirrored=same(SAME + SAME[:20], others))).verdict is Verdict.FAILED
    # 40 of them: 0.9^40 = 0.0148, which chance might do.
    assert gate(GateName.OVERLAP, measured(mirrored=same(SAME, others[:40]))).verdict is Verdict.INCONCLUSIVE


def test_a_user_who_is_asked_twice_is_one_user() -> None:
    twice = Mirrored(("user0",) * 40, SAME, SAME)
    assert gate(GateName.OVERLAP, measured(mirrored=twice)).sentence.endswith("has 1")


def test_overlap_is_of_the_longer_list() -> None:
    half = tuple(row[:5] for row in SAME)
    result = gate(GateName.OVERLAP, measured(mirrored=same(SAME, half)))
    assert result.sentence == "mean overlap with stable's lists 0.50 over 40 users, at least 0.1 is asked"


def test_one_list_for_all_fails_coverage() -> None:
    result = gate(GateName.COVERAGE, measured(mirrored=same(SAME, (SAME[0],) * 40)))
    assert result.verdict is Verdict.FAILED
    assert result.sentence == "10 distinct items to 40 users, stable 40; 50% of that is asked"


@pytest.mark.parametrize("name", [GateName.OVERLAP, GateName.COVERAGE])
def test_mirrored_gates_wait_for_users(name: GateName) -> None:
    result = gate(name, measured(mirrored=same(SAME, (None,) * 20 + SAME[20:])))
    assert (result.verdict, result.sentence) == (
        Verdict.INCONCLUSIVE,
        "waits for 30 users that both slots answer, has 20",
    )


def test_a_drop_of_clicks_fails() -> None:
    result = gate(GateName.CLICKS, measured(replace(GOOD, clicks=350)))
    assert result.verdict is Verdict.FAILED
    assert "click rate 3.50% of 10000 lists, stable 5.00% of 10000; evidence of a drop beyond 2%" in result.sentence


def test_evidence_of_earlier_steps_counts() -> None:
    look = measured(replace(GOOD, clicks=440))
    assert gate(GateName.CLICKS, look).verdict is Verdict.SUCCESSFUL
    assert gate(GateName.CLICKS, replace(look, earlier_click_evidence=math.log(90))).verdict is Verdict.FAILED


def test_mirrored_lists_are_no_lists_that_could_be_clicked() -> None:
    """100 users and 5 clicks at each slot; canary's 900 mirrored lists must not look like a loss of clicks."""
    stable = SlotNumbers(answers=20_000, clicks=1000)
    canary = SlotNumbers(answers=1400, clicks=25)
    look = replace(measured(canary, stable), mirrored_answers=(900, 900))
    assert gate(GateName.CLICKS, look).sentence.startswith("click rate 5.00% of 500 lists, stable 5.24% of 19100")
    assert gate(GateName.CLICKS, replace(look, mirrored_answers=(0, 0))).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("stable", "canary", "sentence"),
    [
        (SlotNumbers(answers=900, clicks=9), SlotNumbers(answers=900), "waits for 30 clicks on both slots, has 9"),
        (GOOD, SlotNumbers(answers=20, clicks=1), "waits for 200 lists of canary, has 20"),
    ],
)
def test_clicks_wait_for(stable: SlotNumbers, canary: SlotNumbers, sentence: str) -> None:
    result = gate(GateName.CLICKS, measured(canary, stable))
    assert (result.verdict, result.sentence) == (Verdict.INCONCLUSIVE, sentence)


def test_more_clicks_than_lists_are_no_rate() -> None:
    result = gate(GateName.CLICKS, measured(SlotNumbers(answers=10, clicks=50)))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "this cannot be a rate" in result.sentence


# --- the edges: what is asked exactly, no more and no less


def test_the_limit_of_latency_is_stables_p99_by_the_ratio_and_the_slack() -> None:
    # All of stable's 1,000 answers within 10 ms: p99 9.9 ms; times 1.25 plus 5 ms is 17.375 ms, known at 17.4 ms.
    edges = (0.01, 0.0124, 0.0173, 0.0174, 0.02, math.inf)
    stable = replace(GOOD, latency=Histogram(edges, (1000, 0, 0, 0, 0, 0)))
    canary = replace(GOOD, latency=Histogram(edges, (900, 10, 20, 30, 39, 1)))
    assert gate(GateName.LATENCY, measured(canary, stable)).sentence == (
        "4.00% of canary's answers took over 17 ms (p99 allows 1 %; stable's p99 is 10 ms)"
    )


def test_latency_succeeds_with_exactly_as_many_answers_as_are_asked() -> None:
    enough = replace(GOOD, latency=Histogram(FAST.bounds, (198, 0, 0, 2, 0)))  # 2 of 200 are 1 %, as allowed
    result = gate(GateName.LATENCY, measured(enough, replace(GOOD, latency=Histogram(FAST.bounds, (200, 0, 0, 0, 0)))))
    assert result.verdict is Verdict.SUCCESSFUL
    assert result.sentence == "1.00% of canary's answers took over 20 ms (p99 allows 1 %; stable's p99 is 10 ms)"


def test_few_answers_that_are_far_too_slow_fail_without_waiting_for_more() -> None:
    slow = replace(GOOD, latency=Histogram(FAST.bounds, (0, 0, 0, 20, 0)))
    assert gate(GateName.LATENCY, measured(slow)).verdict is Verdict.FAILED


def test_each_slots_bound_takes_half_of_alpha() -> None:
    """At 0.005 ten of ten errors are at least 0.4949 (see above); none of 200, in the same way, at most 0.0417."""
    look = measured(SlotNumbers(requests=10, errors=10), SlotNumbers(requests=200))
    # They are .4532 apart. At 0.01 / 3 either is further out (.4752, .0436), at 0.02 further in (.5685, .0350).
    assert gate(GateName.ERRORS, look, error_margin=0.452).verdict is Verdict.FAILED
    assert gate(GateName.ERRORS, look, error_margin=0.455).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "part", "whole", "least", "sentence"),
    [
        (GateName.ERRORS, "errors", "requests", 2, "1.00% errors of 200; 0.50%"),
        (GateName.EMPTY, "empty", "answers", 2, "1.00% empty lists of 200; 0.50%"),
        (GateName.DEGRADED, "degraded", "answers", 5, "2.50% degraded answers of 200; 2.00%"),
    ],
)
def test_a_share_that_is_just_stables_and_the_margin_succeeds(
    name: GateName, part: str, whole: str, least: int, sentence: str
) -> None:
    def slot(**counts: Any) -> SlotNumbers:
        return SlotNumbers(**counts)

    stable, canary = slot(**{whole: 1000, part: 5}), slot(**{whole: 200, part: least})
    result = gate(name, measured(canary, stable))
    said = sentence.replace(";", ", stable 0.50% of 1000;") + " more is allowed"
    assert (result.verdict, result.sentence) == (Verdict.SUCCESSFUL, said)
    above = gate(name, measured(slot(**{whole: 200, part: least + 1}), stable))
    assert above.verdict is Verdict.INCONCLUSIVE
    assert above.sentence.endswith("; too few to say")


def test_mirrored_requests_wait_for_as_many_as_there_must_be_users() -> None:
    enough = gate(GateName.ANSWERED, measured(mirrored=same(SAME[:30], SAME[:30])))
    assert enough.verdict is Verdict.SUCCESSFUL
    assert enough.sentence == ("0.00% unanswered mirrored requests of 30, stable 0.00% of 30; 0.50% more is allowed")
    few = gate(GateName.ANSWERED, measured(mirrored=same(SAME[:29], SAME[:29])))
    assert (few.verdict, few.sentence) == (Verdict.INCONCLUSIVE, "waits for 30 requests to canary, has 29")
    silent = gate(GateName.ANSWERED, measured(mirrored=same((None, *SAME[1:]), SAME)))
    assert "stable 2.50% of 40" in silent.sentence  # one of 40, and stable's own


@pytest.mark.parametrize(
    ("stable", "canary", "mean"),
    [((), (), "0.00"), (("a",), ("a",), "1.00"), (("a", "b"), ("a",), "0.50"), (("a",), ("a", "b"), "0.50")],
)
def test_overlap_of_short_lists(stable: tuple[str, ...], canary: tuple[str, ...], mean: str) -> None:
    result = gate(GateName.OVERLAP, measured(mirrored=same((stable,) * 30, (canary,) * 30)))
    assert f"lists {mean} over 30 users" in result.sentence


def test_overlap_and_coverage_succeed_at_exactly_what_is_asked_of_exactly_enough_users() -> None:
    look = measured(mirrored=same((("a", "b"),) * 30, (("a",),) * 30))
    for name in (GateName.OVERLAP, GateName.COVERAGE):  # one of two items
        assert gate(name, look, min_overlap=0.5, min_coverage_ratio=0.5).verdict is Verdict.SUCCESSFUL
        assert gate(name, look, min_overlap=0.6, min_coverage_ratio=0.6).verdict is not Verdict.SUCCESSFUL
        assert gate(name, look, min_mirrored_users=31).verdict is Verdict.INCONCLUSIVE


def test_the_chance_of_a_mean_by_hand() -> None:
    # 40 values of mean 0.05 where 0.1 is expected: e^(−40 · (.05 ln(.05 / .1) + .95 ln(.95 / .9))) = e^(−40 · .016706).
    assert _chance_of_mean(0.05, 40, 0.1) == pytest.approx(0.5126, abs=5e-5)
    assert _chance_of_mean(0.0, 40, 0.1) == pytest.approx(0.9**40)


DROP = 10.534675
"""350 of 10,000 against 500 of 10,000: d = .05 − .035 − 2 % of .05 = .014, scale s = a fifth of .05 = .01, and
v = .0425 · .9575 · 2 / 10,000 = 8.13875e-6. ln 2 + ½ ln(v / (v + s²)) + s² d² / (2 v (v + s²)) + ln Φ(4.719) =
.693147 − 1.293389 + 11.134918 − 0.000001."""


def test_the_evidence_of_a_step_by_hand_is_added_to_the_earlier() -> None:
    look = replace(measured(replace(GOOD, clicks=350)), earlier_click_evidence=1.0)
    assert click_evidence(look, Thresholds()) == pytest.approx(DROP, abs=1e-5)
    assert analyse(look, Thresholds()).click_evidence == pytest.approx(1 + DROP, abs=1e-5)
    assert click_evidence(look, Thresholds(click_dispersion=2.0)) == pytest.approx(4.887173, abs=1e-5)  # with 2 v
    result = gate(GateName.CLICKS, look)
    assert result.sentence == (  # e^11.534675
        "click rate 3.50% of 10000 lists, stable 5.00% of 10000; evidence of a drop beyond 2% 1.02e+05, 100 aborts"
    )


def test_the_evidence_in_the_sentence_stops_at_a_number_that_can_be_written() -> None:
    look = replace(measured(), earlier_click_evidence=1000.0)
    assert "beyond 2% 5.18e+21, 100 aborts" in gate(GateName.CLICKS, look).sentence  # e^50


def test_evidence_of_exactly_what_aborts_aborts() -> None:
    quiet = SlotNumbers(answers=1000, clicks=1)  # too few clicks for evidence of its own
    look = replace(measured(quiet, quiet), earlier_click_evidence=-math.log(0.01))
    assert click_evidence(look, Thresholds()) == 0.0
    assert gate(GateName.CLICKS, look).verdict is Verdict.FAILED


def test_clicks_are_judged_from_the_least_number_on() -> None:
    stable, canary = SlotNumbers(answers=1000, clicks=16), SlotNumbers(answers=200, clicks=14)
    assert click_evidence(measured(canary, stable), Thresholds()) < 0  # canary's rate is higher
    assert click_evidence(measured(canary, stable), Thresholds(min_clicks=31)) == 0.0
    assert gate(GateName.CLICKS, measured(canary, stable)).verdict is Verdict.SUCCESSFUL
    all_clicked = replace(canary, clicks=200)  # every list: still a rate
    assert gate(GateName.CLICKS, measured(all_clicked, stable)).verdict is Verdict.SUCCESSFUL
    assert gate(GateName.CLICKS, measured(stable=replace(GOOD, answers=500))).verdict is not Verdict.INCONCLUSIVE


@pytest.mark.parametrize("slot", ["stable", "canary"])
def test_more_clicks_than_lists_of_one_slot_are_no_evidence(slot: str) -> None:
    odd = SlotNumbers(answers=10, clicks=50)
    look = replace(measured(), stable=odd) if slot == "stable" else replace(measured(), canary=odd)
    assert click_evidence(look, Thresholds()) == 0.0
    result = gate(GateName.CLICKS, look)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert (
        result.sentence.startswith("more clicks than lists (") and "Count(successes=50, trials=10)" in result.sentence
    )


def test_more_mirrored_lists_than_lists_are_none_that_were_seen() -> None:
    look = replace(measured(SlotNumbers(answers=5)), mirrored_answers=(0, 9))
    assert gate(GateName.CLICKS, look).sentence == "waits for 200 lists of canary, has 0"


def test_a_slot_of_which_every_list_was_clicked_is_evidence_too() -> None:
    every, half = SlotNumbers(answers=200, clicks=200), SlotNumbers(answers=200, clicks=100)
    assert click_evidence(measured(half, every), Thresholds()) > 0  # canary's rate is half of stable's
    assert click_evidence(measured(every, half), Thresholds()) < 0


def test_milliseconds_are_thousandths() -> None:
    slow = Histogram((0.5, 1.0, math.inf), (0, 500, 0))  # p99: .5 + .5 · .99 = .995 s, times 1.25 is beyond
    result = gate(GateName.LATENCY, measured(replace(GOOD, latency=slow), replace(GOOD, latency=slow)))
    assert result.sentence == f"stable's p99 is 995 ms, {BEYOND}"
