"""Predicted probabilities compared with outcomes, in bins of equal size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.arrays import Doubles

BINS = 10


class ReliabilityBin(NamedTuple):
    """Cases that were predicted about equally likely, and how many of them came true."""

    cases: int
    predicted: float  # mean
    observed: float  # share


def reliability(predicted: Doubles, observed: npt.NDArray[np.bool_]) -> list[ReliabilityBin]:
    """BINS bins of equally many cases, least likely first; fewer where there are fewer cases.

    predicted and observed are [cases]; row i of both is one case.
    """
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [ReliabilityBin(len(part), float(predicted[part].mean()), float(observed[part].mean())) for part in parts]


def expected_error(bins: Sequence[ReliabilityBin]) -> float:
    """The expected calibration error of Naeini et al. (2015): mean distance of predicted and observed, by cases."""
    return sum(one.cases * abs(one.predicted - one.observed) for one in bins) / sum(one.cases for one in bins)
