"""Towers from titles, on vectors whose mean is plain."""

from pathlib import Path

import numpy as np
import onnxruntime

from contracts.bundle.files import CANDIDATE_TOWER, QUERY_TOWER
from contracts.features import encoding, names
from contracts.features.text import TEXT_DIM
from training.retrieval.title_towers import export_title_towers

ITEMS = np.eye(3, TEXT_DIM, dtype=np.float32)  # three items whose titles share nothing


def queries_of(sequences: list[list[int]], folder: Path) -> np.ndarray[tuple[int, ...], np.dtype]:
    """[users, TEXT_DIM] of sequences of item codes, 1 for row 0."""
    session = onnxruntime.InferenceSession(str(folder / QUERY_TOWER))
    kinds = {"tensor(int32)": np.int32, "tensor(float)": np.float32}
    asked = {one.name: np.zeros([len(sequences), *one.shape[1:]], kinds[one.type]) for one in session.get_inputs()}
    for row, sequence in enumerate(sequences):
        asked[encoding.SEQUENCE][row, : len(sequence)] = sequence
    found: np.ndarray[tuple[int, ...], np.dtype] = session.run(None, asked)[0]
    return found


def test_a_user_is_the_mean_of_the_items_chosen_and_of_length_1(tmp_path: Path) -> None:
    export_title_towers(ITEMS, tmp_path)
    found = queries_of([[1, 1, 1, 2, 2, 2, 2], [3]], tmp_path)
    # (3, 4, 0) has length 5.
    np.testing.assert_allclose(found[:, :3], [[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], rtol=1e-6)
    assert not found[:, 3:].any()


def test_a_user_who_chose_nothing_that_is_known_is_near_to_nothing(tmp_path: Path) -> None:
    export_title_towers(ITEMS, tmp_path)
    assert not queries_of([[], [0, 0]], tmp_path).any()


def test_an_item_is_where_its_title_is_and_inputs_are_those_of_trained_towers(tmp_path: Path) -> None:
    export_title_towers(ITEMS, tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / CANDIDATE_TOWER))
    asked = encoding.candidate_inputs(
        np.zeros(3, np.int32),
        np.zeros((3, len(names.ITEM_CONTENT)), np.int32),
        np.zeros((3, len(names.ITEM_STATISTICS)), np.float32),
        ITEMS,
    )
    np.testing.assert_array_equal(session.run(None, asked)[0], ITEMS)
