"""The towers' exports."""

from pathlib import Path

from contracts.features import encoding, names
from contracts.features.text import TEXT_DIM
from training.keras2 import tf
from training.onnx_export import export_model
from training.retrieval.fit import Towers


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
    export_model("query_tower", towers.model.query_tower, query, folder)
    export_model("candidate_tower", towers.model.candidate_tower, candidate, folder)
