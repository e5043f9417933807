"""Whether scores are probabilities: what was predicted, compared with what was bought."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from training.metrics.ranking_metrics import among
from training.metrics.reliability import expected_error, reliability


def calibration(ranked: Sequence[tuple[Rows, npt.NDArray[np.float32]]], truths: Sequence[Rows]) -> dict[str, Any]:
    """As JSON: the expected calibration error and bins of equally many candidates, least likely first.

    ranked: (rows, log-odds) of each user's candidates. Scores that are not log-odds show as a large error.
    """
    scores = np.concatenate([own for _, own in ranked]).astype(np.float64)
    bought = np.concatenate([among(rows, truth) for (rows, _), truth in zip(ranked, truths, strict=True)])
    predicted = 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0)))
    bins = reliability(predicted, bought)
    entries = [{"candidates": one.cases, "predicted": one.predicted, "observed": one.observed} for one in bins]
    return {"expected_error": expected_error(bins), "bins": entries}
