"""What is declared of v2 tensors is looked at before anything is made of them."""

from typing import Any

import pytest
from kserve import InferRequest
from kserve.protocol.infer_type import InferInput, RequestedOutput

from contracts.errors import InvalidInput
from serving.api.kserve_models import instances_of_v1, instances_of_v2, outputs_of_v2


def instances(*tensors: tuple[str, list[Any], str, list[Any]]) -> list[dict[str, Any]]:
    inputs = [InferInput(name, shape, datatype, data) for name, shape, datatype, data in tensors]
    return instances_of_v2(InferRequest("recommender", inputs))


def test_rows_and_tensors_are_counted_before_they_are_multiplied() -> None:
    with pytest.raises(InvalidInput, match="80000 instances were sent, 1 to 64"):
        instances(("n", [80_000], "INT32", [1] * 80_000), ("user_id", [1], "BYTES", ["1"]))
    with pytest.raises(InvalidInput, match="1000 inputs were sent, at most 64 are looked at"):
        instances(*[(f"t{number}", [1], "INT32", [1]) for number in range(1000)])
    with pytest.raises(InvalidInput, match="2 inputs were sent, and some of them have the same name"):
        instances(*[("n", [1], "INT32", [1])] * 2)


@pytest.mark.parametrize("shape", [[], [1, 1, 1], [-1], [1, -1], ["1"], [1.0], [True], [None]])
def test_a_shape_that_is_none_is_refused(shape: list[Any]) -> None:
    with pytest.raises(InvalidInput, match=r"expected \[batch\] or \[batch, k\]"):
        instances(("user_id", shape, "BYTES", ["1"]))


@pytest.mark.parametrize(
    ("shape", "said"), [([0], "0 instances"), ([65], "65 instances"), ([1, 1001], "lists of 1001")]
)
def test_a_shape_beyond_the_limits_is_refused(shape: list[int], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        instances(("user_id", shape, "BYTES", ["1"]))


@pytest.mark.parametrize("data", [[], [1, 2], [[1], [2]], ["x"], [None], [{}]])
def test_data_that_is_not_as_declared_is_refused(data: list[Any]) -> None:
    with pytest.raises(InvalidInput, match="cannot be read as INT32 of shape"):
        instances(("n", [1], "INT32", data))


def outputs(*names: str) -> list[str]:
    asked = [RequestedOutput(name) for name in names]
    return outputs_of_v2(InferRequest("recommender", [], request_outputs=asked))


def test_outputs_are_those_asked_for_and_all_where_none_is_named() -> None:
    assert outputs() == ["item_ids", "scores"]
    assert outputs("scores", "scores") == ["scores"]
    assert outputs("scores", "item_ids") == ["scores", "item_ids"]


def test_an_output_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"no output 'score' \(did you mean 'scores'\?\); there is item_ids, scores"):
        outputs("item_ids", "score")
    with pytest.raises(InvalidInput, match="65 outputs were asked for, at most 64"):
        outputs(*map(str, range(65)))


def test_columns_become_rows() -> None:
    found = instances(
        ("user_id", [2], "BYTES", ["a", "b"]),
        ("item_ids", [2, 2], "BYTES", ["x", "", "y", "z"]),
        ("context", [1, 1], "BYTES", ["c"]),
    )
    assert found == [
        {"user_id": "a", "item_ids": ["x"], "context": ["c"]},
        {"user_id": "b", "item_ids": ["y", "z"], "context": ["c"]},
    ]


def test_nesting_without_end_is_no_json_of_ours() -> None:
    with pytest.raises(InvalidInput, match="not JSON: recursion limit"):
        instances_of_v1(b"[" * 100_000)
