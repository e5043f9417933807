"""Whether scores are probabilities: what was predicted beside what was bought."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows

BINS = 10


def calibration(ranked: Sequence[tuple[Rows, npt.NDArray[np.float32]]], truths: Sequence[Rows]) -> dict[str, Any]:
    """For JSON: the expected calibration error and BINS of equally many candidates, least likely first.

    ranked: (rows, log-odds) of each user's candidates. A score that is no log-odds shows as a large error.
    """
    scores = np.concatenate([own for _, own in ranked]).astype(np.float64)
    bought = np.concatenate([np.isin(rows, truth) for (rows, _), truth in zip(ranked, truths, strict=True)])
    predicted = 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0)))
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    bins = [
        {"candidates": len(p), "predicted": float(predicted[p].mean()), "observed": float(bought[p].mean())}
        for p in parts
    ]
    error = sum(one["candidates"] * abs(one["predicted"] - one["observed"]) for one in bins) / len(scores)
    return {"expected_error": error, "bins": bins}
