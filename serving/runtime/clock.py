"""What "now" is for features of time."""

import time
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.features.names import HOUR_UNKNOWN, WEEKDAY_UNKNOWN

Now = Callable[[], tuple[float, int, int]]
"""(Unix seconds, local hour or HOUR_UNKNOWN, local weekday or WEEKDAY_UNKNOWN)."""


def wall_clock(time_zone: str) -> Now:
    """Now, with hour and weekday in the shop's time zone."""
    zone = ZoneInfo(time_zone)

    def now() -> tuple[float, int, int]:
        seconds = time.time()
        local = datetime.fromtimestamp(seconds, zone)
        return seconds, local.hour, local.weekday()

    return now


def frozen_clock(seconds: float) -> Now:
    """Always the same moment, without a visit's hour: historical data, shown as it was on its last day."""
    return lambda: (seconds, HOUR_UNKNOWN, WEEKDAY_UNKNOWN)
