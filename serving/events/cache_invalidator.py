"""Keeps one server up to date with the log: whose features have changed, and what the catalogue says.

Every server follows by itself, so an event that another server took has its effect here as well.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from contracts.errors import TandemError
from contracts.events.interactions import Interaction
from serving.events.consumer import CONSUMER
from serving.events.log import ConsumedLog

POLL_SECONDS = 0.1
RETRY_SECONDS = 1.0
AT_ONCE = 1000

Forget = Callable[[str], None]
"""Drops what is cached of a user."""


def follow(
    steps: Sequence[Callable[[], int]], stop: threading.Event, failed: str = "The event log is not followed"
) -> None:
    """Takes every step until it finds nothing new, again and again until stop is set. failed: said where one fails."""
    while not stop.wait(POLL_SECONDS):
        try:
            for step in steps:
                while step():
                    pass
        except TandemError as error:
            logging.getLogger(__name__).warning("%s: %s", failed, error)
            stop.wait(RETRY_SECONDS)


class Follower:
    """Calls forget for each user whose recent events the consumer has put in place."""

    def __init__(self, interactions: ConsumedLog, forget: Forget) -> None:
        """Begins with the first step: nothing is cached of before."""
        self._log = interactions
        self._forget = forget
        self._seen: int | None = None

    def step(self) -> int:
        """How many events were new here. Raises EventLogError.

        An event is looked at only when the consumer is done with it: an answer made before would be cached without it.
        """
        applied = self._log.position(CONSUMER)
        if self._seen is None or applied <= self._seen:
            self._seen = applied
            return 0
        entries = [entry for entry in self._log.read(self._seen, AT_ONCE) if entry.position <= applied]
        for user_id in {user_id for entry in entries if (user_id := _user_of(entry.payload))}:
            self._forget(user_id)
        self._seen = entries[-1].position if entries else applied
        return len(entries)


def _user_of(payload: str) -> str | None:
    try:
        return Interaction.model_validate_json(payload).user_id
    except ValidationError:  # of another release; the consumer counts it
        return None
