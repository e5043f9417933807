"""A feature lookup behind a circuit breaker."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.api.answers import Reason
from serving.features.lookup import FeatureLookup, OnlineStoreError, UserFeatures
from serving.resilience.circuit_breakers import CircuitBreakers, PartFailed


class GuardedLookup:
    """A lookup that is not asked while it fails: a store that hangs must not cost every request its time limit."""

    def __init__(self, lookup: FeatureLookup, guard: CircuitBreakers) -> None:
        self._lookup = lookup
        self._guard = guard

    def user(self, user_id: str) -> UserFeatures | None:
        """As the lookup says. Raises OnlineStoreError."""
        with self._answered():
            return self._lookup.user(user_id)

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """As the lookup says. Raises OnlineStoreError."""
        with self._answered():
            return self._lookup.companions(item_id)

    def bought_before(self, user_id: str) -> list[str] | None:
        """As the lookup says. Raises OnlineStoreError."""
        with self._answered():
            return self._lookup.bought_before(user_id)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            with self._guard.part(Reason.ONLINE_STORE):
                yield
        except PartFailed as failed:
            raise OnlineStoreError("The online store does not answer; it is tried again every second.") from failed
