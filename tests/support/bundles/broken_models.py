"""Rankers and towers that load as they must and then do harm."""

from onnx import GraphProto, ModelProto, TensorProto, helper

from contracts.features import encoding

MANY = 2**62


def _ranker(nodes: list[object], width: int) -> bytes:
    """A model of [1, k, width] inputs and [1, k] scores, in ONNX's format."""
    inputs = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, [1, None, width])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, None])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [2])
    graph = helper.make_graph(nodes, "ranker", [inputs], [scores], [axes])
    return _model(graph)


def _model(graph: GraphProto) -> bytes:
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def looping(width: int, times: int = MANY) -> bytes:
    """Computes with the scores, over and over: 2^62 times is 100 years."""
    fixed = helper.make_tensor("t", TensorProto.INT64, [], [times])
    return _looping(width, [helper.make_node("Constant", [], ["times"], value=fixed)])


def looping_for(width: int, above: float) -> bytes:
    """Sums each candidate's features, and never ends where one of them is above a number."""
    return _looping(width, _times_above("inputs", above))


def _times_above(name: str, above: float) -> list[object]:
    """How often to loop: without end where one of the input's values is above a number."""
    numbers = {"above": (TensorProto.FLOAT, above), "many": (TensorProto.INT64, MANY), "none": (TensorProto.INT64, 0)}
    constants = [
        helper.make_node("Constant", [], [constant], value=helper.make_tensor(constant, kind, [], [number]))
        for constant, (kind, number) in numbers.items()
    ]
    return [
        *constants,
        helper.make_node("ReduceMax", [name], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "above"], ["is_above"]),
        helper.make_node("Where", ["is_above", "many", "none"], ["times"]),
    ]


def tower_looping_for(sizes: dict[str, int], embedding_dim: int, above: float) -> bytes:
    """A candidate tower that gives the same for every item, and never ends where a statistic is above a number.

    sizes: how wide content, statistics and text are.
    """
    whole = {encoding.ITEM, encoding.CONTENT}
    inputs = [
        helper.make_tensor_value_info(
            name,
            TensorProto.INT32 if name in whole else TensorProto.FLOAT,
            [None, sizes[name]] if name in sizes else [None],
        )
        for name in (encoding.ITEM, encoding.CONTENT, encoding.ITEM_STATISTICS_INPUT, encoding.TEXT)
    ]
    width = sizes[encoding.ITEM_STATISTICS_INPUT]
    zeros = helper.make_tensor("weights", TensorProto.FLOAT, [width, embedding_dim], [0.0] * width * embedding_dim)
    nodes = [
        *_times_above(encoding.ITEM_STATISTICS_INPUT, above),
        helper.make_node("Constant", [], ["true"], value=helper.make_tensor("b", TensorProto.BOOL, [], [True])),
        helper.make_node("MatMul", [encoding.ITEM_STATISTICS_INPUT, "weights"], ["sum"]),
        helper.make_node("Loop", ["times", "true", "sum"], ["embeddings"], body=_endless_body()),
    ]
    outputs = [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [None, embedding_dim])]
    return _model(helper.make_graph(nodes, "tower", inputs, outputs, [zeros]))


def _looping(width: int, times: list[object]) -> bytes:
    """times: the nodes that compute how often."""
    true = helper.make_node("Constant", [], ["true"], value=helper.make_tensor("b", TensorProto.BOOL, [], [True]))
    summed = helper.make_node("ReduceSum", ["inputs", "axes"], ["sum"], keepdims=0)
    loop = helper.make_node("Loop", ["times", "true", "sum"], ["scores"], body=_endless_body())
    return _ranker([*times, true, summed, loop], width)


def _endless_body() -> GraphProto:
    """Of a loop over one value."""
    condition = helper.make_tensor_value_info("condition", TensorProto.BOOL, [])
    at = helper.make_tensor_value_info("at", TensorProto.INT64, [])
    before, after = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("before", "after"))
    going = helper.make_tensor_value_info("going", TensorProto.BOOL, [])
    return helper.make_graph(
        [helper.make_node("Identity", ["condition"], ["going"]), helper.make_node("Sin", ["before"], ["after"])],
        "body",
        [at, condition, before],
        [going, after],
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
