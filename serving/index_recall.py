"""Index recall of live traffic: every so many searches, one is repeated by brute force in the background."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

import faiss
import numpy as np

from contracts.candidates import Mask
from contracts.ranking import Floats, Rows
from serving.metrics import Metrics
from serving.nearest import exact_nearest

WINDOW: Final = 100
"""The gauge is the mean of about so many samples."""


def recall_worker() -> Executor:
    """One thread beside the requests; its NumPy and FAISS calls let go of the interpreter."""
    return ThreadPoolExecutor(1, "index-recall", initializer=faiss.omp_set_num_threads, initargs=(1,))


class IndexRecall:
    """Compares every n-th search with brute force; a sample is left out while the last one is still compared."""

    def __init__(self, every: int, metrics: Metrics, worker: Executor) -> None:
        """every: 0 samples nothing."""
        self._every = every
        self._metrics = metrics
        self._worker = worker
        self._searches = 0
        self._mean: float | None = None
        self._busy = threading.Lock()

    def offer(self, embeddings: Floats, query: Floats, found: Rows, k: int, allowed: Mask | None) -> None:
        """Takes note of one search and what it found; returns at once."""
        if self._every == 0:
            return
        self._searches += 1
        if self._searches % self._every == 0 and self._busy.acquire(blocking=False):
            self._worker.submit(self._compare, lambda: exact_nearest(embeddings, query, k, allowed)[0], found)

    def _compare(self, exact: Callable[[], Rows], found: Rows) -> None:
        try:
            wanted = exact()
            share = len(np.intersect1d(wanted, found)) / len(wanted) if len(wanted) else 1.0
            self._mean = share if self._mean is None else self._mean + (share - self._mean) / WINDOW
            self._metrics.index_recall(self._mean)
        finally:
            self._busy.release()
