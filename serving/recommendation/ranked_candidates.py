"""A list before it is arranged and put into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from contracts.api.answers import DegradedLevel, Reason
from contracts.arrays import Floats, Rows
from contracts.features.history import UserHistory
from contracts.ranking.candidates import SOURCES, Mask, Shortlist, UserSide
from serving.recommendation.context import ContextCandidates

LEAST_LIKELIHOOD = 1e-9


@dataclass(frozen=True)
class Trace:
    """What the full path saw on its way, for explanations."""

    user: UserSide  # its history has the request's context as well
    history: UserHistory  # what the user has bought
    allowed: Mask | None
    nearest: Rows  # as the index found them, best first
    candidates: Shortlist
    context: ContextCandidates


@dataclass(frozen=True)
class RankedCandidates:
    """Every candidate, best first; row i of scores and sources belongs to rows[i]. Rules choose what is shown."""

    rows: Rows
    scores: Floats
    sources: npt.NDArray[np.uint8]  # bit masks over contracts.ranking.candidates.SOURCES
    level: DegradedLevel = DegradedLevel.FULL
    reason: Reason | None = None
    features: Mapping[str, float | str] = field(default_factory=dict)  # as served, for the impression log
    trace: Trace | None = None  # where the query tower was asked

    @property
    def likelihoods(self) -> Floats:
        """Scores on a log scale: what the models give are logits, what counts give are not."""
        if self.level in (DegradedLevel.FULL, DegradedLevel.REMEMBERED, DegradedLevel.RETRIEVAL):
            return self.scores
        return np.log(np.maximum(self.scores, LEAST_LIKELIHOOD)).astype(np.float32)


def from_source(source: str, rows: Rows) -> npt.NDArray[np.uint8]:
    """The mask of one source for each row."""
    return np.full(len(rows), 1 << SOURCES.index(source), np.uint8)


def tie_order(ranked: RankedCandidates, seed: int | None) -> Rows:
    """[k] positions best first; among equal scores by a number that seed and item alone decide."""
    if seed is None:
        return np.arange(len(ranked.rows))
    mixed = (ranked.rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64's finalizer
    return np.lexsort((mixed ^ (mixed >> np.uint64(27)), -ranked.scores))
