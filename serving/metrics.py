"""Every metric of the server. Labels have few values; ids never are labels."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STAGE_BUCKETS_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""0.25 ms to 100 ms; KServe's own histograms begin at 5 ms, above most stages."""
ANSWER_BUCKETS_SECONDS = (0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Metrics:
    """Collectors on one registry, which tests bring along. variant: of this server, where no experiment names one."""

    def __init__(self, registry: CollectorRegistry, variant: str = "stable") -> None:
        self.registry = registry  # parts with metrics of their own add them here
        self._variant = variant
        self._served: dict[str, str] = {}  # version by variant
        self._stage = Histogram(
            "tandem_stage_seconds", "Time in one stage of an answer.", ["stage"],
            buckets=STAGE_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self._answer_seconds = Histogram(
            "tandem_answer_seconds", "Time from a recommendation request to its answer, without HTTP.", ["variant"],
            buckets=ANSWER_BUCKETS_SECONDS, registry=registry,
        )  # fmt: skip
        self._answers = Counter(
            "tandem_answers_total", "Lists answered, by degraded level.", ["variant", "level"], registry=registry
        )
        self._empty = Counter("tandem_empty_answers_total", "Lists without an item.", ["variant"], registry=registry)
        self._requests = Counter(
            "tandem_http_requests_total", "HTTP requests answered, by route and status.",
            ["variant", "route", "status"], registry=registry,
        )  # fmt: skip
        self._degraded = Counter(
            "tandem_degraded_answers_total", "Answers below the full path.", ["level", "reason"], registry=registry
        )
        self._impressions = Counter(
            "tandem_impressions_total", "Lists written to the impression log, or lost.", ["outcome"], registry=registry
        )
        self._refusals = Counter(
            "tandem_bundle_refusals_total", "Bundles and experiments that were to serve and do not.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._bundle = Gauge(
            "tandem_bundle_info",
            "1 for each bundle that serves, 0 for one that did.",
            ["version", "variant"],
            registry=registry,
        )
        self._context_lost = Counter(
            "tandem_context_lost_total", "Lists made without what is bought together with the context items: the store "
            "did not answer.", registry=registry,
        )  # fmt: skip
        self._refusals.labels("BundleRefused")
        self._empty.labels(variant)  # a rate of nothing is 0 and not absent

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block as one stage; also when it fails, a slow failure counts."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage.labels(name).observe(time.perf_counter() - started)

    def answered(self, variant: str, level: str, items: int, seconds: float) -> None:
        """One list of so many items."""
        self._answer_seconds.labels(variant).observe(seconds)
        self._answers.labels(variant, level).inc()
        if not items:
            self._empty.labels(variant).inc()

    def responded(self, route: str, status: int, variant: str | None = None) -> None:
        """One HTTP request by route template and status."""
        self._requests.labels(variant or self._variant, route, str(status)).inc()

    def degraded(self, level: str, reason: str) -> None:
        """One answer below the full path."""
        self._degraded.labels(level, reason).inc()

    def context_lost(self) -> None:
        """One list without the companions of its context items."""
        self._context_lost.inc()

    def impression(self, outcome: str) -> None:
        """One list "written" to the impression log or "lost"."""
        self._impressions.labels(outcome).inc()

    def refused(self, reason: str) -> None:
        """One bundle or experiment that does not serve, by the kind of error."""
        self._refusals.labels(reason).inc()

    def serve(self, bundles: dict[str, str]) -> None:
        """Names the bundles that serve from now on, version by variant."""
        for variant, version in self._served.items():  # to 0: removing labels is not possible in every mode
            self._bundle.labels(version, variant).set(0)
        for variant, version in bundles.items():
            self._bundle.labels(version, variant).set(1)
        self._served = dict(bundles)
