"""What titles, or the embeddings that a source brings, say of items: one short vector each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from contracts.arrays import Floats
from contracts.features.text import BUCKETS, TEXT_DIM, buckets_of, normalized, text_vectors
from training.workspace import Workspace

SEED = 17


def fit_projection(titles: Sequence[str | None]) -> Floats:
    """[BUCKETS, TEXT_DIM]: inverse document frequency and truncated SVD of hashed n-grams, as one matrix.

    Fitted on the distinct titles: a title that a thousand sizes share says no more than one.
    """
    distinct = sorted({title for title in titles if title and buckets_of(title)})
    projection = np.zeros((BUCKETS, TEXT_DIM), np.float32)
    if distinct:
        vectorizer = TfidfVectorizer(analyzer=buckets_of, vocabulary=range(BUCKETS), lowercase=False, dtype=np.float32)
        axes = _axes(vectorizer.fit_transform(distinct))
        projection[:, : len(axes)] = axes.T * vectorizer.idf_[:, np.newaxis]
    return projection


def item_text(
    workspace: Workspace, item_ids: Sequence[str], titles: Sequence[str | None], projection: Floats
) -> Floats:
    """[len(item_ids), TEXT_DIM]; row i is item_ids[i], of length 1, or zeros.

    By the source's own embeddings, shortened, where it brings any; else by titles.
    """
    path = workspace.ingested("item_vectors")
    if not path.exists():
        return text_vectors(titles, projection)
    table = pq.read_table(path)
    given = dict(zip(table.column("item_id").to_pylist(), table.column("vector").to_pylist(), strict=True))
    known = [row for row, item in enumerate(item_ids) if given.get(item)]
    vectors = np.array([given[item_ids[row]] for row in known], np.float32)
    rows = np.zeros((len(item_ids), TEXT_DIM), np.float32)
    if len(known):
        short = vectors @ _axes(vectors).T
        rows[known, : short.shape[1]] = normalized(short.astype(np.float32))
    return rows


def _axes(matrix: Any) -> npt.NDArray[np.float32]:
    """[at most TEXT_DIM, columns] leading right singular vectors; matrix is a numpy or scipy one."""
    size = min(TEXT_DIM, min(matrix.shape) - 1)
    if size < 1:
        return np.zeros((0, matrix.shape[1]), np.float32)
    svd = TruncatedSVD(size, random_state=SEED).fit(matrix)
    axes: npt.NDArray[np.float32] = svd.components_
    return axes
