"""Files that one training step leaves for the next, and the model exports that go into the bundle."""

from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats
from contracts.ranking.neighbours import Neighbours, load_neighbours
from contracts.ranking.related import Related, load_related
from training.retrieval.index import build_index, save_index
from training.settings import IndexSettings


class Embeddings:
    """Query and item embeddings per moment, as the towers step left them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, seconds: int, queries: Floats, items: Floats, settings: IndexSettings) -> None:
        """queries [users, embedding_dim] and items [num_items, embedding_dim] as of a moment, and an index of these."""
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self.folder / f"queries_{seconds}.npy", queries)
        np.save(self.folder / f"items_{seconds}.npy", items)
        save_index(build_index(items, queries, settings), self.index_path(seconds))

    def save_cold_users(self, seconds: int, queries: Floats) -> None:
        """queries [cold users, embedding_dim] of training.dataset.cold_users as of a moment."""
        np.save(self.folder / f"cold_users_{seconds}.npy", queries)

    def cold_users(self, seconds: int) -> Floats:
        """[cold users, embedding_dim]; row i is the user_ids[i] of the moment's cold users."""
        return self._load(f"cold_users_{seconds}.npy")

    def queries(self, seconds: int) -> Floats:
        """[users, embedding_dim]; row i is the moment's user_ids[i]."""
        return self._load(f"queries_{seconds}.npy")

    def items(self, seconds: int) -> Floats:
        """[num_items, embedding_dim]; row i is catalogue row i."""
        return self._load(f"items_{seconds}.npy")

    def save_neighbours(self, seconds: int, neighbours: Neighbours) -> None:
        """Item-to-item weights as of a moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        neighbours.save(self.neighbours_path(seconds))

    def neighbours(self, seconds: int) -> Neighbours | None:
        """Item-to-item weights as of a moment; None where an earlier version wrote this folder."""
        path = self.neighbours_path(seconds)
        return load_neighbours(path) if path.is_file() else None

    def neighbours_path(self, seconds: int) -> Path:
        """Where they lie."""
        return self.folder / f"neighbours_{seconds}.npz"

    def save_related(self, seconds: int, related: Related) -> None:
        """What goes together as of a moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        related.save(self.related_path(seconds))

    def related(self, seconds: int) -> Related | None:
        """What goes together as of a moment; None where the step that wrote this folder did not count it."""
        path = self.related_path(seconds)
        return load_related(path) if path.is_file() else None

    def related_path(self, seconds: int) -> Path:
        """Where it lies."""
        return self.folder / f"related_{seconds}.npz"

    def index(self, seconds: int) -> faiss.Index:
        """Index of the moment's items; candidates are looked up in it offline as in the server."""
        return faiss.read_index(str(self.index_path(seconds)))

    def index_path(self, seconds: int) -> Path:
        """Where it lies."""
        return self.folder / f"index_{seconds}.faiss"

    def _load(self, name: str) -> Floats:
        values: npt.NDArray[np.float32] = np.load(self.folder / name)
        return values
