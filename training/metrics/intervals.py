"""How sure a mean over users is: bootstrap intervals (Efron and Tibshirani, 1993, chapter 13)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.arrays import Doubles

DRAWS = 1000
LEVEL = 0.95
SEED = 17
TINY = 1e-12  # a draw may miss every row that weighs something


@dataclass(frozen=True)
class Interval:
    """A mean over users with the bounds between which 95 % of the means of redrawn users lie."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The interval as JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def interval(values: Doubles) -> Interval:
    """Interval of the mean of [users] values. Draws depend on the number of users alone, so tables can be compared."""
    return ratio_interval(values, np.ones(len(values)))


def ratio_interval(numerators: Doubles, denominators: Doubles) -> Interval:
    """Interval of sum(numerators) / sum(denominators), both [n] and redrawn together."""
    draw = np.random.default_rng(SEED)
    ratios = []
    for _ in range(DRAWS):
        rows = draw.integers(0, len(numerators), len(numerators))
        ratios.append(float(numerators[rows].sum() / max(denominators[rows].sum(), TINY)))
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(numerators.sum() / denominators.sum()), float(low), float(high))


def difference(ours: Doubles, theirs: Doubles) -> Interval:
    """Interval of ours less theirs, both [users], user by user: differences between users do not blur it."""
    return interval(ours - theirs)


def intervals(values: Mapping[str, Doubles], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Interval by metric, for the named metrics."""
    return {name: interval(values[name]).to_dict() for name in names}
