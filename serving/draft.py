"""A list before it is put into words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from contracts.api import DegradedLevel, Reason
from contracts.candidates import SOURCES
from contracts.ranking import Floats, Rows


@dataclass(frozen=True)
class Draft:
    """Rows of the catalogue to show, best first; row i of scores and sources belongs to rows[i]."""

    rows: Rows
    scores: Floats
    sources: npt.NDArray[np.uint8]  # bit masks over contracts.candidates.SOURCES
    level: DegradedLevel = DegradedLevel.FULL
    reason: Reason | None = None
    features: Mapping[str, float | str] = field(default_factory=dict)  # as served, for the impression log


def from_source(source: str, rows: Rows) -> npt.NDArray[np.uint8]:
    """The mask of one source for each row."""
    return np.full(len(rows), 1 << SOURCES.index(source), np.uint8)
