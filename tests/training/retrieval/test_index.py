"""The index planner: quick where its recall is shown, exact elsewhere."""

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from contracts.arrays import Floats
from training.retrieval.index import FLAT_BELOW, MOST_PROBED, build_index, index_recall
from training.settings import IndexSettings

DIM = 16


def unit(points: npt.NDArray[np.float64]) -> Floats:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / lengths, np.float32)


def clustered(rows: int, centers: int = 200) -> Floats:
    """Unit vectors around a few centres, as trained embeddings are."""
    random = np.random.default_rng(5)
    middle = random.standard_normal((centers, DIM))
    points = middle[random.integers(centers, size=rows)] + 0.2 * random.standard_normal((rows, DIM))
    return unit(points)


def shapeless(rows: int) -> Floats:
    """Unit vectors without clusters, whose neighbourhoods are cut by any lists."""
    points = np.random.default_rng(6).standard_normal((rows, 96))
    return unit(points)


def test_a_small_catalogue_is_compared_one_by_one() -> None:
    items = clustered(FLAT_BELOW - 1)
    assert isinstance(build_index(items, items[:50], IndexSettings()), faiss.IndexFlat)


def test_a_large_catalogue_gets_lists_and_as_few_probes_as_the_recall_needs() -> None:
    items, settings = clustered(FLAT_BELOW), IndexSettings(recall_k=20, recall_queries=100)
    queries = items[::100]
    index = build_index(items, queries, settings)
    assert isinstance(index, faiss.IndexIVF)
    assert index.nprobe <= index.nlist * MOST_PROBED
    assert index_recall(index, items, queries, settings) >= settings.min_recall
    index.nprobe //= 2
    assert index.nprobe == 0 or index_recall(index, items, queries, settings) < settings.min_recall


def test_where_lists_cut_neighbourhoods_it_stays_exact() -> None:
    items = shapeless(FLAT_BELOW)
    index = build_index(items, items[::200], IndexSettings(recall_k=50, recall_queries=50))
    assert isinstance(index, faiss.IndexFlat)


@pytest.mark.parametrize(("factory", "kind"), [("Flat", faiss.IndexFlat), ("IVF32,SQ8", faiss.IndexIVF)])
def test_a_factory_that_is_asked_for_is_built(factory: str, kind: type[faiss.Index]) -> None:
    items = clustered(3000)
    index = build_index(items, items[:50], IndexSettings(factory=factory, recall_k=10))
    assert isinstance(index, kind)
    assert index_recall(index, items, items[:50], IndexSettings(recall_k=10)) > 0.9
