"""Answers kept for a moment. Off unless TANDEM_CACHE_SECONDS is set.

The staleness rule: an answer is given again for at most max_age_seconds, to the same request, from the same snapshot of
the bundle and the same rules, and never across an event of the user that was posted to this server: then the user's
answers are dropped, and none is kept until the event has had time to reach the features. An event posted to another
server is not seen here; there max_age_seconds is the bound. Only answers of the full path are kept.
"""

import hashlib
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from contracts.api.answers import DegradedLevel, Recommendations
from serving.bundles.bundle import LoadedBundle
from serving.recommendation.scope import RequestScope
from serving.rules.compile import CompiledRules
from serving.runtime.bounded import BoundedDict

SETTLE_SECONDS: Final = 5.0
"""An event is in the user's features after 2 s at most; what is computed before must not be kept."""
MAX_FORGOTTEN: Final = 1_000_000
"""Users whose last event is remembered: 100 MB at most, and more than any cached answer lives to see."""
LIST_BYTES: Final = 5_000
"""Of memory, for one list without items: its features, its key and what holds them, as measured."""
ITEM_BYTES: Final = 1_150
REASON_BYTES: Final = 2_100
"""For the explanation of an item."""
KEY_BYTES: Final = 16
Key = tuple[str, bytes]
"""The user, and a digest of what else makes two requests the same: what a caller writes must not be kept as it is."""


@dataclass(frozen=True)
class CachedAnswer:
    """An answer with the features it was made from, as the impression log wants them."""

    answer: Recommendations
    features: Mapping[str, float | str]
    propensities: list[float] = field(default_factory=list)  # of the items, where some were left to chance


class Cache(Protocol):
    """Answers that may be given again."""

    def get(self, scope: RequestScope) -> CachedAnswer | None:
        """The answer to this request, or None."""
        ...

    def keep(self, scope: RequestScope, given: CachedAnswer) -> None:
        """Keeps an answer."""
        ...

    def forget(self, user_id: str) -> None:
        """The user did something."""
        ...

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """How many lists of chosen users are held no more; nothing of the users is."""
        ...


class NoCache:
    """A cache that keeps nothing."""

    def get(self, scope: RequestScope) -> CachedAnswer | None:
        """None."""
        return None

    def keep(self, scope: RequestScope, given: CachedAnswer) -> None:
        """Nothing."""

    def forget(self, user_id: str) -> None:
        """Nothing."""

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """0."""
        return 0


@dataclass(frozen=True)
class _Kept:
    given: CachedAnswer
    bytes: int
    kept_at: float
    bundle: "weakref.ref[LoadedBundle]"  # a bundle that was swapped out is not held in memory by its answers
    rules: CompiledRules


class AnswerCache:
    """The lists of the users who were answered last."""

    def __init__(
        self,
        max_bytes: int,
        max_age_seconds: float,
        asked: Callable[[str], None] = lambda outcome: None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """max_bytes: of all lists together, as `weight` has them. asked: called with "hit" or "miss" each time."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()  # an erasure comes from another thread
        self._max_age_seconds = max_age_seconds
        self._asked = asked
        self._seconds = seconds
        self._lists: OrderedDict[Key, _Kept] = OrderedDict()  # the one that was kept longest first
        self._forgotten: BoundedDict[str, float] = BoundedDict(MAX_FORGOTTEN)

    def get(self, scope: RequestScope) -> CachedAnswer | None:
        """The answer to this request, or None."""
        kept = self._lists.get(_key(scope))
        given = kept.given if kept is not None and self._holds(kept, scope) else None
        self._asked("miss" if given is None else "hit")
        return given

    def keep(self, scope: RequestScope, given: CachedAnswer) -> None:
        """Keeps an answer of the full path; those that were kept longest make room."""
        now, key = self._seconds(), _key(scope)
        settled = now >= self._forgotten.get(scope.request.user_id, -SETTLE_SECONDS) + SETTLE_SECONDS
        if given.answer.degraded_level is not DegradedLevel.FULL or not settled:
            return
        kept = _Kept(given, weight(given), now, weakref.ref(scope.bundle), scope.rules)
        with self._lock:
            self._drop(key)
            self._lists[key] = kept
            self._bytes += kept.bytes
            while self._bytes > self._max_bytes:
                self._bytes -= self._lists.popitem(last=False)[1].bytes

    def forget(self, user_id: str) -> None:
        """What was made for this user before is not given again."""
        self._forgotten[user_id] = self._seconds()

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """How many lists of chosen users are held no more; nothing of the users is."""
        for user_id in [one for one in list(self._forgotten) if chosen(one)]:
            self._forgotten.pop(user_id, None)
        with self._lock:
            return sum(self._drop(key) for key in list(self._lists) if chosen(key[0]))

    def _drop(self, key: Key) -> bool:
        """Whether it was there. The lock must be held."""
        dropped = self._lists.pop(key, None)
        self._bytes -= dropped.bytes if dropped else 0
        return dropped is not None

    def _holds(self, kept: _Kept, scope: RequestScope) -> bool:
        age = self._seconds() - kept.kept_at
        forgotten = self._forgotten.get(scope.request.user_id, kept.kept_at - 1.0) >= kept.kept_at
        same = kept.bundle() is scope.bundle and kept.rules is scope.rules
        return same and age <= self._max_age_seconds and not forgotten


def weight(given: CachedAnswer) -> int:
    """Bytes of memory that a kept answer takes, about."""
    items, token = given.answer.items, given.answer.next_page or ""
    is_explained = bool(items) and items[0].explanation is not None
    return LIST_BYTES + len(items) * (ITEM_BYTES + is_explained * REASON_BYTES) + len(token)


def _key(scope: RequestScope) -> Key:
    request = scope.request
    options = request.model_dump_json(exclude_defaults=True, exclude={"user_id"})
    rules = tuple(rule.name for rule in scope.active)
    text = f"{scope.assigned.variant!r}{rules!r}{options}"
    return request.user_id, hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()
