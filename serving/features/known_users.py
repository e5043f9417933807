"""What is known of a user now, or was known a while ago."""

from dataclasses import dataclass

from contracts.api.answers import Reason
from serving.features.lookup import FeatureLookup, OnlineStoreError, UserFeatures
from serving.features.remembered import RememberedFeatures
from serving.metrics import Metrics


@dataclass(frozen=True)
class LookedUp:
    """Features of a user, and the reason where they are not current."""

    features: UserFeatures | None
    reason: Reason | None = None


class KnownUsers:
    """Reads the online store; while it does not answer, remembers what it said last."""

    def __init__(self, lookup: FeatureLookup, metrics: Metrics, remembered: RememberedFeatures) -> None:
        self._lookup = lookup
        self._metrics = metrics
        self._remembered = remembered

    def known(self, user_id: str) -> LookedUp:
        """The best that can be known of a user."""
        try:
            with self._metrics.stage("features"):
                features = self._lookup.user(user_id)
        except OnlineStoreError:
            return LookedUp(self._remembered.recall(user_id), Reason.ONLINE_STORE)
        if features is None:
            return LookedUp(None, Reason.UNKNOWN_USER)
        self._remembered.keep(user_id, features)
        return LookedUp(features)

    def bought_before(self, user_id: str) -> list[str] | None:
        """Item ids that the user's history may lack; None where they are not kept. Raises OnlineStoreError."""
        with self._metrics.stage("features"):
            return self._lookup.bought_before(user_id)
