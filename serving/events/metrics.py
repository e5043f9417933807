"""Metrics of posted events: their log, their consumer and the live catalogue."""

from collections import Counter as Tally
from collections.abc import Collection, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from contracts.events.interactions import Interaction
from serving.events.attribution import FollowedLists
from serving.runtime.list_ids import ListIds

UNATTRIBUTED = "unattributed"
"""Variant of an interaction that names no answer, one of no variant that serves here, or one that is not counted."""
FRESHNESS_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 600.0)


class InteractionMetrics:
    """What clients have posted."""

    def __init__(self, registry: CollectorRegistry, list_ids: ListIds) -> None:
        self._list_ids = list_ids
        self._interactions = Counter(
            "tandem_interactions_total", "Interactions accepted, by the variant whose answer they followed.",
            ["variant", "event_type"], registry=registry,
        )  # fmt: skip
        self._followed = Counter(
            "tandem_followed_lists_total", "Lists that an interaction followed, each once by type of event.",
            ["variant", "event_type"], registry=registry,
        )  # fmt: skip
        self._lists = FollowedLists()
        self._refused = Counter(
            "tandem_events_refused_total", "Events posted and not kept: rejected, duplicate, of somebody erased.",
            ["reason"], registry=registry,
        )  # fmt: skip

    def accepted(self, events: Collection[Interaction], variants: Collection[str]) -> None:
        """Counts interactions; variants are those whose answers they can have followed."""
        labelled = [(self._variant_of(event, variants), event.event_type.value) for event in events]
        for labels, count in Tally(labelled).items():
            self._interactions.labels(*labels).inc(count)
        for event, (variant, event_type) in zip(events, labelled, strict=True):
            if event.request_id and variant != UNATTRIBUTED and self._lists.first(event.request_id, event_type):
                self._followed.labels(variant, event_type).inc()

    def _variant_of(self, event: Interaction, variants: Collection[str]) -> str:
        """Of one that serves here: a client must not invent label values."""
        found = self._list_ids.variant(event.request_id, variants) if event.request_id else None
        return found or UNATTRIBUTED

    def refused(self, reason: str, events: int) -> None:
        """Counts "rejected", "duplicate" or "suppressed" events."""
        self._refused.labels(reason).inc(events)


class ConsumerMetrics:
    """What a consumer has done with the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._freshness = Histogram(
            "tandem_event_freshness_seconds", "From an event's arrival to its effect on the user's features.",
            buckets=FRESHNESS_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self._lag = Gauge("tandem_event_lag", "Events in the log that have no effect yet.", registry=registry)
        self._leads = Gauge("tandem_event_consumer_leads", "1 where this consumer applies events.", registry=registry)
        self._skew = Gauge(
            "tandem_event_clock_skew_seconds", "How far the newest event was received after now, by this clock.",
            registry=registry,
        )  # fmt: skip
        self._applied = Counter("tandem_events_applied_total", "Events with their effect in place.", registry=registry)
        self._failures = Counter(
            "tandem_event_consumer_failures_total", "Micro-batches that are tried again.", registry=registry
        )
        self._unreadable = Counter(
            "tandem_events_unreadable_total", "Events in the log that this release cannot read.", registry=registry
        )
        self._crowded_out = Counter(
            "tandem_events_crowded_out_total", "Fresh events beyond what is kept for one user.", registry=registry
        )

    def applied(self, received_seconds: Sequence[float], now: float) -> None:
        """Events that were received at these moments are in place now."""
        self._applied.inc(len(received_seconds))
        for received in received_seconds:
            self._freshness.observe(max(now - received, 0.0))
        self._lag.dec(len(received_seconds))

    def behind(self, events: int) -> None:
        """Sets how many events wait."""
        self._lag.set(events)

    def leads(self, *, is_leading: bool) -> None:
        """Whether this consumer applies events; the others stand by."""
        self._leads.set(is_leading)

    def clock_is_behind(self, seconds: float) -> None:
        """By how much this clock is behind the one that received the newest event."""
        self._skew.set(seconds)

    def failed(self) -> None:
        """One micro-batch is tried again."""
        self._failures.inc()

    def unreadable(self) -> None:
        """One event was passed over."""
        self._unreadable.inc()

    def crowded_out(self, events: int) -> None:
        """Counts events of a user that were dropped for later ones."""
        self._crowded_out.inc(events)


class CatalogueMetrics:
    """What was posted of items."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._recommendable = Histogram(
            "tandem_time_to_recommendable_seconds", "From a posted item's arrival to lists that can hold it, here.",
            buckets=FRESHNESS_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip

        self._unreadable = Counter(
            "tandem_items_unreadable_total", "Changes to items in the log that this release cannot read.",
            registry=registry,
        )  # fmt: skip

        self._refused = Counter(
            "tandem_items_refused_total", "New items that the item tower of a bundle cannot embed: in no list.",
            registry=registry,
        )  # fmt: skip

    def refused(self) -> None:
        """One new item is left out of the lists of a bundle."""
        self._refused.inc()

    def unreadable(self) -> None:
        """One change was passed over."""
        self._unreadable.inc()

    def recommendable(self, received_seconds: Sequence[float], now: float) -> None:
        """Items that were received at these moments can be in lists now."""
        for received in received_seconds:
            self._recommendable.observe(max(now - received, 0.0))
