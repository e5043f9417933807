"""Rankers that load as a ranker must and then do harm."""

from onnx import ModelProto, TensorProto, helper

MANY = 2**62


def _ranker(nodes: list[object], width: int) -> bytes:
    """A model of [1, k, width] inputs and [1, k] scores, in ONNX's format."""
    inputs = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [1, None, width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, None])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [2])
    graph = helper.make_graph(nodes, "ranker", [inputs], [scores], [axes])
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def looping(width: int, times: int = MANY) -> bytes:
    """Computes with the scores, over and over: 2^62 times is 100 years."""
    fixed = helper.make_tensor("t", TensorProto.INT64, [], [times])
    return _looping(width, [helper.make_node("Constant", [], ["times"], value=fixed)])


def looping_for(width: int, above: float) -> bytes:
    """Sums each candidate's features, and never ends where one of them is above a number."""
    numbers = {"above": (TensorProto.FLOAT, above), "many": (TensorProto.INT64, MANY), "none": (TensorProto.INT64, 0)}
    constants = [
        helper.make_node("Constant", [], [name], value=helper.make_tensor(name, kind, [], [number]))
        for name, (kind, number) in numbers.items()
    ]
    return _looping(
        width,
        [
            *constants,
            helper.make_node("ReduceMax", ["inputs"], ["most"], keepdims=0),
            helper.make_node("Greater", ["most", "above"], ["is_above"]),
            helper.make_node("Where", ["is_above", "many", "none"], ["times"]),
        ],
    )


def _looping(width: int, times: list[object]) -> bytes:
    """times: the nodes that compute how often."""
    condition = helper.make_tensor_value_info("condition", TensorProto.BOOL, [])
    at = helper.make_tensor_value_info("at", TensorProto.INT64, [])
    before, after = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("before", "after"))
    going = helper.make_tensor_value_info("going", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["condition"], ["going"]), helper.make_node("Sin", ["before"], ["after"])],
        "body",
        [at, condition, before],
        [going, after],
    )
    true = helper.make_node("Constant", [], ["true"], value=helper.make_tensor("b", TensorProto.BOOL, [], [True]))
    summed = helper.make_node("ReduceSum", ["inputs", "axes"], ["sum"], keepdims=0)
    return _ranker(
        [*times, true, summed, helper.make_node("Loop", ["times", "true", "sum"], ["scores"], body=body)], width
    )


def greedy(width: int, gigabytes: int = 7) -> bytes:
    """Fills so much memory with zeros, of which it adds one to the scores."""
    shape = helper.make_tensor("s", TensorProto.INT64, [1], [gigabytes * 2**28])
    first = helper.make_tensor("f", TensorProto.INT64, [1], [0])
    return _ranker(
        [
            helper.make_node("ReduceSum", ["inputs", "axes"], ["sum"], keepdims=0),
            helper.make_node("Constant", [], ["size"], value=shape),
            helper.make_node("Constant", [], ["first"], value=first),
            helper.make_node("ReduceMax", ["inputs"], ["most"], keepdims=0),
            helper.make_node("Cast", ["most"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Mul", ["whole", "first"], ["nothing"]),  # from the input, or it is folded at load
            helper.make_node("Add", ["size", "nothing"], ["asked"]),
            helper.make_node("ConstantOfShape", ["asked"], ["zeros"]),
            helper.make_node("Gather", ["zeros", "first"], ["zero"]),
            helper.make_node("Add", ["sum", "zero"], ["scores"]),
        ],
        width,
    )
