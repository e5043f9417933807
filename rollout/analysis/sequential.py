"""Tests that may be read at any time: the chance of a false alarm holds for all readings together.

A fixed-sample test that is repeated every minute finds a difference sooner or later, also where there is none; a canary
is looked at every minute. Both tests here are non-negative martingales under the null hypothesis, so by Ville's
inequality the chance that one EVER reaches 1/alpha is at most alpha.

* Shares of one slot: beta-binomial mixture, exact for any counts. Robbins (1970); Howard, Ramdas, McAuliffe, Sekhon,
  "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49 (2021), section 3,
  https://arxiv.org/abs/1810.08240; as betting: Waudby-Smith, Ramdas (2021), https://arxiv.org/abs/2010.09686.
* A drop of a rate against another slot: normal mixture over the difference, the mSPRT of Johari, Pekelis, Walsh,
  "Always valid inference" (2017), https://arxiv.org/abs/1512.04922, one-sided as in Howard et al., proposition 6.
  The normal law of a difference of means is a large-sample one, hence Thresholds.min_clicks.
"""

import math
from dataclasses import dataclass

PRIOR = 0.5  # Beta(1/2, 1/2): narrow near 0, where the shares of errors and of empty lists are


@dataclass(frozen=True)
class Count:
    """Successes among trials."""

    successes: int
    trials: int

    @property
    def share(self) -> float:
        """0 where nothing was tried."""
        return self.successes / self.trials if self.trials else 0.0


def bounds(count: Count, alpha: float) -> tuple[float, float]:
    """Every share that the counts do not refute at alpha: [lower, upper], always valid."""
    return _edge(count, alpha, 0.0), _edge(count, alpha, 1.0)


def log_evidence_against(share: float, count: Count) -> float:
    """log of the beta-binomial mixture martingale for the hypothesis that the true share is `share`."""
    hits, misses = count.successes, count.trials - count.successes
    mixture = _log_beta(PRIOR + hits, PRIOR + misses) - _log_beta(PRIOR, PRIOR)
    return mixture - _times_log(hits, share) - _times_log(misses, 1 - share)


def log_evidence_of_drop(
    stable: Count, canary: Count, tolerated: float, scale: float, dispersion: float = 1.0
) -> float:
    """log e-value against "canary's share is at least stable's minus `tolerated`".

    scale is the drop, beyond the tolerated one, that is found soonest. With d the observed drop beyond `tolerated` and
    v the variance of d under equal shares, the e-value is the likelihood ratio N(d; θ, v) / N(d; 0, v) averaged over a
    half-normal θ > 0 of that scale. E-values of disjoint periods multiply, so logs add: each step of a rollout is
    compared within itself, because the weights change between them, and with them the mix of hours.
    """
    if not stable.trials or not canary.trials:
        return 0.0
    both = Count(stable.successes + canary.successes, stable.trials + canary.trials)
    variance = dispersion * both.share * (1 - both.share) * (1 / stable.trials + 1 / canary.trials)
    if variance == 0:
        return 0.0
    drop, total = stable.share - canary.share - tolerated, variance + scale**2
    exponent = scale**2 * drop**2 / (2 * variance * total)
    return (
        math.log(2)
        + 0.5 * math.log(variance / total)
        + exponent
        + _log_normal_cdf(drop * scale / math.sqrt(variance * total))
    )


def _edge(count: Count, alpha: float, outside: float) -> float:
    """Bisection between the observed share, which is never refuted, and the far end."""
    limit, inside = -math.log(alpha), count.share
    if log_evidence_against(outside, count) < limit:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if log_evidence_against(middle, count) < limit else (inside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _times_log(times: int, value: float) -> float:
    if times == 0:
        return 0.0
    return times * math.log(value) if value > 0 else -math.inf


def _log_normal_cdf(z: float) -> float:
    if z > -30:
        return math.log(math.erfc(-z / math.sqrt(2)) / 2)
    return -(z**2) / 2 - math.log(
        -z * math.sqrt(2 * math.pi)
    )  # first term of the asymptotic series; erfc is 0 out there
