"""The one online read of a request."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from contracts.errors import TandemError
from contracts.events.schema import UNKNOWN
from contracts.features.encoding import unpacked
from contracts.features.feedback import NOT_INTERESTED_DAYS, hidden_items
from contracts.features.freshness import apply_events, decode_events
from contracts.features.names import (
    BOUGHT_ITEM_IDS,
    BOUGHT_SERVICE,
    COPURCHASE_COUNTS,
    COPURCHASE_ITEM_IDS,
    COPURCHASE_SERVICE,
    HIDDEN_ITEMS,
    ITEM_ID,
    ONLINE_SERVICE,
    RECENT_EVENTS,
    SEQUENCE_ITEM_IDS,
    USER_ID,
    USER_PROFILE,
)
from serving.features.reader import FeatureReader, definitions_of, feature_reader

UserFeatures = dict[str, Any]
"""Feature name to value; None where nothing is known."""


class OnlineStoreError(TandemError):
    """The online store did not answer; the request is answered without it."""

    http_status = 503


class FeatureLookup(Protocol):
    """Where a user's features come from."""

    def user(self, user_id: str) -> UserFeatures | None:
        """The user's features, or None for an unknown user. Raises OnlineStoreError."""
        ...

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """(item id, baskets that held both), most frequent first. Raises OnlineStoreError."""
        ...

    def bought_before(self, user_id: str) -> list[str] | None:
        """Item ids that the user's history may lack; None where the store does not keep them.

        Raises OnlineStoreError.
        """
        ...


class FeastLookup:
    """Reads ONLINE_SERVICE and COPURCHASE_SERVICE, and lays what the user did lately over the features."""

    def __init__(
        self,
        feature_repo: Path,
        seconds: Callable[[], float] = time.time,
        timeout_seconds: float = 0.05,
        not_interested_days: float = NOT_INTERESTED_DAYS,
    ) -> None:
        """Resolves the feature services once: by name it costs 3 ms on every read.

        seconds: the moment of a request. timeout_seconds: of one read.

        Raises MissingArtifact where the definitions have not been applied.
        """
        self._seconds = seconds
        self._not_interested_days = not_interested_days
        with definitions_of(feature_repo, ONLINE_SERVICE) as store:
            self._users = feature_reader(store, ONLINE_SERVICE, USER_ID, timeout_seconds)
            self._companions = feature_reader(store, COPURCHASE_SERVICE, ITEM_ID, timeout_seconds)
            # A store that an earlier release has written lacks this one.
            kept = BOUGHT_SERVICE in {service.name for service in store.list_feature_services()}
            self._bought = feature_reader(store, BOUGHT_SERVICE, USER_ID, timeout_seconds) if kept else None

    def user(self, user_id: str) -> UserFeatures | None:
        """One online read. Raises OnlineStoreError."""
        features = freshened(unpacked(_answered(self._users, user_id)), self._seconds(), self._not_interested_days)
        # A store that knows nothing of a user answers with None values and status PRESENT.
        return features if any(features[name] is not None for name in USER_PROFILE) else None

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """One online read. Raises OnlineStoreError."""
        features = _answered(self._companions, item_id)
        ids, counts = features[COPURCHASE_ITEM_IDS], features[COPURCHASE_COUNTS]
        return list(zip(ids, counts, strict=True)) if ids is not None else []

    def bought_before(self, user_id: str) -> list[str] | None:
        """One online read, where the store keeps them. Raises OnlineStoreError."""
        if self._bought is None:
            return None
        return list(_answered(self._bought, user_id)[BOUGHT_ITEM_IDS] or [])


def _answered(reader: FeatureReader, entity_id: str) -> UserFeatures:
    try:
        return reader.read(entity_id)
    except Exception as error:  # every online store has exceptions of its own; none may become an empty answer
        raise OnlineStoreError(f"The online store did not answer: {type(error).__name__}.") from error


def freshened(
    features: dict[str, Any], seconds: float, not_interested_days: float = NOT_INTERESTED_DAYS
) -> dict[str, Any]:
    """The features as of a moment: ONLINE_SERVICE's come in, SERVING_SERVICE's and HIDDEN_ITEMS go out."""
    recent = decode_events(features.pop(RECENT_EVENTS))
    if not recent:
        return features
    features = apply_events(features, recent, seconds)
    if hidden := hidden_items(recent, seconds, not_interested_days):
        features[HIDDEN_ITEMS] = hidden
    if features[SEQUENCE_ITEM_IDS] is not None:  # nobody has asked a new user for a profile yet
        features |= {name: UNKNOWN for name in USER_PROFILE if features[name] is None}
    return features
