"""An analysis to a decision: continue, abort or pause. Pure, as the analysis is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rollout.record.state import Choice, Phase, Rollout, Step
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.settings import GateName, RolloutSettings


@dataclass(frozen=True)
class Judgement:
    """What is decided and what changes by it; `announced` when it is a pause that was announced already."""

    choice: Choice
    sentence: str
    changes: dict[str, object] = field(default_factory=dict)
    announced: bool = False


def judge(rollout: Rollout, analysis: Analysis, settings: RolloutSettings) -> Judgement:
    """Failed aborts beyond the failure limit, inconclusive pauses, enough successful analyses end the step."""
    if analysis.verdict is Verdict.FAILED:
        return _failed(rollout, analysis, settings.failure_limit)
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return _inconclusive(rollout, analysis)
    return _successful(rollout, analysis, settings)


def _failed(rollout: Rollout, analysis: Analysis, limit: int) -> Judgement:
    step = rollout.step.model_copy(update={"failed": rollout.step.failed + 1, "successful": 0})
    changes: dict[str, object] = {"step": step, "waits_for": ""}
    if step.failed > limit:
        return Judgement(Choice.ABORTING, analysis.sentence, changes | {"phase": Phase.ABORTING})
    sentence = f"failure {step.failed} of {limit} that are forgiven; {analysis.sentence}"
    return Judgement(Choice.FORGIVEN, sentence, changes)


def _inconclusive(rollout: Rollout, analysis: Analysis) -> Judgement:
    """A pause is announced when it begins and when it waits for other gates, not at every look."""
    last = rollout.decision
    announced = last is not None and last.choice is Choice.PAUSED and _waiting(last.gates) == _waiting(analysis.gates)
    return Judgement(Choice.PAUSED, analysis.sentence, {"waits_for": analysis.sentence}, announced)


def _successful(rollout: Rollout, analysis: Analysis, settings: RolloutSettings) -> Judgement:
    step = rollout.step.model_copy(update={"successful": rollout.step.successful + 1})
    if step.successful < settings.analyses_per_step:
        sentence = f"analysis {step.successful} of {settings.analyses_per_step}: {analysis.sentence}"
        return Judgement(Choice.CONTINUED, sentence, {"step": step, "waits_for": ""})
    if step.index + 1 >= len(settings.steps):
        return Judgement(Choice.PROMOTING, analysis.sentence, {"phase": Phase.PROMOTING, "step": step, "waits_for": ""})
    following = Step(index=step.index + 1, earlier_click_evidence=analysis.click_evidence)
    return Judgement(Choice.CONTINUED, analysis.sentence, {"phase": Phase.SHIFTING, "step": following, "waits_for": ""})


def _waiting(results: Sequence[GateResult]) -> set[GateName]:
    return {result.gate for result in results if result.verdict is Verdict.INCONCLUSIVE}
