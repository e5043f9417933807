"""What one gRPC call is told: errors of ours have their codes and texts, others are left to KServe."""

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest

from contracts.errors import NotAllowed, TandemError
from serving.api.access import Access, LacksScope
from serving.api.grpc_calls import GuardedCalls
from serving.api.rate_limits import TooManyRequests
from serving.features.lookup import OnlineStoreError
from serving.recommender import ModelFailed
from serving.settings import ServingSettings


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
        handler = await GuardedCalls(Access(ServingSettings())).intercept_service(continuation, details)
        await handler.unary_unary(ModelInferRequest(), context)
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
