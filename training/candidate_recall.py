"""What each source of candidates is worth: what it finds, and what nobody else would have found."""

from collections.abc import Sequence

import numpy as np

from contracts.candidates import SOURCES, Shortlist
from contracts.ranking import Rows


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
