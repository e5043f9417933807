"""Whether a bundle that serves can answer: what share of the lists that its models were asked for they failed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from contracts.api.answers import DegradedLevel, Reason, Recommendations

LEAST: Final = 20
"""Lists in a window, before a share of them says anything."""
PARTS: Final = (Reason.QUERY_TOWER, Reason.INDEX, Reason.RANKER)


class Outcome(Enum):
    """What a bundle did for one list."""

    ANSWERED = "answered"
    LACKING = "lacking"  # a model failed, and the list was made without it
    RAISED = "raised"  # there is no list
    UNWRITTEN = "unwritten"  # a list that was counted as answered cannot be written: there is none after all


def outcome_of(answer: Recommendations) -> Outcome | None:
    """The outcome; None where no model was asked, as for an unknown user or without a store."""
    if answer.degraded_reason in PARTS:
        return Outcome.LACKING
    models_answered = answer.degraded_level in (DegradedLevel.FULL, DegradedLevel.REMEMBERED)
    return Outcome.ANSWERED if models_answered else None


@dataclass
class _Window:
    began: float
    answered: int = 0
    lacking: int = 0
    raised: int = 0

    @property
    def lists(self) -> int:
        return self.answered + self.lacking + self.raised


@dataclass(frozen=True)
class Failure:
    """What a bundle that fails did in one window."""

    lists: int
    lacking: int
    raised: int
    answers_nothing: bool  # most lists were not made at all

    def __str__(self) -> str:
        made = f"{self.lacking} were made without a model that failed and {self.raised} were not made"
        return f"of {self.lists} lists {made}"


class BundleHealth:
    """Counts outcomes by version in windows of time; one thread counts requests, another one reads."""

    def __init__(
        self, share: float = 0.5, window_seconds: float = 60.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        """share: a bundle fails if it fails at least this share of the lists in a window; 0: never."""
        self._share = share
        self._window_seconds = window_seconds
        self._now = now
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def count(self, version: str, outcome: Outcome) -> None:
        """One list of a bundle."""
        with self._lock:
            window = self._current(version) or _Window(self._now())
            self._windows[version] = window
            if outcome is Outcome.UNWRITTEN:
                window.answered, outcome = max(0, window.answered - 1), Outcome.RAISED
            setattr(window, outcome.value, getattr(window, outcome.value) + 1)

    def failure(self, version: str) -> Failure | None:
        """What the bundle failed to do in the window of now, or None where it answers, or too few have asked."""
        with self._lock:
            window = self._current(version)
            if window is None or self._share == 0 or window.lists < LEAST:
                return None
            if window.lacking + window.raised < self._share * window.lists:
                return None
            nothing = window.raised >= self._share * window.lists
            return Failure(window.lists, window.lacking, window.raised, nothing)

    def forget(self, version: str) -> None:
        """Begins anew with this bundle."""
        with self._lock:
            self._windows.pop(version, None)

    def _current(self, version: str) -> _Window | None:
        window = self._windows.get(version)
        return window if window is not None and self._now() - window.began < self._window_seconds else None
