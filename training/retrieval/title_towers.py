"""Towers without training: an item is the vector of its title, a user the mean of what they last chose.

They serve until trained towers are there, and answer the same calls: nearest items, similar items, places of new items.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from onnx import helper

from contracts.arrays import Floats
from contracts.bundle.files import CANDIDATE_TOWER, INDEX, QUERY_TOWER
from contracts.features import encoding, names
from contracts.features.text import TEXT_DIM
from training.dataset.dataset import Dataset
from training.onnx_graph import save_graph
from training.retrieval.embeddings import Embeddings
from training.retrieval.index import build_index, save_index
from training.settings import FLAT, IndexSettings

TINY = np.float32(1e-9)


def write_title_towers(dataset: Dataset, folder: Path) -> None:
    """Both towers, their embeddings as of the end of the data, and the index."""
    export_title_towers(dataset.text, folder)
    # Equal titles have equal vectors, so no inverted file finds "the" nearest: all items are compared.
    moment, settings = dataset.moment(dataset.timeline.data_end), IndexSettings(factory=FLAT)
    session = onnxruntime.InferenceSession(str(folder / QUERY_TOWER), providers=["CPUExecutionProvider"])
    (queries,) = session.run(None, moment.queries)
    Embeddings(folder).save(moment.seconds, queries, dataset.text, settings)
    save_index(build_index(dataset.text, queries, settings), folder / INDEX)


def export_title_towers(text: Floats, folder: Path) -> None:
    """query_tower.onnx and candidate_tower.onnx, with the inputs of trained ones.

    text: [num_items, TEXT_DIM], rows of length 1 or 0. A user without a choice gets zeros, which nothing is near to.
    """
    save_graph(
        folder / QUERY_TOWER,
        [
            helper.make_node("Gather", ["titles", encoding.SEQUENCE], ["chosen"], axis=0),
            helper.make_node("ReduceSum", ["chosen", "places"], ["sum"], keepdims=0),
            helper.make_node("ReduceL2", ["sum"], ["length"], axes=[1], keepdims=1),
            helper.make_node("Max", ["length", "tiny"], ["divisor"]),
            helper.make_node("Div", ["sum", "divisor"], ["embedding"]),
        ],
        {
            encoding.USER: (np.int32, [None]),
            encoding.PROFILE: (np.int32, [None, len(names.USER_PROFILE)]),
            encoding.STATISTICS: (np.float32, [None, len(names.USER_STATISTICS)]),
            encoding.SEQUENCE: (np.int32, [None, names.SEQUENCE_LENGTH]),
            encoding.SEQUENCE_TYPES: (np.int32, [None, names.SEQUENCE_LENGTH]),
            encoding.SEQUENCE_DAYS: (np.float32, [None, names.SEQUENCE_LENGTH]),
            encoding.HOUR: (np.int32, [None]),
            encoding.WEEKDAY: (np.int32, [None]),
        },
        ("embedding", [None, TEXT_DIM]),
        {
            # Code 0 stands for an empty place, or for an item that the catalogue lacks: it adds nothing.
            "titles": np.concatenate([np.zeros((1, TEXT_DIM), np.float32), text]),
            "places": np.array([1], np.int64),
            "tiny": np.array([TINY]),
        },
    )
    save_graph(
        folder / CANDIDATE_TOWER,
        [helper.make_node("Identity", [encoding.TEXT], ["embedding"])],
        {
            encoding.ITEM: (np.int32, [None]),
            encoding.CONTENT: (np.int32, [None, len(names.ITEM_CONTENT)]),
            encoding.ITEM_STATISTICS_INPUT: (np.float32, [None, len(names.ITEM_STATISTICS)]),
            encoding.TEXT: (np.float32, [None, TEXT_DIM]),
        },
        ("embedding", [None, TEXT_DIM]),
        {},
    )
