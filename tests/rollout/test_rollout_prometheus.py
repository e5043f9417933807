"""Numbers of a slot, read from a real Prometheus that scrapes a real exporter with known counts."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from contracts.api.records import SLOT_HEADER
from rollout.analysis.measurements import SlotNumbers
from rollout.analysis.mirror import Mirror
from rollout.analysis.observer import ClusterObserver
from rollout.analysis.prometheus import MetricsUnavailable, Prometheus, histogram, increment
from rollout.controller import Clock
from rollout.record.state import Phase
from rollout.settings import GateName, Metrics, RolloutSettings
from rollout.settings import Mirror as MirrorSettings
from rollout.slots.standard import StandardSlots
from tests.support.real_parts.programs import program
from tests.support.real_parts.servers import free_port
from tests.support.rollouts.memory_cluster import RELEASE, MemoryObjects, standard_release
from tests.support.rollouts.world import release_of

PROMETHEUS = program("prometheus")
needs_prometheus = pytest.mark.skipif(
    not PROMETHEUS, reason="prometheus is not there; `make test-tools` brings it, with Go"
)


class Shop:
    """The metrics of a server, as far as a rollout reads them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, *labels: str) -> Counter:
            return Counter(name, name, ["variant", *labels], registry=registry)

        self.registry = registry
        self.requests = counter("tandem_http_requests_total", "route", "status")
        self.answers = counter("tandem_answers_total", "level")
        self.empty = counter("tandem_empty_answers_total")
        self.followed = counter("tandem_followed_lists_total", "event_type")
        self.seconds = Histogram(
            "tandem_answer_seconds", "s", ["variant"], buckets=(0.01, 0.05, 0.1), registry=registry
        )

    def answer(self, variant: str, lists: int, seconds: float, level: str = "full") -> None:
        self.requests.labels(variant, "/recommendations/{user_id}", "200").inc(lists)
        self.answers.labels(variant, level).inc(lists)
        for _ in range(lists):
            self.seconds.labels(variant).observe(seconds)


class Scraped:
    """The exporter with the Prometheus that watches it."""

    def __init__(self, shop: Shop, client: httpx.Client) -> None:
        self.shop = shop
        self.client = client

    def wait_until(self, query: str, value: float) -> None:
        """Until a scrape has seen the value."""
        deadline = time.monotonic() + 20
        while self._value(query) != value:
            assert time.monotonic() < deadline, f"{query} is {self._value(query)}, not {value}"
            time.sleep(0.1)

    def _value(self, query: str) -> float | None:
        try:
            answer = self.client.get("/api/v1/query", params={"query": query}).raise_for_status()  # 503 while it starts
            result: list[Any] = answer.json()["data"]["result"]
        except httpx.HTTPError:
            return None
        return float(result[0]["value"][1]) if result else None


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    assert PROMETHEUS
    folder: Path = tmp_path_factory.mktemp("prometheus")
    registry, ports = CollectorRegistry(), (free_port(), free_port())
    shop = Shop(registry)
    server, thread = start_http_server(ports[0], "127.0.0.1", registry)
    configuration = folder / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 250ms}\n"
        f"scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['127.0.0.1:{ports[0]}']}}]}}]\n"
    )
    command = [
        PROMETHEUS,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{ports[1]}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[1]}") as client:
        yield Scraped(shop, client)
    process.terminate()
    process.wait(timeout=20)
    server.shutdown()
    server.server_close()
    thread.join()


@needs_prometheus
def test_numbers_are_whole_and_of_the_window_alone(scraped: Scraped) -> None:
    """Blue has a past. Green is new, and all of its errors come before a second scrape: increase() would show none."""
    shop = scraped.shop
    shop.answer("blue", 1000, 0.005)
    shop.requests.labels("blue", "/recommendations/{user_id}", "500").inc(7)
    scraped.wait_until('tandem_answers_total{variant="blue"}', 1000)
    since = time.time()

    shop.answer("blue", 90, 0.02)
    shop.answer("blue", 10, 0.02, level="popularity")
    shop.answer("green", 30, 0.07)
    shop.answer("green", 2, 5.0)
    shop.requests.labels("green", "/v1/models/{model_name}:predict", "503").inc(4)
    shop.requests.labels("green", "/v1/models/{model_name}", "200").inc(500)  # probes
    shop.empty.labels("green").inc(3)
    shop.followed.labels("green", "view").inc(2)
    shop.followed.labels("green", "purchase").inc(9)  # not a click
    scraped.wait_until('tandem_followed_lists_total{variant="green",event_type="purchase"}', 9)
    time.sleep(0.5)
    numbers = Prometheus(scraped.client, Metrics())

    blue = numbers.numbers("blue", since, time.time())
    assert (blue.requests, blue.errors, blue.answers, blue.degraded) == (100, 0, 100, 10)
    assert blue.latency.counts == (0, 100, 0, 0)

    green = numbers.numbers("green", since, time.time())
    assert (green.requests, green.errors, green.answers) == (36, 4, 32)
    assert (green.empty, green.clicks, green.degraded) == (3, 2, 0)
    assert green.latency.counts == (0, 0, 30, 2)
    assert green.latency.slower_than(0.1).successes == 2

    assert numbers.numbers("teal", since, time.time()) == SlotNumbers()
    elsewhere = Prometheus(scraped.client, Metrics(matchers='namespace="another"'))
    assert elsewhere.numbers("green", since, time.time()) == SlotNumbers()


