"""Each attack sends its inputs and counts those that were not answered as they must be: 5xx, or no answer at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs

from tests.attack.on_people import ON_PEOPLE
from tests.attack.sending import WITH_KEY, Asked, Outcome, asked, said
from tests.attack.server import KEY, Attacked

HEAD = b"GET /recommendations/1 HTTP/1.1\r\nhost: 127.0.0.1\r\n"
BODY = b"POST /v1/models/recommender:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9999\r\n\r\n"


Attack = Callable[[Attacked, int], Outcome]


def tensors_beyond_memory(server: Attacked, times: int) -> Outcome:
    """More rows times tensors than memory holds, and shapes that are none."""
    rows = {"name": "n", "shape": [80_000], "datatype": "INT32", "data": [1] * 80_000}
    others = [{"name": f"t{number}", "shape": [1], "datatype": "INT32", "data": [1]} for number in range(1000)]
    odd = [{"inputs": [{"name": "user_id", "shape": shape, "datatype": "BYTES", "data": ["1"]}]}
           for shape in ([], [-1], [2**62], [1, 2**40], [0])]  # fmt: skip
    bodies = [{"inputs": [rows, *others]}, {"inputs": [others[0]] * 5000}, *odd]
    return asked(server, [("POST", "/v2/models/recommender/infer", {}, body) for body in bodies * times])


def faults_without_end(server: Attacked, times: int) -> Outcome:
    """Unknown keys, wrong elements and nesting, by the ten thousand."""
    keys = {f"k{number}": 1 for number in range(60_000)}
    bodies: list[Any] = [
        {"requests": [{"user_id": "1", "only": [1] * 1000}] * 64},
        {"requests": [{"user_id": "1", **keys}]},
        keys,
    ]
    requests: list[Asked] = [("POST", "/recommendations", {}, body) for body in bodies]
    requests += [("POST", "/events", WITH_KEY, body) for body in ({"events": [{"a": 1}] * 1000}, keys)]
    requests += [("POST", "/v1/models/recommender:predict", {}, b"[" * 500_000)]
    return asked(server, requests * times)


def headers_without_end(server: Attacked, times: int) -> Outcome:
    """Fifty megabytes of headers, in one and in many."""
    many = [HEAD, *(b"x-%d: " % number + b"y" * 100_000 + b"\r\n" for number in range(500))]
    one = [HEAD + b"x: ", *([b"y" * 1_000_000] * 50)]
    return said(server, [one, many, [HEAD + b"\r\n", *[HEAD + b"\r\n"] * 5000]] * times)


def clients_that_leave(server: Attacked, times: int) -> Outcome:
    """Bodies that are broken off."""
    return said(server, [[BODY + b'{"instances": [']] * 50 * times, leave=True)


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


def reasons_in_bulk(server: Attacked, times: int) -> Outcome:
    """Four clients that ask for 64 lists with reasons at a time, and again."""
    users = [{"user_id": str(user), "explain": True, "n": 20} for user in range(1, 65)]
    batch: Asked = ("POST", "/recommendations", WITH_KEY, {"requests": users})
    with ThreadPoolExecutor(4) as clients:
        outcomes = list(clients.map(lambda _: asked(server, [batch] * 2 * times), range(4)))
    return Outcome(sum(one.inputs for one in outcomes), sum(one.failures for one in outcomes))


ATTACKS: dict[str, Attack] = {
    "tensors beyond memory": tensors_beyond_memory,
    "faults without end": faults_without_end,
    "headers without end": headers_without_end,
    "clients that leave": clients_that_leave,
    "gRPC tensors": grpc_tensors,
    "reasons in bulk": reasons_in_bulk,
    **ON_PEOPLE,
}
