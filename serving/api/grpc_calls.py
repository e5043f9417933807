"""What one gRPC call may cost and who may make it; KServe's server takes 8 MiB, any number of tensors, and anybody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final
from urllib.parse import unquote

import grpc
from kserve.errors import InvalidInput

from contracts.errors import MAX_FIELDS, TandemError
from serving.api.access import CALLER, Access, Caller
from serving.api.keys import Scope
from serving.api.limits import BODIES_AT_ONCE
from serving.api.rate_limits import TooManyRequests
from serving.settings import ServingSettings

MAX_METADATA_BYTES: Final = 16_384
CONNECTIONS_SHARE: Final = 10
"""A tenth of HTTP's connections: a service needs one, and gRPC cannot take the place of an idle one for another."""
MAX_STREAMS: Final = 100
"""Calls at once on one connection."""
IDLE_SECONDS: Final = 60
"""A connection without calls; its client is told to go away, and opens another for its next call."""
AGE_SECONDS: Final = 600
"""Any connection, with request_seconds more for the calls on it: some are open because an answer is not read."""

CODES: Final = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""What our errors are over gRPC; KServe makes INTERNAL of all that it does not know."""

Call = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]


class TooSlow(TandemError):
    """A caller whose message is not there in time."""

    http_status = 408


def channel_options(settings: ServingSettings) -> list[tuple[str, int]]:
    """gRPC's own limits; of messages as of HTTP bodies."""
    return [
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),  # an answer is as long as the limits of its request let it be
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.http2.bdp_probe", 0),  # else a fast client sends megabytes to each call that waits to be read
        ("grpc.max_allowed_incoming_connections", max(1, settings.max_connections // CONNECTIONS_SHARE)),
        ("grpc.server_handshake_timeout_ms", round(settings.header_seconds * 1000)),
        ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
        ("grpc.max_connection_age_ms", AGE_SECONDS * 1000),
        ("grpc.max_connection_age_grace_ms", round(settings.request_seconds * 1000)),
    ]


class GuardedCalls(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Answers callers who may not ask before a message of theirs is read, and errors of ours with their codes.

    A server with keys asks for one here whatever is open over HTTP: gRPC is for services, and these can hold a key.
    Tensors are counted before KServe makes an object of each: INVALID_ARGUMENT to too many.
    """

    def __init__(self, access: Access, request_seconds: float) -> None:
        """request_seconds: until a message is there; without an end of its own it stays in memory."""
        self._access = access
        self._seconds = request_seconds
        half = BODIES_AT_ONCE // 2
        self._room = {known: asyncio.Semaphore(half) for known in (True, False)}  # as HeldBodies has it

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """The method's handler, behind the checks; methods that say whether the server is ready are open.

        gRPC reads the message of a method that takes one before it calls the handler. To one that takes a stream it
        leaves the reading, and a client sees no difference.
        """
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        is_open = not handler_call_details.method.endswith("/ModelInfer")
        return grpc.stream_unary_rpc_method_handler(
            self._guarded(handler.unary_unary, is_open), handler.request_deserializer, handler.response_serializer
        )

    def _guarded(self, method: Call, is_open: bool) -> Call:
        async def guarded(messages: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> Any:
            caller = self._caller(context)
            try:
                if not is_open:
                    caller.require(Scope.LISTS, open_too=not self._access.keys)
                    caller.charge(1)
                    CALLER.set(caller)
                async with self._message(messages, caller) as message:
                    if not is_open:
                        refuse_many_tensors(message)
                    return await method(message, context)
            except TandemError as error:
                if (code := CODES.get(error.http_status)) is None:
                    raise
                context.set_code(code)
                context.set_details(str(error))
                return None  # gRPC sends no message with such a code
            finally:
                caller.done()

        return guarded

    @asynccontextmanager
    async def _message(self, messages: AsyncIterator[Any], caller: Caller) -> AsyncIterator[Any]:
        """The one message of a call, which is not read before there is room for it in memory.

        Whom nobody knows does not wait for room: gRPC takes some of what is unread from each of its waiting calls.
        """
        room = self._room[caller.is_known]
        if room.locked() and not caller.is_known:
            raise TooManyRequests("Too much is being sent at once. Try again.", 1)
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._seconds):
                    await held.enter_async_context(room)
                    message = await anext(messages, None)
            except TimeoutError as error:
                raise TooSlow(f"No whole message came within {self._seconds:g} seconds.") from error
            if message is None:
                raise InvalidInput("The call has no message.")
            yield message

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
