"""Always-valid tests: values by hand, and what they promise under continuous looking."""

import math

import numpy as np
import pytest

from rollout.analysis.sequential import Count, _log_normal_cdf, bounds, log_evidence_against, log_evidence_of_drop

ALPHA = 0.05


def test_evidence_against_a_share_by_hand() -> None:
    # B(1/2 + 1, 1/2 + 1) / B(1/2, 1/2) = (π/8) / π = 1/8; divided by 0.1 * 0.9 = 0.09.
    assert math.exp(log_evidence_against(0.1, Count(1, 2))) == pytest.approx(0.125 / 0.09)
    # Two of two: B(5/2, 1/2) / B(1/2, 1/2) = (3π/8) / π = 3/8; divided by 0.5².
    assert math.exp(log_evidence_against(0.5, Count(2, 2))) == pytest.approx(1.5)


def test_bounds_by_hand() -> None:
    # Two of two: refuted is p with (3/8) / p² >= 20, that is p <= sqrt(3/160).
    assert bounds(Count(2, 2), ALPHA) == pytest.approx((math.sqrt(3 / 160), 1.0))
    # None of two is its mirror image.
    assert bounds(Count(0, 2), ALPHA) == pytest.approx((0.0, 1 - math.sqrt(3 / 160)))


def test_without_trials_nothing_is_refuted() -> None:
    assert bounds(Count(0, 0), ALPHA) == (0.0, 1.0)
    assert Count(0, 0).share == 0.0


def test_bounds_hold_at_every_look() -> None:
    """400 slots with 2 % errors, looked at after every one of 2,000 requests: at most 5 % ever leave the bounds."""
    errors = np.random.default_rng(7).random((400, 2000)) < 0.02
    hits, trials = errors.cumsum(axis=1), np.arange(1, 2001)
    ever = 0
    for slot in hits:
        # A look between two errors adds nothing: the evidence is largest just after an error or just before the next.
        looks = {*np.flatnonzero(np.diff(slot, prepend=0)), *np.flatnonzero(np.diff(slot)), 1999}
        limit = -math.log(ALPHA)
        ever += any(log_evidence_against(0.02, Count(int(slot[i]), int(trials[i]))) >= limit for i in looks)
    assert ever <= ALPHA * 400


def test_evidence_of_a_drop_by_hand() -> None:
    # 100 of 1,000 against 80 of 1,000: d = 0.02, v = 0.09 * 0.91 * (1/1000 + 1/1000) = 0.0001638; s = 0.02.
    # sqrt(v / (v + s²)) = 0.539007; exponent s² d² / (2 v (v + s²)) = 0.866201; d s / sqrt(v (v + s²)) = 1.316207,
    # Φ of that = 0.905948. 2 * 0.539007 * e^0.866201 * 0.905948 = 2.32229.
    evidence = log_evidence_of_drop(Count(100, 1000), Count(80, 1000), tolerated=0.0, scale=0.02)
    assert math.exp(evidence) == pytest.approx(2.32229, rel=1e-4)


def test_a_drop_within_what_is_tolerated_is_no_evidence() -> None:
    tolerated = log_evidence_of_drop(Count(1000, 10_000), Count(980, 10_000), tolerated=0.002, scale=0.02)
    assert tolerated < 0


def test_a_rise_counts_against_a_drop_however_large() -> None:
    evidence = log_evidence_of_drop(Count(1000, 100_000), Count(5000, 100_000), tolerated=0.0, scale=0.05)
    # 45 standard errors above: Φ(-45) underflows, its logarithm must not.
    assert -20 < evidence < -5


def test_the_normal_laws_logarithm_by_hand() -> None:
    assert _log_normal_cdf(0.0) == pytest.approx(math.log(0.5))
    assert _log_normal_cdf(-1.0) == pytest.approx(math.log(0.158655), rel=1e-5)
    # Far out Φ(z) is φ(z) / −z: −40² / 2 − ln 40 − ½ ln 2π = −800 − 3.688879 − 0.918939.
    assert _log_normal_cdf(-40.0) == pytest.approx(-804.607818, abs=1e-5)


def test_a_tolerated_drop_is_taken_off_what_was_seen() -> None:
    # 150 of 10,000 fewer than 500, of which 10 are tolerated: see the gates' test for the sum.
    tolerated = log_evidence_of_drop(Count(500, 10_000), Count(350, 10_000), tolerated=0.001, scale=0.01)
    assert tolerated == pytest.approx(10.534675, abs=1e-5)


def test_no_evidence_where_everything_was_clicked() -> None:
    assert log_evidence_of_drop(Count(10, 10), Count(10, 10), 0.0, 0.1) == 0.0


def test_no_evidence_without_data_or_without_clicks() -> None:
    assert log_evidence_of_drop(Count(0, 0), Count(5, 10), 0.0, 0.1) == 0.0
    assert log_evidence_of_drop(Count(5, 10), Count(0, 0), 0.0, 0.1) == 0.0
    assert log_evidence_of_drop(Count(0, 10), Count(0, 10), 0.0, 0.1) == 0.0


def test_clicks_that_come_in_clusters_are_weaker_evidence() -> None:
    stable, canary = Count(100, 1000), Count(60, 1000)
    coin = log_evidence_of_drop(stable, canary, 0.0, 0.02)
    assert log_evidence_of_drop(stable, canary, 0.0, 0.02, dispersion=3.0) < coin


# The four steps of a rollout, 20,000 requests each, looked at 100 times a step.
STEPS, LOOKS, REQUESTS = (0.01, 0.05, 0.25, 0.5), 100, 20_000


def ever_refuted(stable_rate: float, canary_rate: float, rollouts: int, seed: int) -> float:
    """Share of rollouts in which any look at any step found a drop."""
    random, refuted = np.random.default_rng(seed), 0
    for _ in range(rollouts):
        earlier, found = 0.0, False
        for share in STEPS:
            size = REQUESTS // LOOKS
            canary = random.binomial(size, share, LOOKS)
            clicks = random.binomial(canary, canary_rate).cumsum(), random.binomial(size - canary, stable_rate).cumsum()
            trials = canary.cumsum(), (size - canary).cumsum()
            evidence = 0.0
            for look in range(LOOKS):
                tested, stable = (Count(int(clicks[slot][look]), int(trials[slot][look])) for slot in (0, 1))
                if stable.successes + tested.successes >= 30:
                    evidence = log_evidence_of_drop(stable, tested, 0.0, scale=0.2 * stable.share)
                found = found or earlier + evidence >= -math.log(ALPHA)
            earlier += evidence
        refuted += found
    return refuted / rollouts


def test_a_canary_as_good_as_stable_is_seldom_aborted() -> None:
    """400 looks at each of 400 rollouts: a one-sided z-test at 5 % a look aborted 67 % of 1,000."""
    assert ever_refuted(0.05, 0.05, rollouts=400, seed=1) <= ALPHA


def test_a_real_drop_is_found() -> None:
    """A fifth fewer clicks, before the canary has all of the traffic."""
    assert ever_refuted(0.05, 0.04, rollouts=60, seed=2) >= 0.8
