"""What each source of candidates is worth: what it finds, what nobody else would have found, and the least to beat."""

from collections.abc import Sequence

import numpy as np

from contracts.arrays import Rows
from contracts.ranking.candidates import BUYERS_COLUMN, POPULAR, REPEAT, SOURCES, Shortlist, likeliest_repeats, union
from training.evaluation.baselines import top_rows
from training.evaluation.window import EvaluationWindow
from training.metrics.ranking_metrics import among

SIMPLE_POPULAR = 300
"""The simplest union: the user's own history, likeliest repeats first, and then this many popular items."""


def candidate_recall(candidates: Sequence[Shortlist], truths: Sequence[Rows]) -> dict[str, float]:
    """Means over users of shares of their truths: recall_union, and for each source recall_ and unique_.

    unique_: found by this source and by no other, so what the union would lose without it. mean_candidates is the
    length of the union. Entry i of both arguments is one user, each with a truth.
    """
    totals = dict.fromkeys(("recall_union", *(f"{k}_{s}" for k in ("recall", "unique") for s in SOURCES)), 0.0)
    for one, truth in zip(candidates, truths, strict=True):
        found = one.sources[among(one.rows, truth)]
        totals["recall_union"] += len(found) / len(truth)
        for bit, source in enumerate(SOURCES):
            totals[f"recall_{source}"] += float((found >> bit & 1).sum()) / len(truth)
            totals[f"unique_{source}"] += float((found == 1 << bit).sum()) / len(truth)
    means = {name: total / len(truths) for name, total in totals.items()}
    means["mean_candidates"] = float(np.mean([len(one.rows) for one in candidates]))
    return means


def simple_union_recall(window: EvaluationWindow, num_candidates: int) -> dict[str, float]:
    """The same of the simplest union, popular by buyers of the last 28 days, cut to num_candidates and uncut.

    recall_simple_union and mean_simple_candidates are of the cut one, those with _uncut of all of it.
    """
    popular = top_rows(window.item_statistics[:, BUYERS_COLUMN], SIMPLE_POPULAR)
    unions = [
        union({REPEAT: np.concatenate([likeliest_repeats(history, window.start), known]), POPULAR: popular})[0]
        for history, known in zip(window.histories, window.known, strict=True)
    ]
    means = {}
    for cut, suffix in ((num_candidates, ""), (None, "_uncut")):
        shares = [among(truth, rows[:cut]).mean() for truth, rows in zip(window.truths, unions, strict=True)]
        means[f"recall_simple_union{suffix}"] = float(np.mean(shares))
        means[f"mean_simple_candidates{suffix}"] = float(np.mean([len(rows[:cut]) for rows in unions]))
    return means
