"""The numbers of one look at both slots, before anything is decided about them."""

import math
from dataclasses import dataclass, field

from rollout.analysis.sequential import Count


@dataclass(frozen=True)
class Histogram:
    """Row i of counts is the number of observations in (bounds[i-1], bounds[i]]; the last bound is +Inf."""

    bounds: tuple[float, ...] = (math.inf,)
    counts: tuple[int, ...] = (0,)

    @property
    def total(self) -> int:
        """Observations in all buckets."""
        return sum(self.counts)

    def quantile(self, q: float) -> float:
        """Seconds below which a share q lies, linear within its bucket as in PromQL; +Inf when it is in the last."""
        rank, below, lower = q * self.total, 0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count and below + count >= rank:
                return bound if math.isinf(bound) else lower + (bound - lower) * (rank - below) / count
            below, lower = below + count, bound
        return math.nan

    def bound_from(self, seconds: float) -> float:
        """The first bucket bound at or above; only at a bound is it known how many were slower."""
        return next(bound for bound in self.bounds if bound >= seconds)

    def slower_than(self, bound: float) -> Count:
        """Observations above one of the bounds."""
        slow = sum(count for upper, count in zip(self.bounds, self.counts, strict=True) if upper > bound)
        return Count(slow, self.total)


@dataclass(frozen=True)
class SlotNumbers:
    """What Prometheus saw of one slot since the step began. Whole numbers, nothing extrapolated."""

    requests: int = 0
    errors: int = 0  # of the requests, 5xx
    answers: int = 0  # lists
    empty: int = 0  # of the lists
    degraded: int = 0  # of the lists, below the full path
    clicks: int = 0  # on the lists, attributed by request_id
    latency: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True)
class Mirrored:
    """What both slots answered to the same users. Row i of all three is request i; None where there was no answer."""

    users: tuple[str, ...] = ()
    stable: tuple[tuple[str, ...] | None, ...] = ()
    canary: tuple[tuple[str, ...] | None, ...] = ()

    @property
    def pairs(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Lists of the distinct users that both slots answered: a user asked twice adds nothing."""
        rows = zip(self.users, self.stable, self.canary, strict=True)
        return list({user: (a, b) for user, a, b in rows if a is not None and b is not None}.values())


@dataclass(frozen=True)
class Measurements:
    """One look at a step of the rollout."""

    stable: SlotNumbers
    canary: SlotNumbers
    mirrored: Mirrored = Mirrored()
    mirrored_answers: tuple[int, int] = (0, 0)  # of stable and canary in this whole step; lists that nobody saw
    earlier_click_evidence: float = 0.0  # log e-value of the finished steps
