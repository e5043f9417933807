"""Each attack sends its inputs and counts those that were not answered as they must be: 5xx, or no answer at all."""

import json
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import grpc
import httpx
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs

from tests.attack.server import KEY, Attacked

WITH_KEY = {"authorization": f"Bearer {KEY}"}
HEAD = b"GET /recommendations/1 HTTP/1.1\r\nhost: 127.0.0.1\r\n"
BODY = b"POST /v1/models/recommender:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9999\r\n\r\n"


class Outcome(NamedTuple):
    """Of one attack."""

    inputs: int
    failures: int


Attack = Callable[[Attacked, int], Outcome]


def tensors_beyond_memory(server: Attacked, times: int) -> Outcome:
    """More rows times tensors than memory holds, and shapes that are none."""
    rows = {"name": "n", "shape": [80_000], "datatype": "INT32", "data": [1] * 80_000}
    others = [{"name": f"t{number}", "shape": [1], "datatype": "INT32", "data": [1]} for number in range(1000)]
    odd = [{"inputs": [{"name": "user_id", "shape": shape, "datatype": "BYTES", "data": ["1"]}]}
           for shape in ([], [-1], [2**62], [1, 2**40], [0])]  # fmt: skip
    bodies = [{"inputs": [rows, *others]}, {"inputs": [others[0]] * 5000}, *odd]
    return _asked(server, [("POST", "/v2/models/recommender/infer", {}, body) for body in bodies * times])


def faults_without_end(server: Attacked, times: int) -> Outcome:
    """Unknown keys, wrong elements and nesting, by the ten thousand."""
    keys = {f"k{number}": 1 for number in range(60_000)}
    bodies: list[Any] = [
        {"requests": [{"user_id": "1", "only": [1] * 1000}] * 64},
        {"requests": [{"user_id": "1", **keys}]},
        keys,
    ]
    requests: list[tuple[str, str, dict[str, str], Any]] = [("POST", "/recommendations", {}, body) for body in bodies]
    requests += [("POST", "/events", WITH_KEY, body) for body in ({"events": [{"a": 1}] * 1000}, keys)]
    requests += [("POST", "/v1/models/recommender:predict", {}, b"[" * 500_000)]
    return _asked(server, requests * times)


def headers_without_end(server: Attacked, times: int) -> Outcome:
    """Fifty megabytes of headers, in one and in many."""
    many = [HEAD, *(b"x-%d: " % number + b"y" * 100_000 + b"\r\n" for number in range(500))]
    one = [HEAD + b"x: ", *([b"y" * 1_000_000] * 50)]
    return _said(server, [one, many, [HEAD + b"\r\n", *[HEAD + b"\r\n"] * 5000]] * times)


def clients_that_leave(server: Attacked, times: int) -> Outcome:
    """Bodies that are broken off."""
    return _said(server, [[BODY + b'{"instances": [']] * 50 * times, leave=True)


def fuzz(server: Attacked, times: int) -> Outcome:
    """Random bodies, headers and paths over every route; seeded."""
    return _asked(server, list(_random_requests(random.Random(19), 200 * times)))


def grpc_tensors(server: Attacked, times: int) -> Outcome:
    """Without a key, with too many tensors, with too long a message."""
    tensor = pb.ModelInferRequest.InferInputTensor
    rows = tensor(
        name="n", shape=[80_000], datatype="INT32", contents=pb.InferTensorContents(int_contents=[1] * 80_000)
    )
    inputs = [[rows], [tensor(name=f"t{number}") for number in range(50_000)], [tensor(name="user_id", shape=[])]]
    failures = 0
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", [("grpc.max_send_message_length", -1)]) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        for metadata in ([], [("authorization", f"Bearer {KEY}")]):
            for tensors in inputs * times:
                try:
                    stub.ModelInfer(pb.ModelInferRequest(model_name="recommender", inputs=tensors), metadata=metadata)
                    failures += 1  # none of them can be answered
                except grpc.RpcError as error:
                    expected = grpc.StatusCode.INVALID_ARGUMENT if metadata else grpc.StatusCode.UNAUTHENTICATED
                    failures += error.code() is not expected
    return Outcome(len(inputs) * times * 2, failures)


ATTACKS: dict[str, Attack] = {
    "tensors beyond memory": tensors_beyond_memory,
    "faults without end": faults_without_end,
    "headers without end": headers_without_end,
    "clients that leave": clients_that_leave,
    "gRPC tensors": grpc_tensors,
    "fuzzed requests": fuzz,
}


def _asked(server: Attacked, requests: list[tuple[str, str, dict[str, str], Any]]) -> Outcome:
    failures = 0
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for method, path, headers, body in requests:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                given = {"content-type": "application/json", **headers}
                answer = client.request(method, path, content=content, headers=given)
                failures += answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or len(answer.content) > 2**21
            except httpx.RemoteProtocolError:  # refused before the request was whole
                continue
            except httpx.HTTPError:
                failures += 1
    return Outcome(len(requests), failures)


def _said(server: Attacked, conversations: list[list[bytes]], *, leave: bool = False) -> Outcome:
    failures = 0
    for parts in conversations:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            with suppress(OSError):  # refused while it is sent
                for part in parts:
                    connection.sendall(part)
            if leave:
                continue
            with suppress(OSError):
                failures += connection.recv(100).startswith(b"HTTP/1.1 5")
    return Outcome(len(conversations), failures)


PATHS = (
    "/recommendations/{}", "/users/{}/history", "/items/{}/similar", "/items/{}/also-bought", "/explain/{}/{}", "/{}",
    "/v1/models/{}:predict", "/v2/models/{}/infer", "/recommendations?{}", "/recommendations/1?only={}&n={}", "/events",
    "/items", "/recommendations", "/v2/models/recommender/infer", "/v1/models/ranking:predict",
)  # fmt: skip
PIECES = ("1", "%2F", "%00", "%ff", "a%0Ab", "recommender", "🙂", "..", "%25", "x" * 300, "-1", "1e309", "NaN", "")
VALUES: tuple[Any, ...] = (None, True, -1, 1e308, "", "1", "x" * 300, [], {}, ["1"], [[]], {"user_id": "1"}, "\ud83d")
NAMES = ("instances", "inputs", "requests", "events", "user_id", "item_ids", "n", "only", "name", "shape", "data", "id")


def _random_requests(draw: random.Random, count: int) -> Iterator[tuple[str, str, dict[str, str], Any]]:
    def value(depth: int) -> Any:
        if depth and draw.random() < 0.6:
            if draw.random() < 0.5:
                return {draw.choice(NAMES): value(depth - 1) for _ in range(draw.randrange(4))}
            return [value(depth - 1) for _ in range(draw.randrange(4))]
        return draw.choice(VALUES)

    for _ in range(count):
        path = "".join(draw.choice(PIECES) if part == "{}" else part for part in _split(draw.choice(PATHS)))
        headers = draw.choice([{}, WITH_KEY, {"content-type": "x"}, {"x-tandem-slot": "green", "x-tandem-mirror": "1"}])
        yield draw.choice(["GET", "POST", "HEAD", "PUT", "DELETE"]), path, headers, value(4)


def _split(path: str) -> list[str]:
    return [piece for part in path.split("{}") for piece in (part, "{}")][:-1]
