"""Index recall of live traffic: now and then a search is repeated by brute force in the background."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import Mask
from serving.retrieval.search import exact_nearest

WINDOW: Final = 100
"""The gauge is the mean of about this many samples."""


def _one_thread() -> Executor:
    """Runs in parallel with the requests: NumPy lets go of the interpreter while it multiplies."""
    return ThreadPoolExecutor(1, "index-recall")


class IndexRecall:
    """Compares a search with brute force: at most one each every_seconds, and none while the last is still compared.

    By time and not by number: reading all embeddings costs as much as several answers and pushes theirs out of the
    processor's cache, and a server under load must not do it the more often.
    """

    def __init__(
        self,
        every_seconds: float,
        registry: CollectorRegistry | None = None,
        worker: Executor | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """every_seconds: 0 samples nothing."""
        self._every_seconds = every_seconds
        self._worker = worker or _one_thread()
        self._seconds = seconds
        self._next = -math.inf if every_seconds else math.inf
        self._means: dict[str, float] = {}
        self._busy = threading.Lock()
        self._gauge = Gauge(
            "tandem_index_recall", f"Share of the exact nearest that searches found, mean of about {WINDOW} samples.",
            ["variant"], registry=registry,
        )  # fmt: skip
        self._samples = Counter(
            "tandem_index_recall_samples_total", "Searches compared with brute force.", ["variant"], registry=registry
        )

    def offer(self, variant: str, embeddings: Floats, query: Floats, found: Rows, k: int, allowed: Mask | None) -> None:
        """Takes note of one search and what it found; returns at once."""
        now = self._seconds()
        if now >= self._next and self._busy.acquire(blocking=False):
            self._next = now + self._every_seconds
            self._worker.submit(self._compare, variant, embeddings, query, found, k, allowed)

    def close(self) -> None:
        """Waits for the sample that is being compared."""
        self._worker.shutdown()

    def _compare(
        self, variant: str, embeddings: Floats, query: Floats, found: Rows, k: int, allowed: Mask | None
    ) -> None:
        try:
            wanted, _ = exact_nearest(embeddings, query, k, allowed)
            share = len(np.intersect1d(wanted, found)) / len(wanted) if len(wanted) else 1.0
            mean = self._means.get(variant, share)
            self._means[variant] = mean + (share - mean) / WINDOW
            self._gauge.labels(variant).set(self._means[variant])
            self._samples.labels(variant).inc()
        finally:
            self._busy.release()
