"""A Keras model as SavedModel and as ONNX, which must agree."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph

from contracts.bundle.files import SAVED_MODELS
from contracts.errors import TandemError
from contracts.features import encoding
from training.keras2 import keras, tf, tf2onnx

PARITY_ROWS = 3


PARITY_TOLERANCE = 1e-4  # 1e-6 was measured; embeddings are of size 1


ONNX_OPSET = 17  # the newest that tf2onnx 1.17 writes and every ONNX Runtime since 1.13 reads


def export_model(name: str, model: keras.Model, inputs: dict[str, tf.TensorSpec], folder: Path) -> None:
    """Writes saved_model/<name> and <name>.onnx, both with the inputs under the given names."""
    folder.mkdir(parents=True, exist_ok=True)

    def call(*tensors: tf.Tensor) -> tf.Tensor:
        named = dict(zip(inputs, tensors, strict=True))
        return model(named if len(named) > 1 else tensors[0])

    signature = [tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in inputs.items()]
    function = tf.function(call, input_signature=signature, autograph=False)
    function.get_concrete_function()  # a model has its weights once it was called
    # Not the model itself: Keras would trace each layer's own functions as well, which nobody calls.
    saved = tf.Module()
    saved.weights = model.weights
    tf.saved_model.save(saved, str(folder / SAVED_MODELS / name), signatures=function)
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
