"""What another list would have earned, estimated from what was shown with known propensities.

IPS weighs each reward by how much likelier the new policy shows what was shown (Horvitz and Thompson, JASA 1952).
SNIPS divides by the weights' sum (Swaminathan and Joachims, NeurIPS 2015): a little bias, much less variance.
DR adds a reward model and corrects it by the weighted residuals (Dudik et al., ICML 2011): right if either the
propensities or the model are.
"""

from dataclasses import dataclass

import numpy as np

from contracts.arrays import Doubles
from contracts.errors import InvalidInput
from training.metrics.intervals import Interval, ratio_interval

LEAST_EFFECTIVE = 100.0
"""Fewer effective impressions than that say nothing."""


@dataclass(frozen=True)
class LoggedImpressions:
    """Row i of every array is one impression: what was shown in one place, and what came of it."""

    rewards: Doubles  # 1 for a click or a purchase
    propensities: Doubles  # with which the policy that served showed it
    targets: Doubles  # with which the policy that is judged would show it

    def __post_init__(self) -> None:
        """Raises InvalidInput for propensities with which nothing can be estimated."""
        if len(self.rewards) == 0:
            raise InvalidInput("There are no impressions: nothing can be estimated from none.")
        if np.any(self.propensities <= 0) or np.any(self.propensities > 1):
            raise InvalidInput(
                "Propensities must be above 0 and at most 1: what was never shown by chance says nothing about other "
                "lists. Log impressions of an exploring policy."
            )
        if np.any(self.targets < 0) or np.any(self.targets > 1):
            raise InvalidInput("Target probabilities must be from 0 to 1.")

    @property
    def weights(self) -> Doubles:
        """[n] how much likelier the judged policy shows what was shown."""
        weights: Doubles = self.targets / self.propensities
        return weights

    @property
    def effective(self) -> float:
        """Impressions that as many equally weighted ones would be worth (Kish's effective sample size)."""
        total, squares = float(self.weights.sum()), float((self.weights**2).sum())
        return total**2 / squares if squares > 0 else 0.0

    @property
    def says_something(self) -> bool:
        """Whether the two policies are near enough for an estimate to be read."""
        return self.effective >= LEAST_EFFECTIVE


def ips(logged: LoggedImpressions) -> Interval:
    """Mean reward of the judged policy, unbiased; wide where its choices were rarely shown."""
    return ratio_interval(logged.weights * logged.rewards, np.ones(len(logged.rewards)))


def snips(logged: LoggedImpressions) -> Interval:
    """The same, within the range of the rewards; raises InvalidInput where the judged policy shows nothing logged."""
    if logged.effective == 0:
        raise InvalidInput("The judged policy never shows what was logged: the log says nothing of it.")
    return ratio_interval(logged.weights * logged.rewards, logged.weights)


def doubly_robust(logged: LoggedImpressions, modelled: Doubles, expected: Doubles) -> Interval:
    """The same by a reward model. modelled: [n] its reward of what was shown; expected: [n] its mean reward of what
    the judged policy would show there.
    """
    corrected = expected + logged.weights * (logged.rewards - modelled)
    return ratio_interval(corrected, np.ones(len(corrected)))
