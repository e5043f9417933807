"""The neural ranker's export."""

from pathlib import Path

from training.keras2 import tf
from training.onnx_export import export_model
from training.ranking.neural import Ranker


def export_ranker(ranker: Ranker, folder: Path) -> None:
    """ranker as SavedModel and ONNX: [batch, candidates, features] to [batch, candidates]."""
    export_model("ranker", ranker, {"inputs": tf.TensorSpec([None, None, len(ranker.mean)], tf.float32)}, folder)
