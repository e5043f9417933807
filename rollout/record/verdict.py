"""What an analysis can say, of one gate and of all together."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from rollout.settings import GateName


class Verdict(StrEnum):
    """SUCCESSFUL continues, FAILED aborts, INCONCLUSIVE waits for more."""

    SUCCESSFUL = "successful"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class GateResult(BaseModel):
    """One gate's verdict with the sentence that a person reads."""

    model_config = ConfigDict(frozen=True)

    gate: GateName
    verdict: Verdict
    sentence: str


class Analysis(BaseModel):
    """All gates at one look."""

    model_config = ConfigDict(frozen=True)

    gates: tuple[GateResult, ...]
    click_evidence: float = 0.0  # log e-value of the whole rollout up to this look

    @property
    def verdict(self) -> Verdict:
        """Failed if one gate failed, else inconclusive if one is, else successful."""
        found = {result.verdict for result in self.gates}
        return next((v for v in (Verdict.FAILED, Verdict.INCONCLUSIVE) if v in found), Verdict.SUCCESSFUL)

    @property
    def sentence(self) -> str:
        """What decided: the sentences of the gates that gave the verdict."""
        if self.verdict is Verdict.SUCCESSFUL:
            return f"all {len(self.gates)} gates successful"
        return "; ".join(sentences(self.gates, self.verdict))


def sentences(gates: Sequence[GateResult], verdict: Verdict) -> list[str]:
    """`gate: sentence` of every gate with this verdict."""
    return [f"{result.gate}: {result.sentence}" for result in gates if result.verdict is verdict]