@needs_prometheus
def test_lists_that_are_empty_for_some_users_abort_a_canary_by_themselves(scraped: Scraped) -> None:
    """A tenth of the users gets nothing, quickly and without an error; everybody else gets what stable shows."""
    objects, shop = MemoryObjects(), scraped.shop
    for kind, body in standard_release():
        objects.create(kind, body)

    def serve(_: float) -> None:
        """The traffic of one interval, as Prometheus has seen it."""
        shop.answer("blue", 400, 0.005)
        shop.answer("green", 300, 0.005)
        shop.empty.labels("green").inc(30)
        empty = shop.registry.get_sample_value("tandem_empty_answers_total", {"variant": "green"})
        scraped.wait_until('tandem_empty_answers_total{variant="green"}', empty or 0.0)

    settings = RolloutSettings(interval_seconds=0.1, mirror=MirrorSettings(url="http://shop", requests_per_analysis=40))
    gates = [gate for gate in GateName if gate is not GateName.CLICKS]
    thresholds = settings.analysis.model_copy(update={"gates": gates})
    with httpx.Client(base_url="http://shop", transport=httpx.MockTransport(answer_most_users)) as client:
        mirror = Mirror(client, StandardSlots(objects, RELEASE).headers, settings.mirror)
        observer = ClusterObserver(Prometheus(scraped.client, Metrics()), mirror, thresholds)
        rollout = release_of(objects, Clock(wait=serve), observer, settings, "one").controller.start("v2")
    assert rollout and rollout.phase is Phase.ABORTED
    assert rollout.aborted_because == "empty: 10.00% empty lists of 300, stable 0.00% of 400; 0.50% more is allowed"


def answer_most_users(request: httpx.Request) -> httpx.Response:
    """Both slots show everybody the same, but every tenth user nothing by the canary."""
    if request.url.path == "/bundle":
        return httpx.Response(200, json={"example_user_ids": [str(number) for number in range(40)]})
    user = request.url.path.rpartition("/")[2]
    empty = request.headers[SLOT_HEADER] == "green" and int(user) % 10 == 0
    items = [{"item_id": f"{user}-{place}"} for place in range(0 if empty else 10)]
    return httpx.Response(200, json={"items": items})


@needs_prometheus
def test_a_refused_query_is_told_in_prometheus_words(scraped: Scraped) -> None:
    scraped.wait_until("up", 1)
    with pytest.raises(MetricsUnavailable, match=r"Prometheus refuses tandem_http_requests_total.*parse error"):
        Prometheus(scraped.client, Metrics(matchers="namespace=")).numbers("blue", 0.0, 1.0)


@pytest.mark.parametrize(
    "handler",
    [
        lambda request: (_ for _ in ()).throw(httpx.ConnectError("refused", request=request)),
        lambda _: httpx.Response(502, text="<html>"),
    ],
)
def test_a_prometheus_that_does_not_answer_is_unavailable(handler: Callable[[httpx.Request], httpx.Response]) -> None:
    client = httpx.Client(base_url="http://prometheus", transport=httpx.MockTransport(handler))
    with client, pytest.raises(MetricsUnavailable, match="Prometheus at http://prometheus does not answer"):
        Prometheus(client, Metrics()).numbers("blue", 0.0, 1.0)


@pytest.mark.parametrize(
    ("samples", "rise"),
    [
        ([(8, 5), (9, 7), (11, 10), (12, 10)], 3),  # stood at 7 when the window began
        ([(11, 4), (12, 6)], 6),  # a new series began at 0
        ([(9, 100), (11, 120), (12, 3), (13, 5)], 25),  # 20, then a restart: 3 and 2
        ([(8, 5), (9, 7)], 0),  # gone before the window
        ([], 0),
    ],
)
def test_increment_after_10(samples: list[tuple[float, float]], rise: float) -> None:
    assert increment(samples, since=10) == rise


def test_histogram_adds_pods_and_never_counts_below_nothing() -> None:
    pods = [({"le": "0.1"}, 5.0), ({"le": "0.1"}, 4.0), ({"le": "+Inf"}, 8.0)]
    assert histogram(pods).counts == (9, 0)
