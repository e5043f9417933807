"""How much one caller may ask for a second, so that some do not slow down all the others."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contracts.api.records import SLOT_HEADER
from contracts.errors import TandemError
from serving.runtime.bounded import BoundedDict

CALLERS: Final = 20_000
"""Callers that are remembered at the same time; a forgotten caller starts with a full bucket."""
FORCED: Final = "in a forced slot"
"""The one caller that all are together who force a slot without a key: else strangers slow down a canary alone."""
FORCED_SHARE: Final = 8
"""The number of parts into which a caller's lists in flight are divided for that one; single lists of a test pass."""


class TooManyRequests(TandemError):
    """A caller that has used up what it may ask for now."""

    http_status = 429

    def __init__(self, text: str, retry_seconds: int) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


@dataclass
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """A token bucket for each caller: `burst` lists at once, and then `per_second`."""

    def __init__(self, per_second: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._now = now
        self._buckets: BoundedDict[str, _Bucket] = BoundedDict(CALLERS)

    def charge(self, caller: str, lists: float, before: float = 0) -> None:
        """Takes what is asked for off the caller's tokens. Raises TooManyRequests where there are too few.

        before: what the same request was charged for already. More than a burst in one request empties the bucket and
        more: it is answered once the bucket is full, and then waited for.
        """
        now = self._now()
        bucket = self._buckets.get(caller) or _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[caller] = bucket
        needed = min(lists, self._burst - before)
        if bucket.tokens < needed:
            seconds = math.ceil((needed - bucket.tokens) / self._per_second)
            raise TooManyRequests(
                f"Too many lists are asked for, or events sent: {self._per_second:g} a second for one caller, and "
                f"{self._burst:g} at once. Try again in {seconds} s.",
                seconds,
            )
        bucket.tokens -= lists


class InFlight:
    """Lists that are being made for each caller right now."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, float] = {}

    def take(self, caller: str, lists: float) -> None:
        """Counts these in until they are given back. Raises TooManyRequests beyond the limit.

        A caller that waits for nothing may ask for more than the limit in one request, but not for a forced slot.
        """
        held = self._held.get(caller, 0)
        if caller == FORCED:
            if held + lists > (most := max(1, self._most // FORCED_SHARE)):
                raise TooManyRequests(
                    f"Without a key, {most} lists at once are made in slots that {SLOT_HEADER} forces, for all callers "
                    "together. Ask without the header, or with a key.",
                    1,
                )
        elif held and held + lists > self._most:
            raise TooManyRequests(
                f"{held:g} lists are being made for this caller, and {self._most} may be at once. "
                "Wait for their answers before asking for more.",
                1,
            )
        self._held[caller] = held + lists

    def give_back(self, caller: str, lists: float) -> None:
        """The lists are answered, or nobody waits for them any more."""
        left = self._held.get(caller, 0) - lists
        if left > 0:
            self._held[caller] = left
        else:
            self._held.pop(caller, None)
