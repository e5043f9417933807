"""What one gRPC call may cost; KServe's server takes messages of 8 MiB, any number of tensors and of calls."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from kserve.errors import InvalidInput

from contracts.errors import MAX_FIELDS

MAX_METADATA_BYTES: Final = 16_384
MAX_STREAMS: Final = 100
"""Calls at once on one connection."""
IDLE_MILLISECONDS: Final = 3_900_000

Call = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]


def channel_options(max_bytes: int) -> list[tuple[str, int]]:
    """gRPC's own limits. max_bytes: of one message, as of one HTTP body."""
    return [
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_send_message_length", -1),  # an answer is as long as the limits of its request let it be
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.max_connection_idle_ms", IDLE_MILLISECONDS),
    ]


class RequestLimit(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """INVALID_ARGUMENT for more tensors than any model has inputs, before KServe makes an object of each."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method's handler, behind the limit."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.endswith("/ModelInfer"):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            _limited(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )


def _limited(infer: Call) -> Call:
    async def limited(request: Any, context: grpc.aio.ServicerContext) -> Any:
        for what in (request.inputs, request.outputs, request.raw_input_contents):
            if len(what) > MAX_FIELDS:
                text = f"{len(what)} tensors were sent, at most {MAX_FIELDS} are looked at."
                raise InvalidInput(text)  # KServe's, which its own interceptor answers
        return await infer(request, context)

    return limited
