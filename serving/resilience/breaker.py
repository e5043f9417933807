"""Stops asking what fails, and asks again by itself: a failing dependency must not cost every request its wait."""

import time
from collections.abc import Callable
from types import TracebackType

from contracts.errors import TandemError


class BreakerOpen(Exception):
    """The dependency failed a moment ago and is not asked now."""


class HeldUp(TandemError):
    """A failure that kept every other request waiting: one is enough to leave the dependency alone."""

    def __init__(self, message: str, seconds: float) -> None:
        """seconds: how long it is left alone."""
        super().__init__(message)
        self.seconds = seconds


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
        self._subject = ""
        self._failures = 0
        self._next_try = 0.0
        self._open = False

    def guard(self, subject: str = "") -> "Guarded":
        """Lets a block run and notes whether it failed. Raises BreakerOpen instead of running it while open.

        subject: whose the part is, such as a bundle's: what one bundle failed says nothing of another.
        """
        return Guarded(self, subject)

    def require_closed(self, subject: str) -> None:
        """Raises BreakerOpen where the subject has failed so lately that it is not asked."""
        if self._open and subject == self._subject and self._seconds() < self._next_try:
            raise BreakerOpen

    def failed(self, subject: str, held_up_seconds: float) -> None:
        """Counts a failure; one that held up others for so long opens at once."""
        self._failures = self._failures + 1 if subject == self._subject else 1
        self._subject = subject
        if held_up_seconds or self._failures >= self._allowed_failures:
            self._next_try = self._seconds() + max(self._retry_seconds, held_up_seconds)
            self._turn(is_open=True)
        else:
            self._turn(is_open=False)  # it was open for another subject

    def worked(self, subject: str) -> None:
        """Ends the failures of a subject.

        Another subject that works ends what nobody has asked again for one that failed: it serves no more.
        """
        if subject == self._subject or self._seconds() >= self._next_try + self._retry_seconds:
            self._failures = 0
            self._turn(is_open=False)

    def _turn(self, *, is_open: bool) -> None:
        if self._open != is_open:
            self._open = is_open
            self._changed(is_open)


class Guarded:
    """A block under a breaker. Each list has four; as a generator, each would take three times as long."""

    __slots__ = ("_breaker", "_subject")

    def __init__(self, breaker: Breaker, subject: str) -> None:
        self._breaker = breaker
        self._subject = subject

    def __enter__(self) -> None:
        self._breaker.require_closed(self._subject)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._breaker.worked(self._subject)
        elif isinstance(error, Exception):
            self._breaker.failed(self._subject, error.seconds if isinstance(error, HeldUp) else 0.0)
