"""What of two bundles is the same, what is within a tolerance, what weights explain, and what is another bundle."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import helper, numpy_helper

from tests.support.bundles.sealed import make_bundle
from training.release.comparison import ComparedPart, Verdict, compared, reproduced

EMBEDDINGS, ITEMS = "item_embeddings.npy", "items.npz"


def array_file(array: npt.NDArray[Any]) -> bytes:
    into = io.BytesIO()
    np.save(into, array)
    return into.getvalue()


def arrays_file(**arrays: Any) -> bytes:
    into = io.BytesIO()
    np.savez(into, **arrays)
    return into.getvalue()


def model(weights: npt.NDArray[Any], constant: str, *axes: int) -> bytes:
    """A graph with one weight and constants, in an order and under names of its own, as the exporter leaves them."""
    made_up = [numpy_helper.from_array(np.array([axis]), f"const_{constant}__{axis}") for axis in axes]
    parts = [*made_up, numpy_helper.from_array(weights, f"ranker_{axes[0]}/dense_{axes[0]}/kernel__{axes[0]}")]
    content: bytes = helper.make_model(helper.make_graph([], "g", [], [], parts)).SerializeToString()
    return content


def parts(
    tmp_path: Path,
    before: dict[str, bytes],
    again: dict[str, bytes],
    metrics: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> dict[str, ComparedPart]:
    one = make_bundle(tmp_path / "before", before, metrics=metrics[0])
    other = make_bundle(tmp_path / "again", again, metrics=metrics[1])
    return {part.name: part for part in compared(one, other, 0.01)}


def test_bytes_and_values_that_are_the_same(tmp_path: Path) -> None:
    weights = np.array([[1.0, 2.0]], np.float32)
    plain, packed, columns = io.BytesIO(), io.BytesIO(), pa.table({"user_id": ["u"], "score": [1.5]})
    pq.write_table(columns, plain, compression="none")
    pq.write_table(columns, packed, compression="zstd")
    one = {"display.json": b"{}", "ranker.onnx": model(weights, "axes", 1, 2), "reference.parquet": plain.getvalue()}
    two = {"display.json": b"{}", "ranker.onnx": model(weights, "starts", 2, 1), "reference.parquet": packed.getvalue()}
    found = parts(tmp_path, one, two)
    assert {part.verdict for part in found.values()} == {Verdict.EQUAL}
    assert found["display.json"].words == ""
    assert found["ranker.onnx"].words == found["reference.parquet"].words == "the same values in other bytes"


def test_other_weights_and_other_constants_are_found(tmp_path: Path) -> None:
    one = {"ranker.onnx": model(np.array([1.0]), "axes", 1, 2)}
    assert parts(tmp_path / "w", one, {"ranker.onnx": model(np.array([2.0]), "axes", 1, 2)})["ranker.onnx"].words == (
        "values up to 1.0e+00 apart, of the largest"
    )
    constants = parts(tmp_path / "c", one, {"ranker.onnx": model(np.array([1.0]), "axes", 1, 3)})
    assert constants["ranker.onnx"].verdict is Verdict.TRAINED


def test_rounding_is_within_the_tolerance_relative_to_the_largest_value(tmp_path: Path) -> None:
    """0.001 of 100 is 1e-5."""
    one = {EMBEDDINGS: array_file(np.array([100.0, 1.0]))}
    two = {EMBEDDINGS: array_file(np.array([100.0, 1.001]))}
    found = parts(tmp_path, one, two)[EMBEDDINGS]
    assert (found.verdict, found.words) == (Verdict.WITHIN, "values up to 1.0e-05 apart, of the largest")


def test_weights_may_differ_and_data_may_not(tmp_path: Path) -> None:
    one = {EMBEDDINGS: array_file(np.array([1.0])), ITEMS: arrays_file(prices=np.array([2.0, np.nan]))}
    two = {EMBEDDINGS: array_file(np.array([0.5])), ITEMS: arrays_file(prices=np.array([3.0, np.nan]))}
    found = parts(tmp_path, one, two)
    assert found[EMBEDDINGS].verdict is Verdict.TRAINED and reproduced([found[EMBEDDINGS]])
    assert (found[ITEMS].verdict, found[ITEMS].words) == (Verdict.DIFFERS, "values up to 5.0e-01 apart, of the largest")
    assert not reproduced(list(found.values()))


def test_what_becomes_unknown_is_another_value(tmp_path: Path) -> None:
    one, two = ({ITEMS: arrays_file(prices=np.array([2.0, last]))} for last in (0.0, np.nan))
    assert parts(tmp_path, one, two)[ITEMS].verdict is Verdict.DIFFERS


def test_other_shapes_texts_and_arrays_are_named(tmp_path: Path) -> None:
    one = {"a.npz": arrays_file(x=np.zeros(2)), "b.npz": arrays_file(x=np.array(["a"])), "c.npz": arrays_file(x=[1])}
    two = {"a.npz": arrays_file(x=np.ones(3)), "b.npz": arrays_file(x=np.array(["b"])), "c.npz": arrays_file(y=[1])}
    found = parts(tmp_path, one, two)
    assert {(part.verdict, part.words) for part in found.values()} == {(Verdict.DIFFERS, "of other shape or texts")}


def test_files_of_one_side_alone_and_files_that_nothing_reads(tmp_path: Path) -> None:
    one = {"vocabularies.json": b"{}", "model_card.md": b"a", "segments.npz": arrays_file(x=[1])}
    two = {"vocabularies.json": b"[]", "model_card.md": b"b", "evaluation.parquet": b""}
    said = {name: (part.verdict, part.words) for name, part in parts(tmp_path, one, two).items()}
    assert said == {
        "vocabularies.json": (Verdict.DIFFERS, "other bytes"),
        "model_card.md": (Verdict.TRAINED, "other bytes"),
        "segments.npz": (Verdict.DIFFERS, "only in the recorded bundle"),
        "evaluation.parquet": (Verdict.TRAINED, "only in the one made again"),
    }


def test_metrics_are_held_to_the_tolerance(tmp_path: Path) -> None:
    """0.300 to 0.305 is within 0.01, 0.10 to 0.12 is not."""

    def measured(ndcg: float, recall: float) -> dict[str, Any]:
        return {"all_items": {"final_list": {"ndcg@20": ndcg, "recall@20": recall}}}

    found = parts(tmp_path, {"x": b""}, {"x": b""}, (measured(0.3, 0.1), measured(0.305, 0.12)))
    ndcg, recall = found["all_items final_list ndcg@20"], found["all_items final_list recall@20"]
    assert (ndcg.verdict, ndcg.words) == (Verdict.WITHIN, "0.3000 recorded, 0.3050 made again")
    assert recall.verdict is Verdict.DIFFERS
    alone = parts(tmp_path / "alone", {"x": b""}, {"x": b""}, (measured(0.3, 0.1), {}))
    assert alone["all_items final_list ndcg@20"].words == "measured on one side alone"
