"""Where each way to search under a filter is quickest: `python -m benchmarks.filters`.

The thresholds of serving/retrieval/search.py are read off these tables.
One thread, clustered unit vectors; the filter is a random share of the catalogue. Recall is against brute force.
"""

import argparse
import platform
import time
from collections.abc import Callable

import faiss
import numpy as np

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import Mask
from serving.retrieval import search as nearest

SHARES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
Found = tuple[Rows, Floats]


def vectors(count: int, dim: int, seed: int) -> Floats:
    """[count, dim] unit vectors around 1,000 centres, as towers give them."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((1000, dim), dtype=np.float32)
    made = centres[random.integers(0, 1000, count)] + 0.5 * random.standard_normal((count, dim), dtype=np.float32)
    unit: Floats = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def median_ms(search: Callable[[Floats], Found], queries: Floats) -> float:
    """Median CPU time of one search."""
    times = []
    for query in queries:
        started = time.thread_time()
        search(query)
        times.append((time.thread_time() - started) * 1000)
    return float(np.median(times))


def recall(search: Callable[[Floats], Found], embeddings: Floats, queries: Floats, k: int, allowed: Mask) -> float:
    """Mean share of the exact answer that a search finds."""
    shares = []
    for query in queries[:20]:
        exact, _ = nearest.exact_nearest(embeddings, query, k, allowed)
        shares.append(len(np.intersect1d(exact, search(query)[0])) / max(len(exact), 1))
    return float(np.mean(shares))


def gather(embeddings: Floats, query: Floats, k: int, allowed: Mask) -> Found:
    """The allowed rows copied together and compared, however many there are."""
    rows = np.flatnonzero(allowed)
    return nearest.best(rows, embeddings[rows] @ query, k)


def scan(embeddings: Floats, query: Floats, k: int, allowed: Mask) -> Found:
    """All rows compared, and the allowed ones picked."""
    rows = np.flatnonzero(allowed)
    return nearest.best(rows, (embeddings @ query)[rows], k)


def compare(count: int, k: int, queries: Floats) -> None:
    """One table for a catalogue of the given size."""
    embeddings = vectors(count, queries.shape[1], 1)
    flat = faiss.IndexFlatIP(embeddings.shape[1])
    flat.add(embeddings)
    lists = 256 if count < 200_000 else 1024
    inverted = faiss.index_factory(embeddings.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    inverted.train(embeddings)
    inverted.add(embeddings)
    inverted.nprobe = 16
    print(f"\n{count:,} items, k={k}, IVF{lists} nprobe 16; CPU ms a search, recall of the inverted file in brackets")
    print(
        f"unfiltered: flat {median_ms(lambda q: nearest.nearest(flat, embeddings, q, k), queries):.2f}, "
        f"IVF {median_ms(lambda q: nearest.nearest(inverted, embeddings, q, k), queries):.2f}"
    )
    print("  share  gather    scan  selector on flat  selector on IVF     planner: flat      IVF")
    for share in SHARES:
        allowed = np.random.default_rng(2).random(count) < share
        _row(share, flat, inverted, embeddings, queries, k, allowed)


def _row(
    share: float, flat: faiss.Index, inverted: faiss.Index, embeddings: Floats, queries: Floats, k: int, allowed: Mask
) -> None:
    def selector(index: faiss.Index) -> Callable[[Floats], Found]:
        return lambda query: nearest.searched(index, query, k, allowed)

    number = int(np.count_nonzero(allowed))
    ways = [nearest.way_to_search(index, number, k) for index in (flat, inverted)]
    found = recall(selector(inverted), embeddings, queries, k, allowed)
    print(
        f"{share:>7.1%} {median_ms(lambda q: gather(embeddings, q, k, allowed), queries):>7.2f} "
        f"{median_ms(lambda q: scan(embeddings, q, k, allowed), queries):>7.2f} "
        f"{median_ms(selector(flat), queries):>17.2f} "
        f"{median_ms(selector(inverted), queries):>8.2f} ({found:.3f}) {ways[0]:>17} {ways[1]:>8}"
    )


def main() -> None:
    """Prints one table for each size of catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--k", type=int, default=500)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--dim", type=int, default=64)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(platform.processor() or platform.machine())
    for count in options.items:
        compare(count, options.k, vectors(options.queries, options.dim, 3))


if __name__ == "__main__":
    main()
