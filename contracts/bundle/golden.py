"""Golden requests: inputs of a bundle's models and what these answered when the bundle was sealed.

A server computes them again before it serves the bundle. A model that loads and answers something else, on another
processor or runtime, or because it was exchanged before the bundle was sealed, shows here and not in users' lists.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats

GOLDEN_USERS: Final = 5
GOLDEN_CANDIDATES: Final = 50
GOLDEN_NEAREST: Final = 20
QUERY_PREFIX: Final = "query."


@dataclass(frozen=True)
class Golden:
    """Row i of every array is the i-th user's."""

    queries: dict[str, npt.NDArray[np.generic]]  # inputs of the query tower
    embeddings: Floats  # [users, embedding_dim] its answers
    nearest: npt.NDArray[np.int64]  # [users, k] rows that the index finds for these
    candidates: Floats  # [users, candidates, features] inputs of the ranker
    scores: Floats  # [users, candidates] its answers
    unseen_scores: Floats | None = None  # scores by the ranker of unseen items, where the bundle has one

    def to_bytes(self) -> bytes:
        """The bytes of a .npz file."""
        into = io.BytesIO()
        arrays = {
            "embeddings": self.embeddings,
            "nearest": self.nearest,
            "candidates": self.candidates,
            "scores": self.scores,
            **({} if self.unseen_scores is None else {"unseen_scores": self.unseen_scores}),
            **{f"{QUERY_PREFIX}{name}": values for name, values in self.queries.items()},
        }
        np.savez_compressed(into, **arrays)  # type: ignore[arg-type]  # numpy types the names as its own options
        return into.getvalue()


def golden_from(content: bytes) -> Golden:
    """The golden requests of a .npz file. Raises KeyError or ValueError where the file is something else."""
    with np.load(io.BytesIO(content)) as arrays:
        queries = {name.removeprefix(QUERY_PREFIX): arrays[name] for name in arrays if name.startswith(QUERY_PREFIX)}
        unseen = arrays.get("unseen_scores")
        return Golden(queries, arrays["embeddings"], arrays["nearest"], arrays["candidates"], arrays["scores"], unseen)
