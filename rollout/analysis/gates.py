"""Measurements to a verdict per gate, each with its sentence. Pure: no clock, no network.

A gate fails only on what chance does not explain, at any number of looks (sequential.py), and succeeds only with
enough requests behind it; between the two it is inconclusive and says what it waits for.
"""

import math
from collections.abc import Callable

from rollout.analysis.measurements import Measurements
from rollout.analysis.sequential import Count, bounds, log_evidence_of_drop
from rollout.record.verdict import Analysis, GateResult, Verdict
from rollout.settings import GateName, Thresholds

SLOW_SHARE = 0.01  # p99: one request in a hundred is slower
Finding = tuple[Verdict, str]


def analyse(measured: Measurements, thresholds: Thresholds) -> Analysis:
    """One look at a step: every gate of the settings."""
    evidence = measured.earlier_click_evidence + click_evidence(measured, thresholds)
    gates = [GateResult(gate=gate, verdict=found[0], sentence=found[1])
             for gate in thresholds.gates for found in [GATES[gate](measured, thresholds)]]  # fmt: skip
    return Analysis(gates=tuple(gates), click_evidence=evidence)


def latency(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether more than 1 % of canary's answers are slower than stable's p99 allows.

    A p99 has no simple error bar, a share has an exact one: canary's p99 lies above a limit if and only if more than
    1 % of its answers do. The limit is rounded up to a bucket of the histogram, where the share is known.
    """
    stable, canary = measured.stable.latency, measured.canary.latency
    too_few = _too_few(canary.total, thresholds, "answers of canary")
    if too_few and not canary.total:
        return too_few
    if stable.total < thresholds.min_requests:
        return Verdict.INCONCLUSIVE, f"stable has {stable.total} answers to compare with, of {thresholds.min_requests}"
    p99 = stable.quantile(1 - SLOW_SHARE)
    limit = canary.bound_from(p99 * thresholds.max_p99_ratio + thresholds.p99_slack_seconds)
    if math.isinf(limit):
        return Verdict.INCONCLUSIVE, f"stable's p99 is {_ms(p99)}, the limit is beyond the histogram's last bucket"
    slow = canary.slower_than(limit)
    text = f"{_percent(slow)} of canary's answers took over {_ms(limit)} (p99 allows 1 %; stable's p99 is {_ms(p99)})"
    return _judged(slow, bounds(slow, thresholds.alpha)[0], SLOW_SHARE, text) or too_few or (Verdict.SUCCESSFUL, text)


def errors(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary answers 5xx more often than stable and the margin."""
    pair = [Count(slot.errors, slot.requests) for slot in (measured.stable, measured.canary)]
    return _share_gate("errors", pair[0], pair[1], thresholds.error_margin, thresholds)


def empty(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary answers with no items more often than stable and the margin."""
    pair = [Count(slot.empty, slot.answers) for slot in (measured.stable, measured.canary)]
    return _share_gate("empty lists", pair[0], pair[1], thresholds.empty_margin, thresholds)


def degraded(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary falls back more often than stable and the margin."""
    pair = [Count(slot.degraded, slot.answers) for slot in (measured.stable, measured.canary)]
    return _share_gate("degraded answers", pair[0], pair[1], thresholds.degraded_margin, thresholds)


def answered(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary leaves mirrored requests unanswered: a pod that is not there counts no errors of its own."""
    stable, canary = measured.mirrored.stable, measured.mirrored.canary
    silent = [Count(sum(answer is None for answer in slot), len(slot)) for slot in (stable, canary)]
    needed = thresholds.model_copy(update={"min_requests": thresholds.min_mirrored_users})
    return _share_gate("unanswered mirrored requests", silent[0], silent[1], thresholds.error_margin, needed)


def overlap(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary's and stable's lists overlap too little for both to work."""
    shares = [len(set(a) & set(b)) / max(len(a), len(b), 1) for a, b in measured.mirrored.pairs]
    if len(shares) < thresholds.min_mirrored_users:
        return _too_few_pairs(len(shares), thresholds)
    mean = sum(shares) / len(shares)
    asked = f"at least {thresholds.min_overlap:g} is asked"
    text = f"mean overlap with stable's lists {mean:.2f} over {len(shares)} users, {asked}"
    if mean >= thresholds.min_overlap:
        return Verdict.SUCCESSFUL, text
    by_chance = _chance_of_mean(mean, len(shares), thresholds.min_overlap)
    return (Verdict.FAILED if by_chance < thresholds.alpha else Verdict.INCONCLUSIVE), text


def coverage(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether canary shows far fewer distinct items than stable to the same users."""
    pairs = measured.mirrored.pairs
    if len(pairs) < thresholds.min_mirrored_users:
        return _too_few_pairs(len(pairs), thresholds)
    stable, canary = (len({item for pair in pairs for item in pair[slot]}) for slot in (0, 1))
    asked = f"{thresholds.min_coverage_ratio:.0%} of that is asked"
    text = f"{canary} distinct items to {len(pairs)} users, stable {stable}; {asked}"
    return (Verdict.SUCCESSFUL if canary >= thresholds.min_coverage_ratio * stable else Verdict.FAILED), text


def clicks(measured: Measurements, thresholds: Thresholds) -> Finding:
    """Whether users click less on canary's lists than on stable's, over all steps together."""
    stable, canary = _click_counts(measured)
    if stable.successes > stable.trials or canary.successes > canary.trials:
        return Verdict.INCONCLUSIVE, f"more clicks than lists ({stable} and {canary}): this cannot be a rate"
    log_evidence = measured.earlier_click_evidence + click_evidence(measured, thresholds)
    rates = f"click rate {_percent(canary)} of {canary.trials} lists, stable {_percent(stable)} of {stable.trials}"
    drop = f"a drop beyond {thresholds.tolerated_click_drop:.0%}"
    evidence = f"{math.exp(min(log_evidence, 50.0)):.3g}"
    text = f"{rates}; evidence of {drop} {evidence}, {1 / thresholds.alpha:g} aborts"
    if log_evidence >= -math.log(thresholds.alpha):
        return Verdict.FAILED, text
    return _too_few_clicks(stable, canary, thresholds) or (Verdict.SUCCESSFUL, text)


def click_evidence(measured: Measurements, thresholds: Thresholds) -> float:
    """log e-value of a drop in this step alone; 0 while the normal law does not hold yet."""
    stable, canary = _click_counts(measured)
    possible = stable.successes <= stable.trials and canary.successes <= canary.trials
    if not possible or stable.successes + canary.successes < thresholds.min_clicks:
        return 0.0
    return log_evidence_of_drop(
        stable,
        canary,
        tolerated=thresholds.tolerated_click_drop * stable.share,
        scale=thresholds.expected_click_drop * stable.share,
        dispersion=thresholds.click_dispersion,
    )


def _click_counts(measured: Measurements) -> tuple[Count, Count]:
    """Mirrored lists are taken out: nobody saw them, and they are a far larger part of a small canary."""
    stable, canary = (max(slot.answers - asked, 0) for slot, asked in
                      zip((measured.stable, measured.canary), measured.mirrored_answers, strict=True))  # fmt: skip
    return Count(measured.stable.clicks, stable), Count(measured.canary.clicks, canary)


def _share_gate(what: str, stable: Count, canary: Count, margin: float, thresholds: Thresholds) -> Finding:
    """Each slot's bound takes half of alpha; the union of both misses is alpha."""
    shares = f"{_percent(canary)} {what} of {canary.trials}, stable {_percent(stable)} of {stable.trials}"
    text = f"{shares}; {margin:.2%} more is allowed"
    too_few = _too_few(canary.trials, thresholds, "requests to canary") or _too_few(
        stable.trials, thresholds, "requests to stable"
    )
    lower, upper = bounds(canary, thresholds.alpha / 2)[0], bounds(stable, thresholds.alpha / 2)[1]
    if lower > upper + margin:
        return Verdict.FAILED, text
    if too_few:
        return too_few
    unclear = canary.share > stable.share + margin
    return (Verdict.INCONCLUSIVE, f"{text}; too few to say") if unclear else (Verdict.SUCCESSFUL, text)


def _chance_of_mean(mean: float, n: int, expected: float) -> float:
    """At most this: the chance that n values in [0, 1] of the expected mean average to `mean` or less.

    Hoeffding, "Probability inequalities for sums of bounded random variables" (1963), theorem 1.
    """
    low = mean * math.log(mean / expected) if mean else 0.0
    return math.exp(-n * (low + (1 - mean) * math.log((1 - mean) / (1 - expected))))


def _judged(count: Count, lower: float, allowed: float, text: str) -> Finding | None:
    """Failed above what is allowed, inconclusive when that may be chance, None below."""
    if lower > allowed:
        return Verdict.FAILED, text
    return (Verdict.INCONCLUSIVE, f"{text}; too few to say") if count.share > allowed else None


def _too_few(seen: int, thresholds: Thresholds, what: str) -> Finding | None:
    needed = thresholds.min_requests
    return (Verdict.INCONCLUSIVE, f"waits for {needed} {what}, has {seen}") if seen < needed else None


def _too_few_clicks(stable: Count, canary: Count, thresholds: Thresholds) -> Finding | None:
    found = stable.successes + canary.successes
    if found >= thresholds.min_clicks:
        return _too_few(canary.trials, thresholds, "lists of canary")
    return Verdict.INCONCLUSIVE, f"waits for {thresholds.min_clicks} clicks on both slots, has {found}"


def _too_few_pairs(seen: int, thresholds: Thresholds) -> Finding:
    return Verdict.INCONCLUSIVE, f"waits for {thresholds.min_mirrored_users} users that both slots answer, has {seen}"


def _percent(count: Count) -> str:
    return f"{count.share:.2%}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


GATES: dict[GateName, Callable[[Measurements, Thresholds], Finding]] = {
    GateName.LATENCY: latency,
    GateName.ERRORS: errors,
    GateName.EMPTY: empty,
    GateName.DEGRADED: degraded,
    GateName.ANSWERED: answered,
    GateName.OVERLAP: overlap,
    GateName.COVERAGE: coverage,
    GateName.CLICKS: clicks,
}
