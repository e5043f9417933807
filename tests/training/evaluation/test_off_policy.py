"""Estimates from logged impressions against a made-up shop in which the truth of every policy is known."""

import numpy as np
import pytest

from contracts.errors import InvalidInput
from training.evaluation.off_policy import LoggedImpressions, doubly_robust, ips, snips

ITEMS = np.arange(5)
CLICK_RATES = np.array([0.02, 0.05, 0.10, 0.20, 0.40])
SERVED = np.array([0.4, 0.3, 0.15, 0.1, 0.05])  # shows the worst most
JUDGED = np.array([0.05, 0.1, 0.15, 0.3, 0.4])
TRUTH = float(JUDGED @ CLICK_RATES)  # .001 + .005 + .015 + .06 + .16 = .241


def log_of(impressions: int, seed: int = 1) -> tuple[LoggedImpressions, np.ndarray]:
    draw = np.random.default_rng(seed)
    shown = draw.choice(ITEMS, impressions, p=SERVED)
    rewards = (draw.random(impressions) < CLICK_RATES[shown]).astype(float)
    return LoggedImpressions(rewards, SERVED[shown], JUDGED[shown]), shown


def test_the_truth_lies_in_every_interval_and_the_plain_mean_is_far_from_it() -> None:
    logged, shown = log_of(50_000)
    assert pytest.approx(0.241) == TRUTH
    assert logged.rewards.mean() < 0.1
    guess = np.full(5, 0.1)  # a poor reward model: the residuals mend it
    estimates = [ips(logged), snips(logged), doubly_robust(logged, guess[shown], np.full(len(shown), 0.1))]
    for one in estimates:
        assert one.low < TRUTH < one.high
        assert one.high - one.low < 0.03


def test_a_good_reward_model_narrows_the_estimate() -> None:
    """Variances: judged²/served · rate less truth² sums to 1.419; with rate · (1 - rate) in place of rate, to .927."""
    logged, shown = log_of(5_000)
    informed = doubly_robust(logged, CLICK_RATES[shown], np.full(len(shown), TRUTH))
    plain = ips(logged)
    narrower = (informed.high - informed.low) / (plain.high - plain.low)
    assert narrower == pytest.approx((0.927 / 1.419) ** 0.5, abs=0.05)
    assert informed.low < TRUTH < informed.high


def test_a_right_model_mends_wrong_propensities() -> None:
    """All propensities logged twice too high: IPS halves its estimate, DR stays."""
    logged, shown = log_of(20_000)
    wrong = LoggedImpressions(logged.rewards, logged.propensities * 2, logged.targets)
    assert ips(wrong).mean == pytest.approx(TRUTH / 2, rel=0.1)
    assert doubly_robust(wrong, CLICK_RATES[shown], np.full(len(shown), TRUTH)).mean == pytest.approx(TRUTH, rel=0.05)
    assert snips(wrong).mean == pytest.approx(TRUTH, rel=0.1)  # a common factor falls out of a ratio


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 40 logs about 38 intervals hold the truth; fewer than 33 would be a chance of one in a thousand."""
    held = [(one := snips(log_of(2_000, seed)[0])).low < TRUTH < one.high for seed in range(40)]
    assert sum(held) >= 33


def test_by_hand() -> None:
    """Weights 2 and .5: IPS (2·1 + .5·0) / 2 = 1, SNIPS 2 / 2.5 = .8; effective 2.5² / 4.25 = 1.47."""
    logged = LoggedImpressions(np.array([1.0, 0.0]), np.array([0.25, 0.5]), np.array([0.5, 0.25]))
    assert (ips(logged).mean, snips(logged).mean) == (1.0, 0.8)
    assert logged.effective == pytest.approx(1.4706, abs=1e-4)
    assert not logged.says_something


@pytest.mark.parametrize(
    ("rewards", "propensities", "targets", "message"),
    [
        ([], [], [], "no impressions"),
        ([1.0], [0.0], [0.5], "above 0 and at most 1"),
        ([1.0], [1.5], [0.5], "above 0 and at most 1"),
        ([1.0], [0.5], [-0.1], "Target probabilities"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    rewards: list[float], propensities: list[float], targets: list[float], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        LoggedImpressions(np.array(rewards), np.array(propensities), np.array(targets))


def test_a_policy_that_shows_nothing_of_the_log_is_refused() -> None:
    logged = LoggedImpressions(np.array([1.0]), np.array([0.5]), np.array([0.0]))
    assert logged.effective == 0.0 and ips(logged).mean == 0.0
    with pytest.raises(InvalidInput, match="never shows what was logged"):
        snips(logged)
