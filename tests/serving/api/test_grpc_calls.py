"""What one gRPC call is told: errors of ours have their codes and texts, others are left to KServe."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from kserve.errors import InvalidInput, ModelNotReady
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from kserve.protocol.grpc.server import GRPCServer
from pydantic import SecretStr

from contracts.errors import NotAllowed, TandemError
from serving.api.access import Access, LacksScope
from serving.api.grpc_calls import GuardedCalls
from serving.api.kserve_server import ExpectedErrors, UnknownModel, grpc_servers
from serving.api.limits import BODIES_AT_ONCE
from serving.api.rate_limits import TooManyRequests
from serving.features.lookup import OnlineStoreError
from serving.recommender import ModelFailed
from serving.settings import ServingSettings
from tests.support.real_parts.servers import KEY, free_port


class Context:
    """Of a call from this machine; keeps what is said."""

    def __init__(self) -> None:
        self.said: tuple[Any, ...] = ()

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:5000"

    def set_code(self, code: grpc.StatusCode) -> None:
        self.said += (code,)

    def set_details(self, text: str) -> None:
        self.said += (text,)


def told(error: Exception) -> tuple[Any, ...]:
    async def infer(request: Any, context: Any) -> Any:
        raise error

    async def asked() -> tuple[Any, ...]:
        async def continuation(_: Any) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(infer)

        details: Any = SimpleNamespace(method="/inference.GRPCInferenceService/ModelInfer")
        context = Context()
        handler = await GuardedCalls(Access(ServingSettings()), 1).intercept_service(continuation, details)

        async def messages() -> AsyncIterator[ModelInferRequest]:
            yield ModelInferRequest()

        await handler.stream_unary(messages(), context)
        return context.said

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelFailed("why"), grpc.StatusCode.UNAVAILABLE),
        (OnlineStoreError("why"), grpc.StatusCode.UNAVAILABLE),
        (TooManyRequests("why", 1), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (NotAllowed("why"), grpc.StatusCode.UNAUTHENTICATED),
        (LacksScope("why"), grpc.StatusCode.PERMISSION_DENIED),
    ],
)
def test_errors_of_ours_have_their_codes(error: TandemError, code: grpc.StatusCode) -> None:
    assert told(error) == (code, "why")


@pytest.mark.parametrize("error", [TandemError("a path"), KeyError("a path")])
def test_what_nobody_expects_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        told(error)


SETTINGS = ServingSettings(api_key=SecretStr(KEY), request_seconds=1, header_seconds=0.5, max_connections=50)
BEARER = [("authorization", f"Bearer {KEY}")]


class Plane:
    """Of KServe's what these calls need."""

    async def live(self) -> dict[str, str]:
        return {"status": "alive"}

    async def infer(self, **_: Any) -> tuple[ModelInferResponse, dict[str, str]]:
        return ModelInferResponse(model_name="recommender"), {}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of KServe's server on gRPC, with our guards."""
    port, loop, stop = free_port(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        with grpc_servers(SETTINGS, Access(SETTINGS)):
            server = GRPCServer(port, Plane(), SimpleNamespace(), {}, grace_period=0)
            serving = asyncio.create_task(server.start(1))
            await stop.wait()
            await server.stop()
            await serving

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join(timeout=10)
    loop.close()


@contextmanager
def unfinished(port: int, method: str, metadata: Sequence[tuple[str, str]] = ()) -> Iterator[grpc.Future]:
    """A call whose message never comes."""
    over = threading.Event()

    def nothing() -> Iterator[bytes]:
        over.wait(30)
        yield from ()

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        path = f"/inference.GRPCInferenceService/{method}"
        call = channel.stream_unary(path).future(nothing(), timeout=20, metadata=metadata)
        yield call
        call.cancel()
        over.set()


def asked(port: int, method: str, metadata: Sequence[tuple[str, str]] = ()) -> None:
    """Returns once a whole message is answered."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.unary_unary(f"/inference.GRPCInferenceService/{method}")(b"", timeout=20, metadata=metadata)


def test_a_call_is_answered_as_before(port: int) -> None:
    asked(port, "ServerLive")
    asked(port, "ModelInfer", BEARER)


@pytest.mark.parametrize("metadata", [[], [("authorization", "Bearer of nothing")]])
def test_a_key_is_asked_for_before_a_message_is_read(port: int, metadata: Sequence[tuple[str, str]]) -> None:
    with unfinished(port, "ModelInfer", metadata) as call:
        assert call.exception(timeout=10).code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(("method", "metadata"), [("ModelInfer", BEARER), ("ServerLive", [])])
def test_a_message_that_does_not_come_is_not_waited_for(
    port: int, method: str, metadata: Sequence[tuple[str, str]]
) -> None:
    with unfinished(port, method, metadata) as call:
        error = call.exception(timeout=10)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "No whole message came within 1 seconds."


def test_messages_of_strangers_are_few_at_once_and_no_hindrance_to_keys(port: int) -> None:
    with ExitStack() as strangers:
        calls = [strangers.enter_context(unfinished(port, "ServerLive")) for _ in range(BODIES_AT_ONCE)]
        codes = [call.exception(timeout=10).code() for call in calls[BODIES_AT_ONCE // 2 :]]
        asked(port, "ModelInfer", BEARER)
        assert not all(call.done() for call in calls[: BODIES_AT_ONCE // 2])
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    asked(port, "ServerLive")  # and then there is room again


def test_a_call_without_a_message_is_refused(port: int) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        none = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError, match="The call has no message"):
            none(iter(()), timeout=10, metadata=BEARER)


def test_silent_connections_are_few_and_do_not_last(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
    started = time.monotonic()
    assert [connection.recv(1000)[:0] for connection in silent[10:]] == [b""] * 10  # no more than a tenth of HTTP's
    for connection in silent:
        while connection.recv(1000):  # the server's own settings
            pass
        connection.close()
    assert time.monotonic() - started < 8
    asked(port, "ServerLive")


@pytest.mark.parametrize(
    ("error", "kept"), [(UnknownModel("x", ["y"]), False), (InvalidInput("why"), False), (ModelNotReady("x"), True)]
)
def test_what_a_stranger_may_ask_wrongly_leaves_no_traceback(error: Exception, kept: bool) -> None:
    record = logging.LogRecord("kserve", logging.ERROR, "", 1, "why", None, (type(error), error, None))
    assert ExpectedErrors().filter(record) is kept
