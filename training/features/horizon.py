"""How far back models learn from, where the settings do not say: the towers by weeks, the ranker by label windows."""

from typing import Final

import numpy as np
import numpy.typing as npt

from training.settings import FeatureSettings
from training.timeline import LEAST_WEEKS, history_days

ENOUGH_POSITIVES: Final = 500_000
"""Beyond them, older weeks cost time and say little more of today's tastes."""
ENOUGH_LISTS: Final = 1_000
"""Of users with a target, over all label windows; the ranker learns from a list of each."""
FEWEST_WINDOWS: Final = 3
MOST_WINDOWS: Final = 13
"""A year of 28 days each: what was bought before says little of what is bought now."""


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


def label_windows(settings: FeatureSettings, weeks: int, days: int, users: npt.NDArray[np.int64]) -> int:
    """The setting, else as many windows as hold ENOUGH_LISTS, FEWEST_WINDOWS at least; fewer where the log is short.

    weeks: of the towers, which keep half of them. days: from the first event to the last. users[i]: with a target in
    window i, the one before the test window first.
    """
    if settings.ranker_windows:
        return settings.ranker_windows
    enough = int(np.searchsorted(users.cumsum(), ENOUGH_LISTS)) + 1
    fitting = (days + 1 - history_days(settings)) // settings.test_days - 1
    most = min(MOST_WINDOWS, max(7 * weeks // settings.test_days // 2, FEWEST_WINDOWS), fitting)
    return max(min(max(enough, FEWEST_WINDOWS), most), 1)
