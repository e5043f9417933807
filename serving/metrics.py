"""Every metric of the server. Labels have few values; ids never are labels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, Info

STAGE_BUCKETS_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""0.25 ms to 100 ms; KServe's own histograms begin at 5 ms, above most stages."""


class Metrics:
    """Collectors on one registry, which tests bring along."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stage = Histogram(
            "tandem_stage_seconds", "Time in one stage of an answer.", ["stage"],
            buckets=STAGE_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self._requests = Counter(
            "tandem_http_requests_total", "Requests answered, by route and status.", ["route", "status"],
            registry=registry,
        )  # fmt: skip
        self._degraded = Counter(
            "tandem_degraded_answers_total", "Answers below the full path.", ["level", "reason"], registry=registry
        )
        self._impressions = Counter(
            "tandem_impressions_total", "Lists written to the impression log, or lost.", ["outcome"], registry=registry
        )
        self._bundle = Info("tandem_bundle", "The bundle that serves.", registry=registry)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block as one stage; also when it fails, a slow failure counts."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage.labels(name).observe(time.perf_counter() - started)

    def answered(self, route: str, status: int) -> None:
        """One HTTP request by route template and status."""
        self._requests.labels(route, str(status)).inc()

    def degraded(self, level: str, reason: str) -> None:
        """One answer below the full path."""
        self._degraded.labels(level, reason).inc()

    def impression(self, outcome: str) -> None:
        """One list "written" to the impression log or "lost"."""
        self._impressions.labels(outcome).inc()

    def serves(self, bundle_version: str) -> None:
        """Names the bundle that serves from now on."""
        self._bundle.info({"version": bundle_version})
