"""The canary that decides: a state machine that may be killed anywhere.

    STAGING ─▶ SHIFTING ─▶ ANALYSING ─▶ ... ─▶ PROMOTING ─▶ PROMOTED
       │           ▲            │ successful: next step
       │           └────────────┤ inconclusive: stays, says what it waits for
       └──────▶ ABORTING ◀──────┘ failed                    ABORTING ─▶ ABORTED

A phase is written into the cluster before its act, and every act may be done twice. So a controller
that finds a phase does its act, whether the one before had done none of it, half of it or all.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.errors import InvalidInput
from rollout.analysis.judgement import judge
from rollout.analysis.observer import Observer
from rollout.record.announce import Announcer
from rollout.record.state import Choice, Decision, Phase, Record, Request, Rollout, Step, record_after
from rollout.record.store import Store
from rollout.record.verdict import Analysis
from rollout.settings import RolloutSettings
from rollout.slots.slots import Slots, other

POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Clock:
    """Time and waiting, which tests bring along."""

    now: Callable[[], float] = time.time
    wait: Callable[[float], None] = time.sleep


class Controller:
    """Drives the rollout of one release to its end, or to a pause that only people can end."""

    def __init__(
        self,
        slots: Slots,
        store: Store,
        observer: Observer,
        announcers: Sequence[Announcer],
        settings: RolloutSettings,
        clock: Clock,
    ) -> None:
        self._slots = slots
        self._store = store
        self._observer = observer
        self._announcers = announcers
        self._settings = settings
        self._clock = clock
        self._acts = {
            Phase.STAGING: self._stage,
            Phase.SHIFTING: self._shift,
            Phase.ANALYSING: self._analyse,
            Phase.PROMOTING: self._promote,
            Phase.ABORTING: self._abort,
        }

    def start(self, bundle: str, again: bool = False) -> Rollout | None:
        """Rolls a bundle out, or goes on where a killed controller stopped; None when it is stable already.

        By the record too: `helm rollback` writes older slots and starts the Job of that moment at once, which may look
        at them before or while they are restored.
        """
        record = self._claim()
        try:
            rollout = record.rollout
            if rollout is None or rollout.ended:
                if bundle == self._stable_bundle(record) or (bundle in record.history[-1:] and not again):
                    return None
                if not again:
                    _refuse(record, bundle)
                rollout = self._begin(record, bundle, direct=False)
            elif rollout.bundle != bundle:
                raise InvalidInput(
                    f"asked for {bundle}, but {rollout.bundle} is {rollout.phase} at {rollout.percent} %; "
                    "end that by `tandem rollout promote` or `tandem rollout abort` first"
                )
            return self._drive(rollout)
        finally:
            self._store.release()

    def resume(self) -> Rollout:
        """Resumes the rollout under way. Raises InvalidInput when there is none."""
        record = self._claim()
        try:
            if record.rollout is None or record.rollout.ended:
                raise InvalidInput("no rollout is under way; `tandem rollout start --bundle V` begins one")
            return self._drive(record.rollout)
        finally:
            self._store.release()

    def roll_back(self, to: str | None = None) -> Rollout:
        """Gives all traffic to an earlier bundle, without steps.

        Raises InvalidInput when none is known or it is stable already.
        """
        record = self._claim()
        try:
            stable = self._stable_bundle(record)
            target = to or self._earlier(record, stable)
            if target is None:
                raise InvalidInput("no earlier bundle is known of this release; name one with --to")
            if target == stable:
                raise InvalidInput(
                    f"{target} is stable already; earlier ones: {', '.join(record.history) or 'none known'}"
                )
            return self._drive(self._begin(record, target, direct=True))
        finally:
            self._store.release()

    def _claim(self) -> Record:
        """The record. The last decision of a killed controller is announced again: it may have died before."""
        record = self._store.claim(self._settings.claim_seconds, self._clock.wait)
        if record.holder and record.rollout and record.rollout.decision:
            self._announce(record.rollout, record.rollout.decision)
        return record

    def _begin(self, record: Record, bundle: str, direct: bool) -> Rollout:
        canary = other(self._slots.stable())
        rollout = Rollout(
            id=secrets.token_hex(4),
            phase=Phase.STAGING,
            bundle=bundle,
            canary=canary,
            stable_bundle=self._stable_bundle(record),
            displaced_bundle=self._slots.bundle(canary),
            step=Step(since=self._clock.now()),
            direct=direct,
        )
        kind = "roll back to it" if direct else f"steps {', '.join(f'{percent} %' for percent in self._settings.steps)}"
        return self._decide(rollout, Choice.STARTED, f"slot {canary}, {kind}; stable is {rollout.stable_bundle}")

    def _stable_bundle(self, record: Record) -> str | None:
        return self._slots.bundle(self._slots.stable()) or (record.history[-1] if record.history else None)

    def _earlier(self, record: Record, stable: str | None) -> str | None:
        """The last bundle that was stable and is not now; before any promotion what lies in the idle slot."""
        if not record.history:
            return self._slots.bundle(other(self._slots.stable()))
        return next((bundle for bundle in reversed(record.history) if bundle != stable), None)

    def _drive(self, rollout: Rollout) -> Rollout:
        """Carries out one phase after the other, until the end or until patience with inconclusive analyses ends."""
        patience_ends = self._clock.now() + self._settings.patience_seconds
        while not rollout.ended:
            if rollout.waits_for and self._clock.now() >= patience_ends:
                return rollout
            waited = bool(rollout.waits_for)
            rollout = self._asked(rollout) or self._acts[rollout.phase](rollout)
            if not (waited and rollout.waits_for):
                patience_ends = self._clock.now() + self._settings.patience_seconds
        return rollout

    def _asked(self, rollout: Rollout) -> Rollout | None:
        """A person's request, if it can still be carried out."""
        request = self._store.beat().request
        if request is Request.ABORT and rollout.phase in (Phase.STAGING, Phase.SHIFTING, Phase.ANALYSING):
            return self._decide(rollout, Choice.ABORTING, "asked for by hand", phase=Phase.ABORTING, waits_for="")
        if request is Request.PROMOTE and rollout.phase in (Phase.SHIFTING, Phase.ANALYSING):
            return self._decide(rollout, Choice.PROMOTING, "asked for by hand", phase=Phase.PROMOTING, waits_for="")
        return None

    def _stage(self, rollout: Rollout) -> Rollout:
        """The bundle into the idle slot. No traffic can come there: the share is taken away first."""
        self._slots.share(rollout.canary, 0)
        self._slots.put(rollout.canary, rollout.bundle)
        readiness = self._slots.readiness(rollout.canary, rollout.bundle)
        if readiness.ready:
            following = Phase.PROMOTING if rollout.direct else Phase.SHIFTING
            return self._decide(rollout, Choice.STAGED, f"slot {rollout.canary} is ready", phase=following)
        if self._clock.now() - rollout.step.since > self._settings.ready_seconds:
            sentence = f"not ready after {self._settings.ready_seconds:g} s: {readiness.sentence}"
            return self._decide(rollout, Choice.ABORTING, sentence, phase=Phase.ABORTING)
        self._clock.wait(POLL_SECONDS)
        return rollout

    def _shift(self, rollout: Rollout) -> Rollout:
        percent = self._settings.steps[min(rollout.step.index, len(self._settings.steps) - 1)]
        self._slots.share(rollout.canary, percent)
        step = rollout.step.model_copy(update={"since": self._clock.now()})
        return self._decide(
            rollout, Choice.SHIFTED, f"{percent} % of the traffic", phase=Phase.ANALYSING, percent=percent, step=step
        )

    def _analyse(self, rollout: Rollout) -> Rollout:
        """Waits for the interval, looks, decides. A request by hand ends the wait."""
        self._slots.share(rollout.canary, rollout.percent)  # whatever an upgrade of the chart has made of it meanwhile
        if self._interrupted(self._settings.interval_seconds):
            return rollout
        analysis, step = self._observer.look(rollout)
        judgement = judge(rollout.model_copy(update={"step": step}), analysis, self._settings)
        if judgement.announced:
            return self._save(rollout.model_copy(update={"step": step, **judgement.changes}))
        changes = {"step": step, **judgement.changes}
        return self._decide(rollout, judgement.choice, judgement.sentence, analysis, **changes)

    def _promote(self, rollout: Rollout) -> Rollout:
        self._slots.share(rollout.canary, 100)
        return self._decide(
            rollout,
            Choice.PROMOTED,
            f"slot {rollout.canary} is stable",
            phase=Phase.PROMOTED,
            percent=100,
            waits_for="",
        )

    def _abort(self, rollout: Rollout) -> Rollout:
        """Traffic first. Then the slot gets its earlier bundle back, so that a later rollback finds it loaded."""
        self._slots.share(rollout.canary, 0)
        if rollout.displaced_bundle:
            self._slots.put(rollout.canary, rollout.displaced_bundle)
        sentence = f"all traffic to {rollout.stable_bundle} in slot {rollout.stable}"
        return self._decide(rollout, Choice.ABORTED, sentence, phase=Phase.ABORTED, percent=0, waits_for="")

    def _interrupted(self, seconds: float) -> bool:
        """Waits with signs of life in between; True as soon as a person asks for something."""
        ends = self._clock.now() + seconds
        while (left := ends - self._clock.now()) > 0:
            self._clock.wait(min(left, self._settings.claim_seconds / 3))
            if self._store.beat().request:
                return True
        return False

    def _decide(
        self, rollout: Rollout, choice: Choice, sentence: str, analysis: Analysis | None = None, **changes: object
    ) -> Rollout:
        """Records the decision and where it leads, then announces it."""
        if choice is Choice.ABORTING:
            changes["aborted_because"] = sentence
        after = rollout.model_copy(update=changes)
        decision = Decision(
            number=rollout.decision.number + 1 if rollout.decision else 1,
            at=self._clock.now(),
            choice=choice,
            sentence=sentence,
            percent=after.percent,
            gates=analysis.gates if analysis else (),
        )
        latest = {"decision": decision} | ({"analysed": decision} if analysis else {})
        after = self._save(after.model_copy(update=latest))
        self._announce(after, decision)
        return after

    def _save(self, rollout: Rollout) -> Rollout:
        self._store.save(lambda record: record_after(record, rollout))
        return rollout

    def _announce(self, rollout: Rollout, decision: Decision) -> None:
        for announcer in self._announcers:
            announcer.announce(rollout, decision)


def _refuse(record: Record, bundle: str) -> None:
    """A restarted Job must not retry for ever what was aborted, nor undo a rollback or a promotion."""
    if why := record.refused.get(bundle):
        raise InvalidInput(f"{bundle} was released before and taken back ({why}); --again tries it once more")
    if bundle in record.history:
        raise InvalidInput(
            f"{bundle} was stable before {record.history[-1]}; `tandem rollback --to` goes back to it at once, "
            "--again releases it step by step"
        )
