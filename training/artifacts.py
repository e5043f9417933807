"""Files that one training step leaves for the next, and the model exports that go into the bundle."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from contracts import encoding
from contracts import features as names
from contracts.bundle import SAVED_MODELS
from contracts.ranking import RANKING_FEATURES, Floats
from training.keras2 import tf, tf2onnx
from training.ranker import Ranker
from training.two_tower import Towers

ONNX_OPSET = 17  # the newest that tf2onnx 1.17 writes and every ONNX Runtime since 1.13 reads


class Embeddings:
    """Query and item embeddings per moment, as the towers step left them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, seconds: int, queries: Floats, items: Floats) -> None:
        """queries [users, embedding_dim] and items [num_items, embedding_dim] as of a moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self.folder / f"queries_{seconds}.npy", queries)
        np.save(self.folder / f"items_{seconds}.npy", items)

    def queries(self, seconds: int) -> Floats:
        """[users, embedding_dim]; row i is the moment's user_ids[i]."""
        return self._load(f"queries_{seconds}.npy")

    def items(self, seconds: int) -> Floats:
        """[num_items, embedding_dim]; row i is catalogue row i."""
        return self._load(f"items_{seconds}.npy")

    def _load(self, name: str) -> Floats:
        values: npt.NDArray[np.float32] = np.load(self.folder / name)
        return values


def export_towers(towers: Towers, folder: Path) -> None:
    """query_tower and candidate_tower, each as SavedModel and ONNX."""
    integers, floats = tf.int32, tf.float32

    def spec(name: str, kind: tf.DType, *width: int) -> tf.TensorSpec:
        return tf.TensorSpec([None, *width], kind, name=name)

    query = [
        spec(encoding.USER, integers),
        spec(encoding.PROFILE, integers, len(names.USER_PROFILE)),
        spec(encoding.STATISTICS, floats, len(names.USER_STATISTICS)),
        spec(encoding.SEQUENCE, integers, names.SEQUENCE_LENGTH),
        spec(encoding.HOUR, integers),
        spec(encoding.WEEKDAY, integers),
    ]
    candidate = [
        spec(encoding.ITEM, integers),
        spec(encoding.CONTENT, integers, len(names.ITEM_CONTENT)),
        spec(encoding.ITEM_STATISTICS_INPUT, floats, len(names.ITEM_STATISTICS)),
    ]
    for name, tower, signature in (
        ("query_tower", towers.model.query_tower, query),
        ("candidate_tower", towers.model.candidate_tower, candidate),
    ):
        _export(name, lambda *inputs, t=tower, s=signature: t(_named(inputs, s)), tower, signature, folder)


def export_ranker(ranker: Ranker, folder: Path) -> None:
    """ranker as SavedModel and ONNX: [batch, candidates, features] to [batch, candidates]."""
    signature = [tf.TensorSpec([None, None, len(RANKING_FEATURES)], tf.float32, name="inputs")]
    _export("ranker", ranker, ranker, signature, folder)


def _named(inputs: Sequence[tf.Tensor], signature: Sequence[tf.TensorSpec]) -> dict[str, tf.Tensor]:
    return {spec.name: tensor for spec, tensor in zip(signature, inputs, strict=True)}


def _export(
    name: str, call: Callable[..., tf.Tensor], model: tf.Module, signature: list[tf.TensorSpec], folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    function = tf.function(call, input_signature=signature)
    tf.saved_model.save(model, str(folder / SAVED_MODELS / name), signatures=function)
    tf2onnx.convert.from_function(
        function, input_signature=signature, opset=ONNX_OPSET, output_path=str(folder / f"{name}.onnx")
    )
