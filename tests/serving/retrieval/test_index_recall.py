"""Live index recall: what is sampled, what is exported, and that requests do not wait for it."""

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from serving.retrieval.index_recall import IndexRecall
from tests.support.lists.catalogue import items, rows

EAST = np.array([1, 0], np.float32)  # apple, pear, plum, bread are the nearest in this order


class Later:
    """A worker that waits until the test lets it go."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def submit(self, function: Any, *args: Any) -> Future[None]:
        self.waiting.append(lambda: function(*args))
        return Future()

    def work(self) -> None:
        for one in self.waiting:
            one()
        self.waiting = []


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def offer(recall: IndexRecall, *found: str, variant: str = "stable", only: tuple[str, ...] = ()) -> None:
    allowed = np.isin(np.arange(10), rows(*only)) if only else None
    recall.offer(variant, items().embeddings, EAST, np.array(rows(*found), np.int64), 4, allowed)


def test_one_search_in_so_many_seconds_is_compared_with_brute_force(registry: CollectorRegistry) -> None:
    worker, now = Later(), [0.0]
    recall = IndexRecall(2.0, registry, worker, lambda: now[0])  # type: ignore[arg-type]
    offer(recall, "apple", "pear", "plum", "ball")  # three of the four nearest
    worker.work()
    assert registry.get_sample_value("tandem_index_recall", {"variant": "stable"}) == pytest.approx(0.75)
    now[0] = 1.9
    offer(recall, "lamp")
    assert worker.waiting == []
    now[0] = 2.0
    offer(recall, "apple", "pear", "plum", "bread")
    worker.work()  # .75 + (1 - .75) / 100
    assert registry.get_sample_value("tandem_index_recall", {"variant": "stable"}) == pytest.approx(0.7525)
    assert registry.get_sample_value("tandem_index_recall_samples_total", {"variant": "stable"}) == 2


def test_a_filtered_search_is_compared_among_what_is_allowed(registry: CollectorRegistry) -> None:
    worker = Later()
    recall = IndexRecall(1, registry, worker)  # type: ignore[arg-type]
    offer(recall, "ball", "lamp", variant="b", only=("lamp", "ball"))
    worker.work()
    assert registry.get_sample_value("tandem_index_recall", {"variant": "b"}) == 1.0
    assert registry.get_sample_value("tandem_index_recall", {"variant": "stable"}) is None


def test_while_one_is_compared_the_others_are_not_queued(registry: CollectorRegistry) -> None:
    worker = Later()
    recall = IndexRecall(1e-9, registry, worker)  # type: ignore[arg-type]
    offer(recall, "apple")
    offer(recall, "apple")
    assert len(worker.waiting) == 1
    worker.work()
    offer(recall, "apple")
    assert len(worker.waiting) == 1


def test_zero_switches_it_off(registry: CollectorRegistry) -> None:
    worker = Later()
    recall = IndexRecall(0, registry, worker)  # type: ignore[arg-type]
    offer(recall, "apple")
    assert worker.waiting == []


def test_the_real_worker_exports_it_beside_the_requests(registry: CollectorRegistry) -> None:
    recall = IndexRecall(1, registry)
    offer(recall, "apple", "pear", "plum", "bread")
    recall.close()
    assert registry.get_sample_value("tandem_index_recall", {"variant": "stable"}) == 1.0
