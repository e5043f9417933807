"""Titles as vectors: what is near what, what is nothing, and vectors that a source brings."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.features.text import BUCKETS, TEXT_DIM, buckets_of, normalized, text_vectors
from tests.support.each import each
from training.dataset.item_text import fit_projection, item_text
from training.workspace import Workspace

TITLES = [
    "WHOLE MILK 1 GAL", "SKIM MILK 1 GAL", "CHOCOLATE MILK 12 OZ", "RYE BREAD 16 OZ", "WHEAT BREAD 20 OZ",
    "BREAD ROLLS 8 CT", "DISH SOAP LEMON", "HAND SOAP LEMON", "BAR SOAP 3 CT", "POTATO CHIPS 9 OZ", None, "12 345",
]  # fmt: skip


def test_a_word_is_itself_and_its_four_letter_pieces_and_numbers_are_nothing() -> None:
    assert len(buckets_of("Rye 16 OZ")) == 3 + 1  # rye, " rye", "rye "; oz
    assert buckets_of("MILK milk") == 2 * buckets_of("milk")
    assert buckets_of("12 345 x") == []
    assert all(0 <= bucket < BUCKETS for bucket in each(buckets_of("bread")))


def test_titles_with_words_in_common_are_near() -> None:
    vectors = text_vectors(TITLES, fit_projection(TITLES))
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > 0.4 > 0.1 > likeness[0, 3]
    assert likeness[3, 4] > 0.4 > 0.1 > likeness[3, 6]
    assert np.allclose((vectors[:10] ** 2).sum(axis=1), 1)
    assert not vectors[10:].any()  # no title, and none with a word in it


def test_a_title_that_training_has_not_seen_is_placed_by_its_words() -> None:
    projection = fit_projection(TITLES)
    known, new = text_vectors(TITLES, projection), text_vectors(["OAT MILK", "qqqq"], projection)
    assert np.argmax(known @ new[0]) in (0, 1, 2)
    assert np.linalg.norm(new[1]) <= 1.001


def test_a_catalogue_without_titles_has_no_text() -> None:
    for titles in ([], [None, "7"], ["milk"]):
        projection = fit_projection(titles)
        assert projection.shape == (BUCKETS, TEXT_DIM)
        assert not text_vectors(titles, projection).any()  # one title has nothing to differ from


def test_vectors_of_the_source_come_before_titles(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.ingested("item_vectors").parent.mkdir(parents=True)
    given = {"a": [1.0, 0, 0], "b": [0.9, 0.1, 0], "c": [0, 0, 1.0], "d": None}
    table = pa.table({"item_id": list(given), "vector": pa.array(given.values(), pa.list_(pa.float32()))})
    pq.write_table(table, workspace.ingested("item_vectors"))
    rows = item_text(workspace, ["a", "b", "c", "d", "e"], ["x"] * 5, fit_projection(["x"]))
    assert rows.shape == (5, TEXT_DIM)
    assert rows[0] @ rows[1] > 0.9 > abs(rows[0] @ rows[2])
    assert not rows[3:].any()


def test_a_row_without_length_stays_zero() -> None:
    scaled = normalized(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    assert np.allclose(scaled, np.array([[0.6, 0.8], [0, 0]]))
