"""One look at both slots: Prometheus for what users got, the mirror for what both answer to the same users."""

import time
from collections.abc import Callable
from typing import Protocol

from rollout.analysis.gates import analyse
from rollout.analysis.measurements import Measurements, Mirrored, SlotNumbers
from rollout.analysis.mirror import Mirror
from rollout.analysis.prometheus import MetricsUnavailable
from rollout.record.state import Rollout, Step
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.settings import Thresholds


class Observer(Protocol):
    """Looks once at a step of a rollout."""

    def look(self, rollout: Rollout) -> tuple[Analysis, Step]:
        """The analysis, and the step with what has to be remembered of the look."""


class Numbers(Protocol):
    """What one slot counted in (since, until]."""

    def numbers(self, variant: str, since: float, until: float) -> SlotNumbers:
        """Raises MetricsUnavailable."""


class ClusterObserver:
    """Observer of running slots; mirror is None where no mirrored gate is asked."""

    def __init__(
        self,
        numbers: Numbers,
        mirror: Mirror | None,
        thresholds: Thresholds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._numbers = numbers
        self._mirror = mirror
        self._thresholds = thresholds
        self._clock = clock

    def look(self, rollout: Rollout) -> tuple[Analysis, Step]:
        """Without Prometheus every gate is inconclusive: a canary is neither judged nor trusted blindly."""
        step = rollout.step
        mirrored = self._mirror.ask(rollout.stable, rollout.canary) if self._mirror else Mirrored()
        answered = tuple(sum(answer is not None for answer in slot) for slot in (mirrored.stable, mirrored.canary))
        step = step.model_copy(
            update={
                "mirrored_answers": (step.mirrored_answers[0] + answered[0], step.mirrored_answers[1] + answered[1])
            }
        )
        now = self._clock()
        try:
            stable, canary = (self._numbers.numbers(slot, step.since, now) for slot in (rollout.stable, rollout.canary))
        except MetricsUnavailable as error:
            return _waiting(str(error), self._thresholds, step.earlier_click_evidence), step
        measured = Measurements(stable, canary, mirrored, step.mirrored_answers, step.earlier_click_evidence)
        return analyse(measured, self._thresholds), step


def _waiting(sentence: str, thresholds: Thresholds, evidence: float) -> Analysis:
    gates = tuple(GateResult(gate=gate, verdict=Verdict.INCONCLUSIVE, sentence=sentence) for gate in thresholds.gates)
    return Analysis(gates=gates, click_evidence=evidence)
