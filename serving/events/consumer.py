"""From the durable log to the online store, in micro-batches: an event changes the next answer of its user.

The position is noted after the rows are in place, and laying the same events over the same row again changes nothing:
each event has its effect once, whenever a process dies. One consumer works at a time, the others stand by.
"""

import logging
import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence

from pydantic import ValidationError

from contracts.errors import TandemError
from contracts.events.interactions import FreshEvent, Interaction, fresh_event
from contracts.features.freshness import MAX_RECENT_EVENTS, merged
from serving.events.log import ConsumedLog, LeaseLost, Logged
from serving.events.metrics import ConsumerMetrics
from serving.features.recent_events import Recent, RecentEvents

CONSUMER = "features"
BATCH_EVENTS = 1000
IDLE_SECONDS = 0.05
LEASE_SECONDS = 10.0
RETRY_SECONDS = 0.5
TRIM_SECONDS = 3600.0


class EventConsumer:
    """Applies the log of interactions to users' recent events."""

    def __init__(
        self, log: ConsumedLog, recent: RecentEvents, metrics: ConsumerMetrics, retention_days: float = 400.0
    ) -> None:
        self._log = log
        self._recent = recent
        self._metrics = metrics
        self._retention_seconds = retention_days * 86_400
        self._holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._leased_until = 0.0
        self._trimmed = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Applies events until stop is set; what fails is counted and tried again."""
        while not stop.is_set():
            try:
                applied = self.step()
                if applied == 0:
                    self._trim()
                    stop.wait(IDLE_SECONDS)
            except LeaseLost:
                self._leased_until = 0.0
            except TandemError as error:
                self._metrics.failed()
                logging.getLogger(__name__).warning("Events wait in the log: %s", error)
                stop.wait(RETRY_SECONDS)

    def step(self) -> int:
        """How many events of one micro-batch are in place now; 0 when there were none or another consumer works.

        Raises LeaseLost, EventLogError or OnlineStoreError; the batch is then read again.
        """
        if not self._leads():
            return 0
        position = self._log.position(CONSUMER)
        entries = self._log.read(position, BATCH_EVENTS)
        self._metrics.behind(self._log.end() - position)
        if not entries:
            return 0
        self._apply(entries)
        self._log.commit(CONSUMER, self._holder, entries[-1].position)
        self._metrics.applied([entry.received_seconds for entry in entries], time.time())
        return len(entries)

    def _leads(self) -> bool:
        """Whether this consumer works; the lease is prolonged at half time, and so never runs out in mid-batch."""
        now = time.monotonic()
        if now < self._leased_until - LEASE_SECONDS / 2:
            return True
        leads = self._log.lease(CONSUMER, self._holder, LEASE_SECONDS)
        self._leased_until = now + LEASE_SECONDS if leads else 0.0
        return leads

    def _apply(self, entries: Sequence[Logged]) -> None:
        by_user = self._by_user(entries)
        if not by_user:
            return
        known = self._recent.read(list(by_user))
        rows = {}
        for user_id, events in by_user.items():
            everything = merged(known[user_id].events, events)
            self._metrics.crowded_out(max(len(everything) - MAX_RECENT_EVENTS, 0))
            rows[user_id] = Recent(everything[-MAX_RECENT_EVENTS:], known[user_id].written_seconds)
        self._recent.write(rows)

    def _by_user(self, entries: Sequence[Logged]) -> dict[str, list[FreshEvent]]:
        by_user: dict[str, list[FreshEvent]] = defaultdict(list)
        for entry in entries:
            try:
                event = Interaction.model_validate_json(entry.payload)
                by_user[event.user_id].append(fresh_event(event))
            except (ValidationError, ValueError):  # of another release; it stays in the log and is counted
                self._metrics.unreadable()
                logging.getLogger(__name__).warning("Event at position %d cannot be read.", entry.position)
        return by_user

    def _trim(self) -> None:
        """Removes what is past its retention, once an hour and only by the consumer that works."""
        if self._leased_until and time.monotonic() - self._trimmed > TRIM_SECONDS:
            self._trimmed = time.monotonic()
            self._log.trim(time.time() - self._retention_seconds, self._log.position(CONSUMER))
