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
from collections.abc import Callable, Sequence
from contextlib import suppress

from pydantic import ValidationError

from contracts.erasure.suppression import IsErased, nobody
from contracts.errors import TandemError
from contracts.events.interactions import FreshEvent, Interaction, fresh_event
from contracts.features.feedback import FEEDBACK_TYPES, bounded
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
TRIM_SHARE = 0.05
"""Of the log, at most this in one pass; a log of 400 days has 0.01 % that is too old each hour."""
TRIM_LEAST = 1000
QUIET_SECONDS = 86_400.0
"""Without an event for longer than this, time is taken to stand still: a clock that is ahead looks the same."""
LOOK_SECONDS = 1.0
SKEW_SECONDS = 60.0


class EventConsumer:
    """Applies the log of interactions to users' recent events."""

    def __init__(
        self,
        log: ConsumedLog,
        recent: RecentEvents,
        metrics: ConsumerMetrics,
        retention_days: float = 400.0,
        is_erased: IsErased = nobody,
        erase_online: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """is_erased: users whose events have no effect. erase_online: removes a user's row of the online store."""
        self._log = log
        self._recent = recent
        self._metrics = metrics
        self._retention_seconds = retention_days * 86_400
        self._is_erased = is_erased
        self._erase_online = erase_online
        self._holder = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._leased_until = 0.0
        self._trimmed = time.monotonic()
        self._looked = -LOOK_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Applies events until stop is set; what fails is counted and tried again. The lease is given back."""
        try:
            self._run(stop)
        finally:
            with suppress(TandemError):  # a log that does not answer now lets the lease run out
                self._log.release(CONSUMER, self._holder)

    def _run(self, stop: threading.Event) -> None:
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
            self._look()
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
        self._metrics.leads(is_leading=leads)
        self._leased_until = now + LEASE_SECONDS if leads else 0.0
        return leads

    def _look(self) -> None:
        """Measures, now and then, how far the working consumer is behind: it may have stopped."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._metrics.behind(self._log.end() - self._log.position(CONSUMER))

    def _apply(self, entries: Sequence[Logged]) -> None:
        by_user = self._by_user(entries)
        if not by_user:
            return
        known = self._recent.read(list(by_user))
        rows = {}
        for user_id, events in by_user.items():
            everything = merged(known[user_id].events, events)
            kept = bounded(everything, MAX_RECENT_EVENTS)
            self._metrics.crowded_out(_crowded_out(everything, kept))
            rows[user_id] = Recent(kept, known[user_id].written_seconds)
        self._recent.write(rows)
        for user_id in filter(self._is_erased, rows):  # while the row was being written
            self._erase_online(user_id)

    def _by_user(self, entries: Sequence[Logged]) -> dict[str, list[FreshEvent]]:
        by_user: dict[str, list[FreshEvent]] = defaultdict(list)
        for entry in entries:
            try:
                event = Interaction.model_validate_json(entry.payload)
                if self._is_erased(event.user_id):
                    continue
                by_user[event.user_id].append(fresh_event(event))
            except (ValidationError, ValueError):  # of another release; it stays in the log and is counted
                self._metrics.unreadable()
                logging.getLogger(__name__).warning("Event at position %d cannot be read.", entry.position)
        return by_user

    def _trim(self) -> None:
        """Removes what is past its retention, once an hour and only by the consumer that works."""
        if self._leased_until and time.monotonic() - self._trimmed > TRIM_SECONDS:
            self._trimmed = time.monotonic()
            self._remove_old(time.time())

    def _remove_old(self, now: float) -> None:
        """Old is what is far before the newest entry and before now, so that a clock that is ahead removes nothing.

        Where entries of such a clock are in the log, one pass removes TRIM_SHARE of it at most, and says so.
        """
        first, end = self._log.read(0, 1), self._log.end()
        newest = self._log.read(end - 1, 1)
        if not first or not newest:
            return
        skew = newest[0].received_seconds - now
        self._metrics.clock_is_behind(max(skew, 0.0))
        if skew > SKEW_SECONDS:
            logging.getLogger(__name__).warning(
                "The newest event was received %.0f seconds from now: this clock is behind, or another was ahead.", skew
            )
        before = min(now, newest[0].received_seconds + QUIET_SECONDS) - self._retention_seconds
        most = first[0].position + max(TRIM_LEAST, int(TRIM_SHARE * (end - first[0].position)))
        removed = self._log.trim(before, min(self._log.position(CONSUMER), most))
        if removed > TRIM_LEAST and removed >= most - first[0].position:
            logging.getLogger(__name__).warning(
                "%d events were removed as too old, as many as one pass may: is the clock right?", removed
            )


def _crowded_out(everything: Sequence[FreshEvent], kept: Sequence[FreshEvent]) -> int:
    """Events that are lost for good; feedback that a later one has replaced is not."""
    lost = len(everything) - len(kept)
    replaced = sum(event.event_type in FEEDBACK_TYPES for event in everything)
    return lost - (replaced - sum(event.event_type in FEEDBACK_TYPES for event in kept))
