"""The FAISS index over item embeddings, with its recall measured against brute force."""

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from training.settings import IndexSettings

Floats = npt.NDArray[np.float32]


def build_index(embeddings: Floats, settings: IndexSettings) -> faiss.Index:
    """An inner-product index of [num_items, embedding_dim]; ids are catalogue rows."""
    index = faiss.index_factory(embeddings.shape[1], settings.factory, faiss.METRIC_INNER_PRODUCT)
    index.train(embeddings)
    index.add(embeddings)
    return index


def index_recall(index: faiss.Index, embeddings: Floats, queries: Floats, settings: IndexSettings) -> float:
    """Share of the exact nearest recall_k that the index finds, over up to recall_queries rows of queries."""
    k = min(settings.recall_k, len(embeddings))
    sample = queries[np.linspace(0, len(queries) - 1, min(settings.recall_queries, len(queries)), dtype=int)]
    exact = np.argpartition(-(sample @ embeddings.T), k - 1, axis=1)[:, :k]
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
