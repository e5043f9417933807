"""Which moments the pipeline looks at: end of data, training cutoff, label windows and feature snapshots."""

from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS, HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from training.settings import FeatureSettings

LEAST_WEEKS = 26
"""Of the towers' history, where neither the settings nor the log ask for more; a shorter log is taken whole."""
WARM_UP_DAYS = 7  # of history before the first positive of the towers


class Timeline(BaseModel):
    """Moments as Unix seconds, UTC.

    data_end is the local midnight after the last event. The test window is [cutoff, data_end). Each ranker window is
    one more test_days back from the cutoff; its label is what was bought in it, its features are as of its start.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: str
    target: EventType = EventType.PURCHASE
    data_end: int
    cutoff: int
    ranker_starts: tuple[int, ...]  # oldest first; window i is [ranker_starts[i], ranker_starts[i + 1] or cutoff)
    two_tower_start: int  # positives of the towers begin here
    snapshots: tuple[int, ...]  # statistics and sequences, oldest first, data_end last
    history_snapshots: tuple[int, ...]  # full histories: where the ranker or the server needs them

    @property
    def ranker_windows(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each label window, oldest first."""
        ends = (*self.ranker_starts[1:], self.cutoff)
        return tuple(zip(self.ranker_starts, ends, strict=True))

    def at_end(self) -> "Timeline":
        """The same log without windows: what a server reads is as of the end of the data."""
        end = (self.data_end,)
        return self.model_copy(update={"ranker_starts": (), "snapshots": end, "history_snapshots": end})

    def write(self, path: Path) -> None:
        """Writes the timeline as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Timeline":
        """What `write` wrote."""
        return cls.model_validate_json(path.read_text())


def _what_fits(days: int, windows: int) -> str:
    """The longest windows that a log of this length allows, in words."""

    def longest(windows: int) -> int:
        long = days // (windows + 2)  # the windows, the test window, and as much history as the test window is long
        return long if long >= 2 * WARM_UP_DAYS else max((days - 2 * WARM_UP_DAYS) // (windows + 1), 0)

    fitting = {several: longest(several) for several in (windows, 1) if longest(several)}
    if not fitting:
        return f"At least {2 * WARM_UP_DAYS + 2} days are needed, with `features: {{test_days: 1, ranker_windows: 1}}`."
    choices = [f"`features: {{test_days: {long}, ranker_windows: {several}}}`" for several, long in fitting.items()]
    return f"In params.yaml {' or '.join(choices)} would fit."


def history_days(settings: FeatureSettings) -> int:
    """Days before the first label window that a log must have."""
    return max(settings.test_days, 2 * WARM_UP_DAYS)


def plan_timeline(first: datetime, last: datetime, time_zone: str, settings: FeatureSettings) -> Timeline:
    """Moments for events between first and last (both with a zone).

    Raises DataRejected when the log is too short for the asked windows.
    """
    zone = ZoneInfo(time_zone)
    end_day = (last.astimezone(zone) + timedelta(days=1)).date()
    end = datetime.combine(end_day, time(), zone)

    def days_before_end(days: int) -> int:
        """Local midnights, so that a window never starts at 23:00 or 1:00 across a daylight-saving change."""
        return int(datetime.combine(end_day - timedelta(days=days), time(), zone).timestamp())

    test = settings.test_days
    first_window = test * (settings.ranker_windows + 1)
    tower_start = test + 7 * (settings.two_tower_weeks or LEAST_WEEKS)
    history = history_days(settings)
    if first > end - timedelta(days=first_window + history):
        raise DataRejected(
            f"The log spans {(last - first).days} days, and {first_window + history} are needed: "
            f"{settings.ranker_windows} x {test} of label windows, {test} of the test window and {history} of history. "
            f"{_what_fits((end - first).days, settings.ranker_windows)}"
        )
    if tower_start <= first_window:
        raise InvalidInput(
            f"features.two_tower_weeks is {settings.two_tower_weeks}: the towers would learn only from days that "
            f"label the ranker. More than {first_window - test} days before the cutoff are needed."
        )
    reach = max(tower_start, first_window)
    grid = {days_before_end(days) for days in range(0, reach + 1, settings.snapshot_every_days)}
    windows = tuple(days_before_end(test * (i + 1)) for i in range(settings.ranker_windows, 0, -1))
    moments = {*windows, days_before_end(test), days_before_end(0)}
    earliest = int(first.timestamp())
    return Timeline(
        time_zone=time_zone,
        target=settings.target,
        data_end=days_before_end(0),
        cutoff=days_before_end(test),
        ranker_starts=windows,
        two_tower_start=max(days_before_end(tower_start), earliest + WARM_UP_DAYS * DAY_SECONDS),
        snapshots=tuple(sorted(moment for moment in grid | moments if moment > earliest)),
        history_snapshots=tuple(sorted(moments)),
    )


def local_context(
    seconds: npt.NDArray[np.int64], time_zone: str
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """([n] hour 0..23, [n] weekday 0..6 from Monday) of Unix seconds in the shop's time zone."""
    zone = ZoneInfo(time_zone)
    # Offsets are multiples of a quarter of an hour and change at one, so each distinct quarter is converted once.
    quarters, inverse = np.unique(seconds // 900, return_inverse=True)
    moments = [datetime.fromtimestamp(int(quarter) * 900, zone) for quarter in quarters]
    hour = np.array([moment.hour for moment in moments], dtype=np.int32)[inverse]
    weekday = np.array([moment.weekday() for moment in moments], dtype=np.int32)[inverse]
    return hour, weekday


def unknown_context(rows: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """([rows] hour, [rows] weekday) of a list that is meant for the coming weeks, not for one visit."""
    return np.full(rows, HOUR_UNKNOWN, np.int32), np.full(rows, WEEKDAY_UNKNOWN, np.int32)
