"""Small ONNX graphs that are written by hand: what they need of the format, in one place."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
KINDS = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
Shape = Sequence[int | str | None]


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[npt.DTypeLike, Shape]],
    output: tuple[str, Shape],
    constants: Mapping[str, npt.ArrayLike],
) -> None:
    """Checks the graph and writes it. inputs and output: name, type and shape, where None is any size.

    constants: by name; they keep their numpy types, so say float32.
    """
    described = [
        helper.make_tensor_value_info(name, KINDS[np.dtype(t).name], shape) for name, (t, shape) in inputs.items()
    ]
    result = helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), path.stem, described, [result], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
