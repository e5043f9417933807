"""An analysis to a decision, case by case: what is decided, what is said and what changes by it."""

import pytest

from rollout.analysis.judgement import Judgement, judge
from rollout.record.state import Choice, Decision, Phase, Rollout, Step
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.settings import GateName, RolloutSettings

SETTINGS = RolloutSettings(steps=(1, 25), analyses_per_step=2, failure_limit=1)
GOOD = "all 2 gates successful"


def analysis(errors: Verdict, latency: Verdict = Verdict.SUCCESSFUL) -> Analysis:
    verdicts = {GateName.ERRORS: errors, GateName.LATENCY: latency}
    gates = tuple(GateResult(gate=gate, verdict=verdict, sentence="so") for gate, verdict in verdicts.items())
    return Analysis(gates=gates, click_evidence=1.5)


def rollout(decision: Decision | None = None, **step: object) -> Rollout:
    return Rollout(
        id="one", phase=Phase.ANALYSING, bundle="new", canary="b", stable_bundle="old", displaced_bundle=None,
        step=Step.model_validate(step), decision=decision,
    )  # fmt: skip


def decided(choice: Choice, gates: Analysis) -> Decision:
    return Decision(number=1, at=0.0, choice=choice, sentence="so", percent=1, gates=gates.gates)


def test_a_failure_within_the_limit_is_forgiven_and_starts_the_count_anew() -> None:
    found = judge(rollout(successful=1, since=7.0), analysis(Verdict.FAILED), SETTINGS)
    sentence = "failure 1 of 1 that are forgiven; errors: so"
    step = Step(failed=1, successful=0, since=7.0)
    assert found == Judgement(Choice.FORGIVEN, sentence, {"step": step, "waits_for": ""}, announced=False)


def test_a_failure_beyond_the_limit_aborts() -> None:
    found = judge(rollout(failed=1), analysis(Verdict.FAILED), SETTINGS)
    changes = {"step": Step(failed=2), "waits_for": "", "phase": Phase.ABORTING}
    assert found == Judgement(Choice.ABORTING, "errors: so", changes)


UNCLEAR, OTHER = analysis(Verdict.INCONCLUSIVE), analysis(Verdict.SUCCESSFUL, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("last", "told"),
    [
        (None, False),
        (decided(Choice.PAUSED, UNCLEAR), True),
        (decided(Choice.PAUSED, OTHER), False),  # waited for the other gate
        (decided(Choice.PAUSED, Analysis(gates=UNCLEAR.gates[:1])), True),  # whatever else was successful
        (decided(Choice.SHIFTED, UNCLEAR), False),
    ],
)
def test_an_inconclusive_analysis_pauses_and_is_told_once_for_the_same_gates(last: Decision | None, told: bool) -> None:
    found = judge(rollout(last), UNCLEAR, SETTINGS)
    assert found == Judgement(Choice.PAUSED, "errors: so", {"waits_for": "errors: so"}, told)


def test_too_few_successful_analyses_stay_at_the_step() -> None:
    found = judge(rollout(failed=1), analysis(Verdict.SUCCESSFUL), SETTINGS)
    step = Step(successful=1, failed=1)
    assert found == Judgement(Choice.CONTINUED, f"analysis 1 of 2: {GOOD}", {"step": step, "waits_for": ""})


def test_enough_successful_analyses_go_on_to_the_next_step_with_their_evidence() -> None:
    found = judge(rollout(successful=1, failed=1, since=7.0), analysis(Verdict.SUCCESSFUL), SETTINGS)
    following = Step(index=1, earlier_click_evidence=1.5)
    changes = {"phase": Phase.SHIFTING, "step": following, "waits_for": ""}
    assert found == Judgement(Choice.CONTINUED, GOOD, changes)


def test_after_the_last_step_the_canary_is_promoted() -> None:
    found = judge(rollout(index=1, successful=1), analysis(Verdict.SUCCESSFUL), SETTINGS)
    changes = {"phase": Phase.PROMOTING, "step": Step(index=1, successful=2), "waits_for": ""}
    assert found == Judgement(Choice.PROMOTING, GOOD, changes)
