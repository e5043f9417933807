"""What an experiment has shown so far: users exposed and users who responded by variant, and the lift.

Users were assigned, so users are counted: many lists of one user are not many observations.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from contracts.api.records import ImpressionRecord

Z: Final = 1.959964  # two-sided 95 %
Z_OF_MISMATCH: Final = 3.29  # two-sided 0.1 %: a split this far off is a fault and not chance


@dataclass(frozen=True)
class Arm:
    """One variant."""

    variant: str
    users: int  # who saw at least one list of it and none of another
    responded: int  # of them, with at least one interaction that came from such a list
    expected_users: float  # by the propensities that were logged

    @property
    def rate(self) -> float:
        """Share of the users who responded."""
        return self.responded / self.users if self.users else math.nan


@dataclass(frozen=True)
class Lift:
    """Relative difference of two arms' rates, with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class ExperimentStatus:
    """All arms, and everything that was left out of them."""

    arms: tuple[Arm, ...]
    outside: int  # lists that were not drawn: of a forced variant, or of a time with one bundle for everybody
    moved: int  # users who were shown several variants, as when the share was changed

    @property
    def split_is_off(self) -> bool:
        """Whether the arms' sizes contradict the propensities (sample ratio mismatch): then no figure here is true."""
        users = sum(arm.users for arm in self.arms)
        for arm in self.arms:
            share = arm.expected_users / users if users else 0.0
            deviation = math.sqrt(users * share * (1 - share))
            if abs(arm.users - arm.expected_users) > Z_OF_MISMATCH * deviation + 1e-9:
                return True
        return False


def experiment_status(impressions: Iterable[ImpressionRecord], interactions: Set[str]) -> ExperimentStatus:
    """The status from logged lists and from the request ids that interactions came with."""
    shown: dict[str, dict[str, float]] = defaultdict(dict)  # user: variant: propensity
    responded: set[str] = set()
    outside = 0
    for record in impressions:
        if record.forced or not 0.0 < record.propensity < 1.0:
            outside += 1
            continue
        shown[record.user_id][record.variant] = record.propensity
        if record.request_id in interactions:
            responded.add(record.user_id)
    stayed = {user: next(iter(variants.items())) for user, variants in shown.items() if len(variants) == 1}
    return ExperimentStatus(_arms(stayed, responded), outside, moved=len(shown) - len(stayed))


def lift(arm: Arm, base: Arm) -> Lift | None:
    """How much more of arm's users responded than of base's; None while either has nobody who did.

    The interval is of the log of a ratio of proportions (Katz et al. 1978), as exp(log ratio ± z · s) − 1 with
    s² = 1/a − 1/n + 1/b − 1/m.
    """
    if not arm.responded or not base.responded:
        return None
    ratio = arm.rate / base.rate
    deviation = math.sqrt(1 / arm.responded - 1 / arm.users + 1 / base.responded - 1 / base.users)
    return Lift(ratio - 1, ratio * math.exp(-Z * deviation) - 1, ratio * math.exp(Z * deviation) - 1)


def _arms(stayed: dict[str, tuple[str, float]], responded: Set[str]) -> tuple[Arm, ...]:
    variants = sorted({variant for variant, _ in stayed.values()}, reverse=True)  # "stable" before "challenger"
    return tuple(
        Arm(
            variant,
            users=sum(own == variant for own, _ in stayed.values()),
            responded=sum(own == variant and user in responded for user, (own, _) in stayed.items()),
            expected_users=_expected(variant, variants, stayed),
        )
        for variant in variants
    )


def _expected(variant: str, variants: list[str], stayed: dict[str, tuple[str, float]]) -> float:
    """Users this variant should have: own propensity where it was shown, what is left of one where the other was."""
    if len(variants) == 1:
        return float(len(stayed))
    return sum(propensity if own == variant else 1.0 - propensity for own, propensity in stayed.values())
