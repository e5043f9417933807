"""The FAISS index over item embeddings, with its recall measured against brute force."""

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats
from training.settings import FLAT, IndexSettings

AUTO = "auto"
FLAT_BELOW = 20_000
"""This many items are compared in a tenth of a millisecond."""
MOST_PROBED = 0.5
"""Share of the lists: 40 % of 512 lists of 50,000 half-precision vectors are searched in a third of the time that
comparing everything takes, since they are half the size and a query leaves the rest of the cache alone."""
PROBES_GROW = 1.25
CLUSTERING_ITERATIONS = 4
POINTS_PER_LIST = 39
"""FAISS trains with 10 iterations on up to 256 points a list. For 92,331 items that took three times as long, and the
same number of lists had to be probed; 39 is the least that FAISS takes without a warning."""


def build_index(embeddings: Floats, queries: Floats, settings: IndexSettings) -> faiss.Index:
    """An inner-product index of [num_items, embedding_dim]; ids are catalogue rows.

    The quickest one that finds settings.min_recall of what brute force does for queries [n, embedding_dim]: an
    inverted file of half-precision vectors that looks into as few lists as that takes. Small catalogues, and those
    whose lists cut too many neighbourhoods, are compared one by one.
    """
    if settings.factory != AUTO:
        index = _trained(embeddings, settings.factory)
        return index if _probing(index, embeddings, queries, settings) else _most_probing(index)
    if len(embeddings) < FLAT_BELOW:
        return _trained(embeddings, FLAT)
    lists = 2 ** int(np.log2(4 * np.sqrt(len(embeddings))))  # FAISS' guidelines: 4 to 16 times the root
    index = _trained(embeddings, f"IVF{lists},SQfp16")
    return index if _probing(index, embeddings, queries, settings) else _trained(embeddings, FLAT)


def _trained(embeddings: Floats, factory: str) -> faiss.Index:
    index = faiss.index_factory(embeddings.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    if isinstance(index, faiss.IndexIVF):
        index.cp.niter, index.cp.max_points_per_centroid = CLUSTERING_ITERATIONS, POINTS_PER_LIST
    index.train(embeddings)
    index.add(embeddings)
    return index


def _probing(index: faiss.Index, embeddings: Floats, queries: Floats, settings: IndexSettings) -> bool:
    """Whether the recall asked for is reached, with nprobe set to what that takes."""
    if not isinstance(index, faiss.IndexIVF):
        return True
    sample, exact = _compared(embeddings, queries, settings)
    while _share_found(index, sample, exact) < settings.min_recall:
        probes = int(np.ceil(index.nprobe * PROBES_GROW))
        if probes > index.nlist * MOST_PROBED:
            return False
        index.nprobe = probes
    return True


def _most_probing(index: faiss.Index) -> faiss.Index:
    # A factory that was asked for by name is kept, its recall is reported.
    index.nprobe = max(int(index.nlist * MOST_PROBED), 1)
    return index


def index_recall(index: faiss.Index, embeddings: Floats, queries: Floats, settings: IndexSettings) -> float:
    """Share of the exact nearest recall_k that the index finds, over up to recall_queries rows of queries."""
    return _share_found(index, *_compared(embeddings, queries, settings))


def _compared(embeddings: Floats, queries: Floats, settings: IndexSettings) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Up to recall_queries rows of queries, and [n, recall_k] the nearest of each by brute force."""
    k = min(settings.recall_k, len(embeddings))
    sample = queries[np.linspace(0, len(queries) - 1, min(settings.recall_queries, len(queries)), dtype=int)]
    _, exact = faiss.knn(sample, embeddings, k, metric=faiss.METRIC_INNER_PRODUCT)
    return sample, exact


def _share_found(index: faiss.Index, sample: Floats, exact: npt.NDArray[np.int64]) -> float:
    k = exact.shape[1]
    _, found = index.search(sample, k)
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(exact, found, strict=True)]))


def save_index(index: faiss.Index, path: Path) -> None:
    """Writes the index in FAISS' own format."""
    faiss.write_index(index, str(path))


def search(index: faiss.Index, queries: Floats, k: int) -> npt.NDArray[np.int64]:
    """[n, k] catalogue rows by inner product, best first; -1 where the index found fewer."""
    _, rows = index.search(np.ascontiguousarray(queries), k)
    found: npt.NDArray[np.int64] = rows
    return found
