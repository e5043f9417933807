"""How far back the towers learn from: weeks that fit the log, where the settings do not say."""

from typing import Final

import numpy as np
import numpy.typing as npt

from training.settings import FeatureSettings
from training.timeline import LEAST_WEEKS

ENOUGH_POSITIVES: Final = 500_000
"""Beyond them, older weeks cost time and say little more of today's tastes."""


def tower_weeks(settings: FeatureSettings, days: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> int:
    """The setting, else the weeks before the test window that hold ENOUGH_POSITIVES, LEAST_WEEKS of them at least.

    counts[i] targets lie on days[i], a number of days that grows.
    """
    if settings.two_tower_weeks or len(days) == 0:
        return settings.two_tower_weeks or LEAST_WEEKS
    before = days[-1] - days - settings.test_days
    weeks = np.maximum(before, 0) // 7
    rows = np.bincount(weeks[before >= 0], weights=counts[before >= 0], minlength=1).cumsum()
    enough = int(np.searchsorted(rows, ENOUGH_POSITIVES)) + 1
    return max(min(enough, len(rows)), LEAST_WEEKS)
