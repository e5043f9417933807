"""Gradient-boosted trees as an ONNX graph that decides as scikit-learn does, on the inputs of the neural ranker.

ONNX Runtime scores a list seven times as fast as scikit-learn, so it scores in training as it does where it serves.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier

from contracts.arrays import Floats
from contracts.errors import TandemError
from training.threads import one_thread

OPSET = 17
TREES_OPSET = 3  # of ai.onnx.ml: TreeEnsembleRegressor, in every ONNX Runtime since 1.11
IR_VERSION = 8
PARITY_TOLERANCE = 1e-4  # 3e-6 was measured; a branch taken wrongly differs by more


def as_onnx(trees: HistGradientBoostingClassifier) -> onnx.ModelProto:
    """[batch, candidates, features] to [batch, candidates] log-odds, by the names that the neural ranker has."""
    width = int(trees.n_features_in_)
    inputs = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [None, None, width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, None])
    constants = [
        helper.make_tensor("rows", TensorProto.INT64, [2], [-1, width]),
        helper.make_tensor("start", TensorProto.INT64, [1], [0]),
        helper.make_tensor("end", TensorProto.INT64, [1], [2]),
    ]
    nodes = [
        helper.make_node("Reshape", ["inputs", "rows"], ["flat"]),
        helper.make_node("TreeEnsembleRegressor", ["flat"], ["sums"], domain="ai.onnx.ml", **_ensemble(trees)),
        helper.make_node("Shape", ["inputs"], ["shape"]),
        helper.make_node("Slice", ["shape", "start", "end"], ["lists"]),
        helper.make_node("Reshape", ["sums", "lists"], ["scores"]),
    ]
    graph = helper.make_graph(nodes, "trees", [inputs], [scores], constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def scorer(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The forest, ready to score; one thread is faster than two on lists of hundreds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check_parity(session: onnxruntime.InferenceSession, trees: HistGradientBoostingClassifier, sample: Floats) -> None:
    """Raises TandemError where the forest scores the [rows, features] sample otherwise than the trees do."""
    (found,) = session.run(None, {"inputs": sample[np.newaxis]})
    with one_thread():
        difference = float(np.abs(found[0] - trees.decision_function(sample)).max(initial=0.0))
    if difference > PARITY_TOLERANCE:
        raise TandemError(f"The ONNX forest differs from scikit-learn's trees by {difference:.2g} on the same input.")


def _ensemble(trees: HistGradientBoostingClassifier) -> dict[str, Any]:
    """Attributes of TreeEnsembleRegressor. Row i of the node arrays is one node; nodes of a tree follow each other."""
    # scikit-learn has no public view of the nodes; skl2onnx reads the same. The parity check guards it.
    forest = [predictor.nodes for (predictor,) in trees._predictors]
    sizes = [len(nodes) for nodes in forest]
    nodes = np.concatenate(forest)
    tree_ids = np.repeat(np.arange(len(forest)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    leaf = nodes["is_leaf"].astype(bool)
    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_featureids": np.where(leaf, 0, nodes["feature_idx"]).tolist(),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values": _rounded_down(np.where(leaf, 0.0, nodes["num_threshold"])).tolist(),
        "nodes_truenodeids": np.where(leaf, 0, nodes["left"]).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, nodes["right"]).tolist(),
        "target_treeids": tree_ids[leaf].tolist(),
        "target_nodeids": node_ids[leaf].tolist(),
        "target_ids": [0] * int(leaf.sum()),
        "target_weights": nodes["value"][leaf].astype(np.float32).tolist(),
        "base_values": [float(trees._baseline_prediction.item())],
        "n_targets": 1,
    }


def _rounded_down(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The largest float32 that is not above each threshold: for a float32 x, x <= both or x > both."""
    near = thresholds.astype(np.float32)
    below: npt.NDArray[np.float32] = np.nextafter(near, np.float32(-np.inf))
    return np.where(near > thresholds, below, near)
