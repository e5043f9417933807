"""Golden requests of a bundle that is about to be sealed, answered by the models that lie in its folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import onnxruntime

from contracts.arrays import Floats
from contracts.bundle import files as bundle
from contracts.bundle.golden import GOLDEN_CANDIDATES, GOLDEN_NEAREST, GOLDEN_USERS, Golden
from contracts.ranking.candidates import Shortlist


def write_golden(
    folder: Path, queries: Mapping[str, npt.NDArray[np.generic]], users: Sequence[int], candidates: Sequence[Shortlist]
) -> None:
    """Puts the file of golden requests into the bundle's folder.

    queries: inputs of the query tower, a row for each user of the moment. users: rows of these; candidates[i] are of
    users[i].
    """
    rows = list(users)[:GOLDEN_USERS]
    shortest = min(GOLDEN_CANDIDATES, *(len(one.inputs) for one in candidates[: len(rows)]))
    tower = onnxruntime.InferenceSession(str(folder / bundle.QUERY_TOWER))
    asked = {one.name: np.ascontiguousarray(queries[one.name][rows]) for one in tower.get_inputs()}
    inputs = np.stack([one.inputs[:shortest] for one in candidates[: len(rows)]]).astype(np.float32)
    (embeddings,) = tower.run(None, asked)
    scores = _scores(folder / bundle.RANKER, inputs)
    has_unseen = (folder / bundle.UNSEEN_RANKER).exists()
    unseen_scores = _scores(folder / bundle.UNSEEN_RANKER, inputs) if has_unseen else None
    index = faiss.read_index(str(folder / bundle.INDEX))
    _, nearest = index.search(embeddings, min(GOLDEN_NEAREST, index.ntotal))
    golden = Golden(asked, embeddings, nearest.astype(np.int64), inputs, scores, unseen_scores)
    (folder / bundle.GOLDEN).write_bytes(golden.to_bytes())


def _scores(ranker: Path, inputs: Floats) -> Floats:
    """[users, candidates] of a ranker, for [users, candidates, features]."""
    session = onnxruntime.InferenceSession(str(ranker))
    name = session.get_inputs()[0].name
    return np.stack([session.run(None, {name: one[np.newaxis]})[0][0] for one in inputs])
