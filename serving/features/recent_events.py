"""Recent events in Feast's online store: one row a user, written by the consumer and by nobody else."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

import pandas as pd

from contracts.events.interactions import FreshEvent
from contracts.features.freshness import decode_events, encode_events
from contracts.features.names import EVENT_TIMESTAMP, RECENT_EVENTS, RECENT_EVENTS_VIEW, RECENT_SERVICE, USER_ID
from serving.features.lookup import OnlineStoreError
from serving.features.reader import definitions_of


class Recent(NamedTuple):
    """A user's recent events, and the second at which the store says they were written."""

    events: list[FreshEvent]
    written_seconds: int  # 0 for a user without a row


class RecentEvents(Protocol):
    """Where a consumer keeps users' recent events."""

    def read(self, user_ids: Sequence[str]) -> dict[str, Recent]:
        """Each user's. Raises OnlineStoreError."""
        ...

    def write(self, recent: Mapping[str, Recent]) -> None:
        """Replaces each user's; written_seconds is of what is replaced. Raises OnlineStoreError."""
        ...


class FeastRecentEvents:
    """Rows of RECENT_EVENTS_VIEW."""

    def __init__(self, feature_repo: Path) -> None:
        """Raises MissingArtifact where the definitions have not been applied."""
        with definitions_of(feature_repo, RECENT_SERVICE) as self._store:
            self._service = self._store.get_feature_service(RECENT_SERVICE)

    def read(self, user_ids: Sequence[str]) -> dict[str, Recent]:
        """One read for all users. Raises OnlineStoreError."""
        rows = [{USER_ID: user_id} for user_id in user_ids]
        try:
            found = self._store.get_online_features(features=self._service, entity_rows=rows)
            columns = found.to_dict(include_event_timestamps=True)
        except Exception as error:  # every online store has exceptions of its own
            raise OnlineStoreError(f"The online store did not answer: {type(error).__name__}.") from error
        moments = columns[f"{RECENT_EVENTS}__ts"]
        return {
            user_id: Recent(decode_events(text), int(moment))
            for user_id, text, moment in zip(columns[USER_ID], columns[RECENT_EVENTS], moments, strict=True)
        }

    def write(self, recent: Mapping[str, Recent]) -> None:
        """One write for all users: 4 ms for one, 30 ms for a thousand. Raises OnlineStoreError.

        Feast's Redis store skips a row whose timestamp is not later than the one it has, and keeps whole seconds only.
        """
        now = datetime.now(UTC)
        earliest = [datetime.fromtimestamp(row.written_seconds, UTC) + timedelta(seconds=1) for row in recent.values()]
        frame = pd.DataFrame(
            {
                USER_ID: list(recent),
                RECENT_EVENTS: [encode_events(row.events) for row in recent.values()],
                EVENT_TIMESTAMP: [max(now, moment) for moment in earliest],
            }
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Feast's advice on its own experimental parts
                self._store.write_to_online_store(RECENT_EVENTS_VIEW, frame)
        except Exception as error:  # every online store has exceptions of its own
            raise OnlineStoreError(f"The online store could not be written: {type(error).__name__}.") from error
