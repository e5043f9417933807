"""The numbers of a slot from Prometheus: raw samples by PromQL, whole increments counted here.

PromQL's increase() is not used: it extrapolates to fractions, and it never sees the first value of a new series. The
first errors of a canary ARE a new series, and on one percent of the traffic they may be all there is.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from contracts.api.answers import COLD_LEVEL, DegradedLevel
from contracts.errors import TandemError
from rollout.analysis.measurements import Histogram, SlotNumbers
from rollout.settings import Metrics

REQUESTS, ANSWERS, EMPTY = "tandem_http_requests_total", "tandem_answers_total", "tandem_empty_answers_total"
FOLLOWED, LATENCY = "tandem_followed_lists_total", "tandem_answer_seconds_bucket"
NOT_DEGRADED = (DegradedLevel.FULL, COLD_LEVEL)
LOOK_BACK_SECONDS = 300  # before the window: where a series stood when it began, as long as Prometheus calls it alive
Series = tuple[dict[str, str], list[tuple[float, float]]]  # labels, samples by time


class MetricsUnavailable(TandemError):
    """Prometheus cannot be asked right now; the gates wait instead of guessing."""


class Prometheus:
    """Numbers of both slots; the client knows the address and the timeout."""

    def __init__(self, client: httpx.Client, settings: Metrics) -> None:
        self._client = client
        self._settings = settings

    def numbers(self, variant: str, since: float, until: float) -> SlotNumbers:
        """What one slot counted in (since, until]. Raises MetricsUnavailable."""
        requests, answers, empty, clicks, latency = (
            self._increments(metric, variant, matchers, since, until)
            for metric, matchers in (
                (REQUESTS, [f'route=~"{self._settings.routes}"']),
                (ANSWERS, []),
                (EMPTY, []),
                (FOLLOWED, [f'event_type=~"{self._settings.click_events}"']),
                (LATENCY, []),
            )
        )
        return SlotNumbers(
            requests=_total(requests),
            errors=_total(pair for pair in requests if pair[0].get("status", "").startswith("5")),
            answers=_total(answers),
            empty=_total(empty),
            degraded=_total(pair for pair in answers if pair[0].get("level") not in NOT_DEGRADED),
            clicks=_total(clicks),
            latency=histogram(latency),
        )

    def _increments(
        self, metric: str, variant: str, matchers: Sequence[str], since: float, until: float
    ) -> list[tuple[dict[str, str], float]]:
        """(labels, increase) of each series of a metric."""
        every = [f'variant="{variant}"', *matchers, *([self._settings.matchers] if self._settings.matchers else [])]
        seconds = math.ceil(until - since) + LOOK_BACK_SECONDS
        found = self._query(f"{metric}{{{','.join(every)}}}[{seconds}s]", until)
        return [(labels, increment(samples, since)) for labels, samples in found]

    def _query(self, query: str, at: float) -> list[Series]:
        try:
            answer = self._client.get("/api/v1/query", params={"query": query, "time": f"{at:.3f}"})
            body: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise MetricsUnavailable(f"Prometheus at {self._client.base_url} does not answer: {error}") from error
        if body.get("status") != "success":
            raise MetricsUnavailable(f"Prometheus refuses {query}: {body.get('error', answer.status_code)}")
        return [
            (series["metric"], [(float(at), float(value)) for at, value in series["values"]])
            for series in body["data"]["result"]
        ]


def increment(samples: Sequence[tuple[float, float]], since: float) -> float:
    """How far a counter rose after `since`; a fall is a restart, from which it rose to where it is.

    A series without a sample before `since` began at 0. That is wrong for a process that Prometheus found late:
    then all of its series count from its start, and the shares are over its whole life.
    """
    previous = next((value for at, value in reversed(samples) if at <= since), 0.0)
    total = 0.0
    for _, value in (sample for sample in samples if sample[0] > since):
        total += value - previous if value >= previous else value
        previous = value
    return total


def histogram(buckets: Iterable[tuple[dict[str, str], float]]) -> Histogram:
    """Cumulative `le` buckets of any number of pods to counts per bucket."""
    cumulative: dict[float, float] = {}
    for labels, count in buckets:
        bound = float(labels["le"])
        cumulative[bound] = cumulative.get(bound, 0.0) + count
    if not cumulative:
        return Histogram()
    bounds = sorted(cumulative)
    below = [0.0, *(cumulative[bound] for bound in bounds[:-1])]
    # A scrape between two buckets of one observation can show the wider one behind: never less than nothing.
    counts = [max(round(cumulative[bound] - before), 0) for bound, before in zip(bounds, below, strict=True)]
    return Histogram(tuple(bounds), tuple(counts))


def _total(pairs: Iterable[tuple[dict[str, str], float]]) -> int:
    return round(sum(increase for _, increase in pairs))
