"""Files that one training step leaves for the next, and the model exports that go into the bundle."""

from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph

from contracts import encoding
from contracts import features as names
from contracts.arrays import Floats
from contracts.bundle import SAVED_MODELS
from contracts.errors import TandemError
from contracts.text import TEXT_DIM
from training.index import build_index, save_index
from training.keras2 import keras, tf, tf2onnx
from training.ranker import Ranker
from training.settings import IndexSettings
from training.two_tower import Towers

PARITY_ROWS = 3
PARITY_TOLERANCE = 1e-4  # 1e-6 was measured; embeddings are of size 1
ONNX_OPSET = 17  # the newest that tf2onnx 1.17 writes and every ONNX Runtime since 1.13 reads


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

    def save_strangers(self, seconds: int, queries: Floats) -> None:
        """queries [strangers, embedding_dim] of training.strangers as of a moment."""
        np.save(self.folder / f"strangers_{seconds}.npy", queries)

    def strangers(self, seconds: int) -> Floats:
        """[strangers, embedding_dim]; row i is the user_ids[i] of the moment's strangers."""
        return self._load(f"strangers_{seconds}.npy")

    def queries(self, seconds: int) -> Floats:
        """[users, embedding_dim]; row i is the moment's user_ids[i]."""
        return self._load(f"queries_{seconds}.npy")

    def items(self, seconds: int) -> Floats:
        """[num_items, embedding_dim]; row i is catalogue row i."""
        return self._load(f"items_{seconds}.npy")

    def index(self, seconds: int) -> faiss.Index:
        """Of the moment's items; candidates are looked up in it offline as in the server."""
        return faiss.read_index(str(self.index_path(seconds)))

    def index_path(self, seconds: int) -> Path:
        """Where it lies."""
        return self.folder / f"index_{seconds}.faiss"

    def _load(self, name: str) -> Floats:
        values: npt.NDArray[np.float32] = np.load(self.folder / name)
        return values


def export_towers(towers: Towers, folder: Path) -> None:
    """query_tower and candidate_tower, each as SavedModel and ONNX."""
    query = {
        encoding.USER: tf.TensorSpec([None], tf.int32),
        encoding.PROFILE: tf.TensorSpec([None, len(names.USER_PROFILE)], tf.int32),
        encoding.STATISTICS: tf.TensorSpec([None, len(names.USER_STATISTICS)], tf.float32),
        encoding.SEQUENCE: tf.TensorSpec([None, names.SEQUENCE_LENGTH], tf.int32),
        encoding.SEQUENCE_TYPES: tf.TensorSpec([None, names.SEQUENCE_LENGTH], tf.int32),
        encoding.SEQUENCE_DAYS: tf.TensorSpec([None, names.SEQUENCE_LENGTH], tf.float32),
        encoding.HOUR: tf.TensorSpec([None], tf.int32),
        encoding.WEEKDAY: tf.TensorSpec([None], tf.int32),
    }
    candidate = {
        encoding.ITEM: tf.TensorSpec([None], tf.int32),
        encoding.CONTENT: tf.TensorSpec([None, len(names.ITEM_CONTENT)], tf.int32),
        encoding.ITEM_STATISTICS_INPUT: tf.TensorSpec([None, len(names.ITEM_STATISTICS)], tf.float32),
        encoding.TEXT: tf.TensorSpec([None, TEXT_DIM], tf.float32),
    }
    _export("query_tower", towers.model.query_tower, query, folder)
    _export("candidate_tower", towers.model.candidate_tower, candidate, folder)


def export_ranker(ranker: Ranker, folder: Path) -> None:
    """ranker as SavedModel and ONNX: [batch, candidates, features] to [batch, candidates]."""
    _export("ranker", ranker, {"inputs": tf.TensorSpec([None, None, len(ranker.mean)], tf.float32)}, folder)


def _export(name: str, model: keras.Model, inputs: dict[str, tf.TensorSpec], folder: Path) -> None:
    """Writes saved_model/<name> and <name>.onnx, both with the inputs under the given names."""
    folder.mkdir(parents=True, exist_ok=True)

    def call(*tensors: tf.Tensor) -> tf.Tensor:
        named = dict(zip(inputs, tensors, strict=True))
        return model(named if len(named) > 1 else tensors[0])

    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in inputs.items()]
    function = tf.function(call, input_signature=signature)
    tf.saved_model.save(model, str(folder / SAVED_MODELS / name), signatures=function)
    path = folder / f"{name}.onnx"
    tf2onnx.convert.from_function(function, input_signature=signature, opset=ONNX_OPSET, output_path=str(path))
    _check_parity(path, function, inputs)


def _check_parity(path: Path, function: Callable[..., tf.Tensor], inputs: dict[str, tf.TensorSpec]) -> None:
    """Raises TandemError where ONNX Runtime and TensorFlow disagree: tf2onnx only logs what it could not convert."""
    shapes = {name: [size or PARITY_ROWS for size in spec.shape] for name, spec in inputs.items()}
    # A column that the source lacks has a code for the unknown alone, and that is 0.
    codes = {name: 0 if name in (encoding.PROFILE, encoding.CONTENT) else 1 for name in inputs}
    sample = {name: np.full(shapes[name], codes[name], spec.dtype.as_numpy_dtype) for name, spec in inputs.items()}
    try:
        (found,) = onnxruntime.InferenceSession(str(path)).run(None, sample)
    except (ValueError, Fail, InvalidGraph) as error:
        raise TandemError(f"{path.name} does not run in ONNX Runtime: {error}") from error
    difference = float(np.abs(function(*sample.values()).numpy() - found).max())
    if difference > PARITY_TOLERANCE:
        raise TandemError(f"{path.name} differs from its TensorFlow model by {difference:.2g} on the same input.")
