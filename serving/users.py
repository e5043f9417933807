"""What is known of a user, for pages that show it."""

from datetime import UTC, datetime

from contracts.api.answers import HiddenItem, History, PurchasedItem
from contracts.errors import InvalidInput
from contracts.features.names import HIDDEN_ITEMS
from serving.bundles.release import Releases
from serving.features.lookup import FeatureLookup, UserFeatures
from serving.metrics import Metrics
from serving.recommendation.query import history_in


class UnknownUser(InvalidInput):
    """A user id without any features, where an answer needs some."""

    http_status = 404


class Users:
    """Reads users from the online store; there is no fallback, an error says that it did not answer."""

    def __init__(self, releases: Releases, lookup: FeatureLookup, metrics: Metrics) -> None:
        self._releases = releases
        self._lookup = lookup
        self._metrics = metrics

    def features(self, user_id: str) -> UserFeatures:
        """The user's features. Raises UnknownUser or OnlineStoreError."""
        with self._metrics.stage("features"):
            features = self._lookup.user(user_id)
        if features is None:
            raise UnknownUser(f"User {user_id!r} is not in the online store. Ids are as the event log has them.")
        return features

    def history(self, user_id: str, n: int) -> History:
        """The user's n latest distinct purchases. Raises UnknownUser or OnlineStoreError."""
        bundle = self._releases.assigned(user_id).bundle
        features = self.features(user_id)
        history = history_in(bundle, features)
        items = [
            PurchasedItem(
                item_id=bundle.item_ids[row],
                title=bundle.titles[row],
                department=bundle.departments[row],
                count=int(history.counts[at]),
                last_purchased_at=datetime.fromtimestamp(history.last[at], UTC).isoformat(),
            )
            for at, row in enumerate(history.item_rows[:n])
        ]
        hidden = [
            HiddenItem(item_id=item, until=datetime.fromtimestamp(until, UTC).isoformat() if until else None)
            for item, until in features.get(HIDDEN_ITEMS, {}).items()
        ]
        return History(user_id=user_id, items=items, hidden=hidden)
