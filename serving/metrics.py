"""Every metric of the server. Labels have few values; ids never are labels."""

import time
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STAGE_BUCKETS_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""0.25 ms to 100 ms; KServe's own histograms begin at 5 ms, above most stages."""
ANSWER_BUCKETS_SECONDS = (
    0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.035, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
"""Near each other: a canary's latency is held against a bound, and one that is 4 times the last would hide 0.3 s."""


class StageTimer:
    """Times one block."""

    __slots__ = ("_histogram", "_started")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self._histogram.observe(time.perf_counter() - self._started)


class Metrics:
    """Collectors on one registry, which tests bring along. variant: of this server, where no experiment names one."""

    def __init__(self, registry: CollectorRegistry, variant: str = "stable") -> None:
        self.registry = registry  # parts with metrics of their own add them here
        self._variant = variant
        # `cache`: to look labels up costs more than to count.
        self._stage = cache(Histogram(
            "tandem_stage_seconds", "Time in one stage of an answer.", ["stage"],
            buckets=STAGE_BUCKETS_SECONDS, registry=registry,
        ).labels)  # fmt: skip
        self._answer_seconds = cache(Histogram(
            "tandem_answer_seconds", "Time from a recommendation request to its answer, without HTTP.", ["variant"],
            buckets=ANSWER_BUCKETS_SECONDS, registry=registry,
        ).labels)  # fmt: skip
        self._answers = cache(Counter(
            "tandem_answers_total", "Lists answered, by degraded level.", ["variant", "level"], registry=registry
        ).labels)  # fmt: skip
        self._empty = Counter("tandem_empty_answers_total", "Lists without an item.", ["variant"], registry=registry)
        self._forced_answers = Counter(
            "tandem_forced_answers_total", "Lists of a slot that the caller chose; no other figure has them.",
            ["variant"], registry=registry,
        )  # fmt: skip
        self._forced_requests = Counter(
            "tandem_forced_requests_total", "HTTP requests to a slot that the caller chose; no other figure has them.",
            ["variant", "route", "status"], registry=registry,
        )  # fmt: skip
        self._requests = cache(Counter(
            "tandem_http_requests_total", "HTTP requests answered, by route and status.",
            ["variant", "route", "status"], registry=registry,
        ).labels)  # fmt: skip
        self._degraded = Counter(
            "tandem_degraded_answers_total", "Answers below the full path.", ["level", "reason"], registry=registry
        )
        self._impressions = cache(Counter(
            "tandem_impressions_total", "Lists written to the impression log, or lost.", ["outcome"], registry=registry
        ).labels)  # fmt: skip
        self._refusals = Counter(
            "tandem_bundle_refusals_total", "Bundles and experiments that were to serve and do not.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self._cache = cache(Counter(
            "tandem_cache_requests_total", "Requests that a kept answer could serve, or not.", ["outcome"],
            registry=registry,
        ).labels)  # fmt: skip
        self._breaker = Gauge(
            "tandem_breaker_open", "1 while a part that failed is left alone.", ["part"], registry=registry
        )
        self._bundle = Gauge(
            "tandem_bundle_info",
            "1 for each bundle that serves, 0 for those that did.",
            ["version", "variant"],
            registry=registry,
        )
        self._context_lost = Counter(
            "tandem_context_lost_total", "Lists made without what is bought together with the context items: the store "
            "did not answer.", registry=registry,
        )  # fmt: skip
        self._refusals.labels("BundleRefused")
        self._serving: list[Gauge] = []
        self._empty.labels(variant)  # a rate of nothing is 0 and not absent

    def stage(self, name: str) -> "StageTimer":
        """Times the block as one stage; also when it fails, a slow failure counts."""
        return StageTimer(self._stage(name))

    def answered(self, variant: str, level: str, seconds: float, *, is_empty: bool) -> None:
        """One list. is_empty: it has no item, and not because the request left none."""
        self._answer_seconds(variant).observe(seconds)
        self._answers(variant, level).inc()
        if is_empty:
            self._empty.labels(variant).inc()

    def forced_answer(self, variant: str) -> None:
        """One list of a slot that the caller has chosen."""
        self._forced_answers.labels(variant).inc()

    def forced_response(self, route: str, status: int) -> None:
        """One HTTP request to a slot that the caller has chosen."""
        self._forced_requests.labels(self._variant, route, str(status)).inc()

    def responded(self, route: str, status: int, variant: str | None = None) -> None:
        """One HTTP request by route template and status."""
        self._requests(variant or self._variant, route, status).inc()

    def degraded(self, level: str, reason: str) -> None:
        """One answer below the full path."""
        self._degraded.labels(level, reason).inc()

    def context_lost(self) -> None:
        """One list without the companions of its context items."""
        self._context_lost.inc()

    def cache(self, outcome: str) -> None:
        """One look for a kept answer: "hit" or "miss"; the hit rate is their ratio."""
        self._cache(outcome).inc()

    def breaker(self, part: str, is_open: bool) -> None:
        """Whether a part of the answer is left alone because it fails."""
        self._breaker.labels(part).set(is_open)

    def impression(self, outcome: str) -> None:
        """One list "written" to the impression log or "lost"."""
        self._impressions(outcome).inc()

    def refused(self, reason: str) -> None:
        """One bundle or experiment that does not serve, by the kind of error."""
        self._refusals.labels(reason).inc()

    def serve(self, bundles: dict[str, str]) -> None:
        """Names the bundles that serve from now on, version by variant."""
        for gauge in self._serving:  # Feast's metrics turn on a mode in which labels cannot be removed
            gauge.set(0)
        self._serving = [self._bundle.labels(version, variant) for variant, version in bundles.items()]
        for gauge in self._serving:
            gauge.set(1)
