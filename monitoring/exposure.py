"""How evenly the shown items share the positions of all lists."""

from collections.abc import Iterable

import numpy as np


def exposure_gini(exposures: Iterable[int]) -> float:
    """Gini index of the exposure counts of the items shown at least once: 0 all equal, 1 one item has everything.

    G = 1/(n-1) * sum over j of (2j - n - 1) * p_j, items ordered by their share p_j of all positions, least first:
    Shani and Gunawardana, Evaluating Recommendation Systems, Recommender Systems Handbook (2011), section 8.3.
    Items never shown are left out, unlike there: with a catalogue of thousands and a log of hundreds they alone
    would hold the value near 1. Compare values of logs of similar length; a single item counts as 1.
    """
    counts = np.sort(np.fromiter(exposures, dtype=np.float64))
    n = len(counts)
    if n < 2:
        return float(n)
    ranks = np.arange(1, n + 1)
    return float(np.sum((2 * ranks - n - 1) * counts) / counts.sum() / (n - 1))
