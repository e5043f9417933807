"""Stops asking what fails, and asks again by itself: a failing dependency must not cost every request its wait."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class BreakerOpen(Exception):
    """The dependency failed a moment ago and is not asked now."""


class Breaker:
    """Opens after the given number of failures in a row; then one call each retry_seconds tries whether it works again.

    For one thread. An own class because the packages for it count per call site, wrap functions and lock; this is less.
    """

    def __init__(
        self,
        failures: int,
        retry_seconds: float,
        changed: Callable[[bool], None] = lambda is_open: None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """changed: called with whether it is open, whenever that changes."""
        self._allowed_failures = failures
        self._retry_seconds = retry_seconds
        self._changed = changed
        self._seconds = seconds
        self._failures = 0
        self._next_try = 0.0
        self._open = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Lets the block run and notes whether it failed. Raises BreakerOpen instead of running it while open."""
        if self._open and self._seconds() < self._next_try:
            raise BreakerOpen
        try:
            yield
        except Exception:
            self._failed()
            raise
        self._worked()

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._allowed_failures:
            self._next_try = self._seconds() + self._retry_seconds
            self._turn(is_open=True)

    def _worked(self) -> None:
        self._failures = 0
        self._turn(is_open=False)

    def _turn(self, *, is_open: bool) -> None:
        if self._open != is_open:
            self._open = is_open
            self._changed(is_open)
