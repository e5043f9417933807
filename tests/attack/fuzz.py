"""Random requests of one protocol: seeded, so that a run can be repeated."""

import random
from collections.abc import Iterator
from typing import Any

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs

from tests.attack.sending import WITH_KEY, Asked, Outcome, asked
from tests.attack.server import KEY, Attacked

SEED = 19
PATHS = {
    "v1": ("/v1/models/{}:predict", "/v1/models/recommender:predict", "/v1/models/ranking:predict", "/v1/models/{}"),
    "v2": ("/v2/models/{}/infer", "/v2/models/recommender/infer", "/v2/models/retrieval/infer", "/v2/models/{}/{}"),
    "REST": (
        "/recommendations/{}", "/users/{}/history", "/items/{}/similar", "/items/{}/also-bought", "/explain/{}/{}",
        "/{}", "/recommendations?{}", "/recommendations/1?only={}&n={}", "/events", "/items", "/recommendations",
        "/recommendations/{}?explain=true&context={}", "/admin/bundle?{}",
    ),
}  # fmt: skip
PIECES = ("1", "%2F", "%00", "%ff", "a%0Ab", "recommender", "🙂", "..", "%25", "x" * 300, "-1", "1e309", "NaN", "")
VALUES: tuple[Any, ...] = (None, True, -1, 1e308, "", "1", "x" * 300, [], {}, ["1"], [[]], {"user_id": "1"}, "\ud83d")
NAMES = (
    "instances", "inputs", "requests", "events", "user_id", "item_ids", "n", "only", "name", "shape", "data", "id",
    "datatype", "event_type", "explain", "filters", "context", "page", "parameters", "price",
)  # fmt: skip
KINDS = ("BYTES", "INT32", "FP32", "BOOL", "INT64", "", "FP16", "x")
GRPC_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED,
)  # fmt: skip


def fuzz_http(server: Attacked, protocol: str, count: int) -> Outcome:
    """Random bodies, headers and paths of one protocol."""
    return asked(server, _requests(random.Random(f"{SEED} {protocol}"), PATHS[protocol], count))


def fuzz_grpc(server: Attacked, count: int) -> Outcome:
    """Random tensors for random models."""
    draw = random.Random(f"{SEED} gRPC")
    failures = 0
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        for _ in range(count):
            metadata = draw.choice([[], [("authorization", f"Bearer {KEY}")]])
            try:
                stub.ModelInfer(_call(draw), metadata=metadata, timeout=60)
            except grpc.RpcError as error:
                failures += error.code() not in GRPC_REFUSALS
    return Outcome(count, failures)


def _requests(draw: random.Random, paths: tuple[str, ...], count: int) -> Iterator[Asked]:
    for _ in range(count):
        path = "".join(draw.choice(PIECES) if part == "{}" else part for part in _split(draw.choice(paths)))
        headers = draw.choice([{}, WITH_KEY, {"content-type": "x"}, {"x-tandem-slot": "green", "x-tandem-mirror": "1"}])
        method = draw.choice(["GET", "POST", "POST", "HEAD", "PUT", "DELETE"])
        yield method, path, headers, _value(draw, 4)


def _value(draw: random.Random, depth: int) -> Any:
    if depth and draw.random() < 0.6:
        if draw.random() < 0.5:
            return {draw.choice(NAMES): _value(draw, depth - 1) for _ in range(draw.randrange(4))}
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    return draw.choice(VALUES)


def _split(path: str) -> list[str]:
    return [piece for part in path.split("{}") for piece in (part, "{}")][:-1]


def _call(draw: random.Random) -> pb.ModelInferRequest:
    tensors = [_tensor(draw) for _ in range(draw.randrange(5))]
    raw = [draw.randbytes(draw.randrange(20)) for _ in range(draw.choice([0, 0, 1, len(tensors)]))]
    name = draw.choice(["recommender", "ranking", "retrieval", "", "x" * 300])
    return pb.ModelInferRequest(model_name=name, inputs=tensors, raw_input_contents=raw)


def _tensor(draw: random.Random) -> pb.ModelInferRequest.InferInputTensor:
    contents = pb.InferTensorContents(
        bytes_contents=[draw.choice([b"1", b"\xff", b"", b"x" * 300]) for _ in range(draw.randrange(3))],
        int_contents=[draw.choice([1, -1, 2**31 - 1]) for _ in range(draw.randrange(3))],
        fp32_contents=[draw.choice([1.0, float("nan"), 3e38]) for _ in range(draw.randrange(3))],
    )
    shape = [draw.choice([0, 1, 2, -1, 2**40]) for _ in range(draw.randrange(4))]
    return pb.ModelInferRequest.InferInputTensor(
        name=draw.choice(NAMES), datatype=draw.choice(KINDS), shape=shape, contents=contents
    )
