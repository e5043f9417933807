"""What each source of candidates is worth: what it finds, what nobody else would have found, and the least to beat."""

from collections.abc import Sequence

import numpy as np

from contracts.candidates import POPULAR_COLUMN, SOURCES, Shortlist
from contracts.ranking import Rows
from training.baselines import top_rows
from training.origin import Origin

SIMPLE_POPULAR = 300
"""The simplest union: the user's own history and so many popular items."""


def candidate_recall(candidates: Sequence[Shortlist], truths: Sequence[Rows]) -> dict[str, float]:
    """Means over users of shares of their truths: recall_union, and for each source recall_ and unique_.

    unique_: found by this source and by no other, so what the union would lose without it. mean_candidates is the
    length of the union. Entry i of both arguments is one user, each with a truth.
    """
    totals = dict.fromkeys(("recall_union", *(f"{k}_{s}" for k in ("recall", "unique") for s in SOURCES)), 0.0)
    for one, truth in zip(candidates, truths, strict=True):
        found = one.sources[np.isin(one.rows, truth)]
        totals["recall_union"] += len(found) / len(truth)
        for bit, source in enumerate(SOURCES):
            totals[f"recall_{source}"] += float((found >> bit & 1).sum()) / len(truth)
            totals[f"unique_{source}"] += float((found == 1 << bit).sum()) / len(truth)
    means = {name: total / len(truths) for name, total in totals.items()}
    means["mean_candidates"] = float(np.mean([len(one.rows) for one in candidates]))
    return means


def simple_union_recall(origin: Origin) -> dict[str, float]:
    """The same of the simplest union, by buyers of the last 28 days: recall_simple_union, mean_simple_candidates."""
    popular = top_rows(origin.item_statistics[:, POPULAR_COLUMN], SIMPLE_POPULAR)
    unions = [np.union1d(known, popular) for known in origin.known]
    shares = [np.isin(truth, rows).mean() for truth, rows in zip(origin.truths, unions, strict=True)]
    return {
        "recall_simple_union": float(np.mean(shares)),
        "mean_simple_candidates": float(np.mean([len(rows) for rows in unions])),
    }
