"""What a drift run found, in the format of drift.json."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Verdict(StrEnum):
    """DRIFTED when the share of drifted features reaches DriftSettings.drift_share."""

    STABLE = "stable"
    DRIFTED = "drifted"


class Finding(BaseModel):
    """Base of all parts of the result."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureDrift(Finding):
    """One feature; drifted means score >= threshold."""

    feature: str
    method: str
    score: float
    threshold: float  # DriftSettings.psi_threshold, or what chance reaches on so few rows where that is more
    drifted: bool


class Rows(Finding):
    """Where each line of the log went: lines = compared + degraded + malformed."""

    lines: int
    compared: int
    degraded: int  # no features were read for these answers
    malformed: int


class MalformedLine(Finding):
    """One line that cannot be read as an impression; line is counted from 1."""

    line: int
    reason: str


class Exposure(Finding):
    """What all answers showed, full and degraded."""

    gini: float  # over shown items, see monitoring.exposure
    shown_items: int  # distinct
    positions: int  # lengths of all lists together


class DriftResult(Finding):
    """Served features against the bundle's reference sample, and what else the log says."""

    bundle_version: str  # of the reference sample
    created_at: str  # of this report; ISO 8601, UTC
    verdict: Verdict
    drifted_features_share: float
    rows: Rows
    reference_rows: int
    users: int  # distinct, among the compared rows
    effective_rows: float  # what the compared rows are worth, repeats by the same user considered
    degraded_share: float  # degraded among all answers: degraded / (compared + degraded)
    exposure: Exposure
    answers_by_bundle: dict[str, int]  # bundle_version of the answers; several when the log spans a release
    features: list[FeatureDrift]  # in the order of the report: furthest above its threshold first
    malformed_lines: list[MalformedLine]  # the first few
