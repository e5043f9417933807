"""What one gRPC call may cost and who may make it; KServe's server takes 8 MiB, any number of tensors, and anybody."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import grpc
from kserve.errors import InvalidInput
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferResponse

from contracts.errors import MAX_FIELDS, TandemError
from serving.api.access import CALLER, Access, Caller
from serving.api.keys import Scope

MAX_METADATA_BYTES: Final = 16_384
MAX_STREAMS: Final = 100
"""Calls at once on one connection."""
IDLE_MILLISECONDS: Final = 3_900_000

CODES: Final = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""What our errors are over gRPC; KServe makes INTERNAL of all that it does not know."""

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


class GuardedCalls(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Answers callers who may not ask, and errors of ours, with their codes; INVALID_ARGUMENT to too many tensors.

    Tensors are counted before KServe makes an object of each. A server with keys asks for one here whatever is open
    over HTTP: gRPC is for services, and these can hold a key.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method's handler, behind the checks; those that say whether the server is ready are open."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.endswith("/ModelInfer"):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._guarded(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _guarded(self, infer: Call) -> Call:
        async def guarded(request: Any, context: grpc.aio.ServicerContext) -> Any:
            caller = self._caller(context)
            try:
                caller.require(Scope.LISTS, open_too=not self._access.keys)
                caller.charge(1)
                refuse_many_tensors(request)
                CALLER.set(caller)
                return await infer(request, context)
            except TandemError as error:
                if (code := CODES.get(error.http_status)) is None:
                    raise
                context.set_code(code)
                context.set_details(str(error))
                return ModelInferResponse()  # which no client reads with such a code
            finally:
                caller.done()

        return guarded

    def _caller(self, context: grpc.aio.ServicerContext) -> Caller:
        headers = [
            (name.encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in context.invocation_metadata() or ()
        ]
        return Caller(self._access, headers, address_of(context.peer()))


def refuse_many_tensors(request: Any) -> None:
    """Raises KServe's InvalidInput, which its own interceptor answers."""
    for what in (request.inputs, request.outputs, request.raw_input_contents):
        if len(what) > MAX_FIELDS:
            raise InvalidInput(f"{len(what)} tensors were sent, at most {MAX_FIELDS} are looked at.")


def address_of(peer: str) -> str | None:
    """The address in gRPC's text for the other end: ipv4:127.0.0.1:5000 or ipv6:[::1]:5000, both escaped."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    return rest.rpartition(":")[0].strip("[]")
