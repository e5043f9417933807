"""Metrics of posted events: their log, their consumer and the live catalogue."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FRESHNESS_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 600.0)


class ConsumerMetrics:
    """What a consumer has done with the log."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._freshness = Histogram(
            "tandem_event_freshness_seconds", "From an event's arrival to its effect on the user's features.",
            buckets=FRESHNESS_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self._lag = Gauge("tandem_event_lag", "Events in the log that have no effect yet.", registry=registry)
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
        """So many events wait."""
        self._lag.set(events)

    def failed(self) -> None:
        """One micro-batch is tried again."""
        self._failures.inc()

    def unreadable(self) -> None:
        """One event was passed over."""
        self._unreadable.inc()

    def crowded_out(self, events: int) -> None:
        """So many events of a user were dropped for later ones."""
        self._crowded_out.inc(events)
