"""The state of a rollout, written to the cluster before each act."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from rollout.record.verdict import GateResult
from rollout.slots.slots import other


class Phase(StrEnum):
    """The next act; the last two are ends."""

    STAGING = "staging"  # the canary's slot gets the bundle and is waited for
    SHIFTING = "shifting"  # the canary gets the percent of the step
    ANALYSING = "analysing"  # the step is measured
    PROMOTING = "promoting"  # the canary gets everything
    ABORTING = "aborting"  # stable gets everything, the canary's slot its earlier bundle
    PROMOTED = "promoted"
    ABORTED = "aborted"


ENDS = (Phase.PROMOTED, Phase.ABORTED)


class Request(StrEnum):
    """A person's request to a rollout under way."""

    PROMOTE = "promote"
    ABORT = "abort"


class Choice(StrEnum):
    """The decisions; each is a Kubernetes Event, a line of JSON and a metric."""

    STARTED = "Started"
    STAGED = "Staged"
    SHIFTED = "Shifted"
    CONTINUED = "Continued"
    PAUSED = "Paused"
    FORGIVEN = "Forgiven"  # a failed analysis within the failure limit
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    PROMOTING = "Promoting"
    PROMOTED = "Promoted"


class Part(BaseModel):
    """Base of everything in the record; a change is a new object."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Decision(Part):
    """One decision, numbered within its rollout."""

    number: int
    at: float  # seconds since the epoch
    choice: Choice
    sentence: str
    percent: int  # of the canary, when it was decided
    gates: tuple[GateResult, ...] = ()


class Step(Part):
    """Where the rollout stands in its steps."""

    index: int = 0
    since: float = 0.0  # when the weights were set; what is measured began then
    successful: int = 0  # analyses
    failed: int = 0
    mirrored_answers: tuple[int, int] = (0, 0)  # of stable and canary in this step
    earlier_click_evidence: float = 0.0  # log e-value of the earlier steps


class Rollout(Part):
    """One bundle on its way from the idle slot to all of the traffic."""

    id: str
    phase: Phase
    bundle: str
    canary: str  # slot
    stable_bundle: str | None  # what serves until then
    displaced_bundle: str | None  # what lay in the canary's slot before; an abort puts it back
    step: Step = Step()
    percent: int = 0
    direct: bool = False  # a rollback: no steps, no analysis
    aborted_because: str = ""
    waits_for: str = ""  # of a pause: what would make the analysis conclusive
    decision: Decision | None = None  # the latest
    analysed: Decision | None = None  # the latest by an analysis: what ended a canary stays known after its end

    @property
    def stable(self) -> str:
        """Slot that is not the canary's."""
        return other(self.canary)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in ENDS


class Record(Part):
    """Everything that the cluster remembers of a release."""

    holder: str = ""  # the controller at work
    heartbeat: int = 0  # rises while it is
    request: Request | None = None
    rollout: Rollout | None = None
    history: tuple[str, ...] = ()  # bundles that were stable, latest last
    refused: dict[str, str] = {}  # bundles that were aborted or rolled back from, and why


def record_after(record: Record, rollout: Rollout) -> Record:
    """The record once a rollout stands there: its end also ends what was asked, and is remembered."""
    changed = record.model_copy(update={"rollout": rollout})
    if rollout.phase is Phase.ABORTED:
        refused = record.refused | {rollout.bundle: rollout.aborted_because}
        return changed.model_copy(update={"request": None, "refused": refused})
    if rollout.phase is Phase.PROMOTED:
        refused = {bundle: why for bundle, why in record.refused.items() if bundle != rollout.bundle}
        if rollout.direct and rollout.stable_bundle:
            refused[rollout.stable_bundle] = "it was rolled back from"
        history = _history_after(record.history, rollout)
        return changed.model_copy(update={"request": None, "refused": refused, "history": history})
    return changed


def _history_after(history: tuple[str, ...], promoted: Rollout) -> tuple[str, ...]:
    """The bundles that were stable, latest last. What was rolled back from is off: the next one goes further."""
    before = history or ((promoted.stable_bundle,) if promoted.stable_bundle else ())
    if promoted.direct and promoted.bundle in before:
        return before[: len(before) - before[::-1].index(promoted.bundle)]
    return (*before, promoted.bundle)
