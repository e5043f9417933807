"""The filter planner: how the nearest of the allowed items are found, and always as many as there are."""

from enum import StrEnum
from typing import Final

import faiss
import numpy as np

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import Mask

GATHER_SHARE: Final = 0.1
"""Up to this share of the catalogue, copying the allowed rows together and comparing them is the quickest exact way."""
GATHER_ROWS: Final = 15_000
"""This many rows are compared in half a millisecond: an inverted file is hardly quicker, and misses some."""


class Way(StrEnum):
    """How a search is done; benchmarks/filters.py measures where each is quickest."""

    INDEX = "index"  # nothing is filtered
    EXACT = "exact"  # the allowed rows are compared one by one
    SELECTOR = "selector"  # the index skips what its bitmap does not allow


def way_to_search(index: faiss.Index, allowed: int | None, k: int) -> Way:
    """The quickest way to k of the allowed rows; None where all are allowed."""
    if allowed is None:
        return Way.INDEX
    if isinstance(index, faiss.IndexIVF):
        return Way.EXACT if allowed <= max(k, GATHER_ROWS) else Way.SELECTOR
    flat = isinstance(index, faiss.IndexFlat)
    return Way.SELECTOR if flat and allowed > max(k, GATHER_SHARE * index.ntotal) else Way.EXACT


def nearest(
    index: faiss.Index, embeddings: Floats, query: Floats, k: int, allowed: Mask | None = None
) -> tuple[Rows, Floats]:
    """([m] catalogue rows, [m] inner products with query), best first; m is k, or all that are allowed when fewer.

    embeddings: [num_items, embedding_dim]. The index may know fewer items, those that came after it was built are
    compared one by one. query: [embedding_dim].
    """
    count = None if allowed is None else int(np.count_nonzero(allowed))
    if way_to_search(index, count, k) is Way.EXACT:
        return exact_nearest(embeddings, query, k, allowed)
    rows, scores = searched(index, query, k, allowed)
    if index.ntotal < len(embeddings):
        rows, scores = _with_later_rows(rows, scores, index.ntotal, embeddings, query, allowed)
    if len(rows) < min(k, len(embeddings) if count is None else count):  # the probed lists did not hold enough
        return exact_nearest(embeddings, query, k, allowed)
    return rows[:k], scores[:k]


def exact_nearest(embeddings: Floats, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
    """What nearest would give with an index that misses nothing."""
    if allowed is None:
        return best(np.arange(len(embeddings)), embeddings @ query, k)
    rows = np.flatnonzero(allowed)
    few = len(rows) <= 2 * GATHER_SHARE * len(embeddings)
    return best(rows, embeddings[rows] @ query if few else (embeddings @ query)[rows], k)


def best(rows: Rows, scores: Floats, k: int) -> tuple[Rows, Floats]:
    """The k rows with the highest scores, best first; equal scores by row."""
    if k < len(rows):
        top = np.argpartition(-scores, k)[:k]
        rows, scores = rows[top], scores[top]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]


def searched(index: faiss.Index, query: Floats, k: int, allowed: Mask | None) -> tuple[Rows, Floats]:
    """What the index itself finds, k or fewer."""
    parameters = None if allowed is None else _parameters(index, allowed[: index.ntotal])
    scores, rows = index.search(np.ascontiguousarray(query[np.newaxis]), k, params=parameters)
    found = rows[0] >= 0
    return rows[0][found], scores[0][found]


def _parameters(index: faiss.Index, allowed: Mask) -> faiss.SearchParameters:
    """A bitmap of what is allowed; an inverted file probes the more lists the fewer rows are.

    So as many allowed rows are compared as without a filter, and recall does not fall with the filter.
    """
    selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    if not isinstance(index, faiss.IndexIVF):
        return faiss.SearchParameters(sel=selector)
    share = max(np.count_nonzero(allowed) / len(allowed), 1 / len(allowed))
    return faiss.SearchParametersIVF(sel=selector, nprobe=min(index.nlist, int(np.ceil(index.nprobe / share))))


def _with_later_rows(
    rows: Rows, scores: Floats, first: int, embeddings: Floats, query: Floats, allowed: Mask | None
) -> tuple[Rows, Floats]:
    later = np.arange(first, len(embeddings))
    if allowed is not None:
        later = later[allowed[first:]]
    both = np.concatenate([rows, later]), np.concatenate([scores, embeddings[later] @ query])
    return best(*both, len(both[0]))
