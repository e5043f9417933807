"""What a connection may cost before a request of it is whole, on a real server with a small application."""

import asyncio
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import SecretStr

from serving.api.access import CALLER, Access, Caller
from serving.api.connections import MAX_PIPELINED, ConnectionLimits, Refusals, bounded, sweep
from serving.api.limits import BODIES_AT_ONCE, BodyLimit
from serving.api.paths import MeantPaths
from serving.api.request_ids import RequestIds
from serving.settings import ServingSettings
from tests.support.real_parts.servers import free_port

LIMITS = ConnectionLimits(header_bytes=4096, header_seconds=0.3, request_seconds=0.6, connections=3)
GET = b"GET / HTTP/1.1\r\nhost: shop\r\n"
POST = b"POST / HTTP/1.1\r\nhost: shop\r\n"


def small_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(BodyLimit, max_bytes=1000)
    app.add_middleware(RequestIds)
    app.add_middleware(MeantPaths)

    @app.get("/")
    async def index() -> str:
        return "here"

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/key")
    async def key(request: Request) -> str:
        await request.body()
        return str(sorted(request.headers.items()))

    @app.get("/long")
    async def long() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"x" * 65_536
                await asyncio.sleep(0.002)

        return StreamingResponse(parts())

    return app


@contextmanager
def running(limits: ConnectionLimits) -> Iterator[int]:
    """The port of a server with these limits."""
    config = uvicorn.Config(small_app(), port=free_port(), log_config=None, http=bounded(limits), ws="none")
    server = uvicorn.Server(config)

    async def serve() -> None:
        sweeping = asyncio.create_task(sweep(server.server_state.connections))
        await server.serve()
        sweeping.cancel()

    thread = threading.Thread(target=uvloop.run, args=(serve(),))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield config.port
    server.should_exit = True
    thread.join(timeout=10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(LIMITS) as listening:
        yield listening


def said(port: int, *parts: bytes) -> bytes:
    """What the server answers until it closes, or for two seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        with suppress(OSError):  # closed while it is sent to
            for part in parts:
                connection.sendall(part)
        answer = b""
        with suppress(OSError):
            while received := connection.recv(65_536):
                answer += received
        return answer


def error_of(answer: bytes, status: int) -> str:
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    text: str = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    return text


ENDLESS = [b"y" * 100_000] * 200
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        (GET + b"x: ", *ENDLESS),  # one header that does not end
        (GET, *[b"x-%d: y\r\n" % number for number in range(10_000)]),
        (b"GET /", *ENDLESS),  # a path that does not end
        (GET + b"x: " + b"y" * 5000 + b"\r\n\r\n",),  # whole, in one piece
    ],
    ids=["one header", "many headers", "path", "at once"],
)
def test_headers_have_a_limit_that_stands_before_they_are_read(port: int, parts: tuple[bytes, ...]) -> None:
    assert "longer than 4,096 bytes" in error_of(said(port, *parts), 431)


@pytest.mark.parametrize("end", [b"1\r\n{\r\n0\r\n", b"1;" + b"z" * 5000, b""], ids=["trailers", "extension", "none"])
def test_what_frames_a_body_has_the_same_limit(port: int, end: bytes) -> None:
    answer = said(port, CHUNKED + end, *[b"x-%d: y\r\n" % number for number in range(10_000)])
    assert not answer.startswith(b"HTTP/1.1 2")


def test_a_body_in_chunks_of_one_byte_is_a_body(port: int) -> None:
    answer = said(port, CHUNKED.replace(b"host", b"connection: close\r\nhost") + b"1\r\nx\r\n" * 900 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"900" in answer


def test_a_trailer_is_no_header(port: int) -> None:
    asked = CHUNKED.replace(b"POST / ", b"POST /key ") + b"1\r\nx\r\n0\r\nauthorization: Bearer k\r\n\r\n"
    for parts in ((asked,), (asked[:-30], asked[-30:])):
        answer = said(port, *parts, GET + b"connection: close\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200") == 2
        assert b"'host'" in answer
        assert b"authorization" not in answer


def test_requests_that_nobody_reads_the_answers_of_do_not_queue_up(port: int) -> None:
    answer = said(port, (GET + b"\r\n") * (MAX_PIPELINED * 50))
    assert answer.count(b"HTTP/1.1 200") <= MAX_PIPELINED + 1


def test_a_silent_connection_is_told_and_closed(port: int) -> None:
    assert "No whole request came within 0.3 seconds" in error_of(said(port), 408)
    assert "No whole request" in error_of(said(port, GET), 408)


def test_a_body_that_stops_ends_the_connection_and_is_no_error_of_the_server(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(port, POST + b"content-length: 10\r\n\r\nhalf") == b""
    assert "failed" not in caplog.text


def test_a_client_that_leaves_with_requests_waiting_is_no_error_of_the_server(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for seconds in (0.0, 0.01, 0.05):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(GET.replace(b"GET /", b"GET /long") + b"\r\n" + (GET + b"\r\n") * 10)
            time.sleep(seconds)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
        time.sleep(0.3)
    assert caplog.text == ""


def test_malformed_requests_are_a_line_in_the_log_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    with running(LIMITS) as port:
        for _ in range(20):
            said(port, b"X\r\n\r\n")
            said(port, GET.replace(b"1.1", b"9.9") + b"\r\n")
            said(port, GET + b"x: " + b"y" * 5000 + b"\r\n\r\n")
    assert [record.getMessage() for record in caplog.records] == ["1 connections refused: malformed requests."]


def test_what_is_not_http_is_told_so(port: int) -> None:
    assert "not HTTP/1.1" in error_of(said(port, b"\x16\x03\x01 hello\r\n\r\n"), 400)


def test_a_request_for_another_protocol_is_answered_as_it_is(port: int) -> None:
    asked = GET.replace(b"1.1", b"1.0") + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert said(port, asked).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_makes_room_and_busy_ones_do_not(caplog: pytest.LogCaptureFixture) -> None:
    patient = ConnectionLimits(header_seconds=60, request_seconds=60, connections=3)
    with running(patient) as port:
        idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3)]
        for connection in idle:
            connection.sendall(GET + b"\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            time.sleep(0.05)  # the rest of the answer
            connection.setblocking(False)
            with suppress(BlockingIOError):
                connection.recv(1000)
            connection.settimeout(5)
        assert said(port, GET + b"connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")  # the first gave way
        assert idle[0].recv(1000) == b""
        busy = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(3)]
        for connection in busy:
            connection.sendall(POST)
        time.sleep(0.1)
        told = said(port, GET)  # nothing, where the connection was closed before the request was on its way
        assert not told or "takes 3 connections at once" in error_of(told, 503)
        assert "connections refused: more than 3 connections" in caplog.text
        for connection in idle + busy:
            connection.close()


def test_refusals_are_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    async def many() -> None:
        refusals = Refusals()
        for _ in range(1000):
            refusals.tell("too many")
            refusals.tell("malformed")  # which does not hide the other reason

    with caplog.at_level(logging.WARNING):
        asyncio.run(many())
    assert [record.getMessage() for record in caplog.records] == [
        "1 connections refused: too many.",
        "1 connections refused: malformed.",
    ]


KEYED = Access(ServingSettings(api_key=SecretStr("a key of the shop's own server"), trusted_proxies=1))
SITE = [(b"authorization", b"Bearer a key of the shop's own server")]
KEYLESS = Access(ServingSettings())
PASSED_ON = [(b"x-forwarded-for", b"1.1.1.1")]


@pytest.mark.parametrize(
    ("access", "sent", "most"),
    [
        (KEYED, SITE, BODIES_AT_ONCE),
        (KEYED, PASSED_ON, BODIES_AT_ONCE // 2),
        (KEYED, [(b"authorization", b"Bearer of nothing")], BODIES_AT_ONCE // 2),
        (KEYLESS, [], BODIES_AT_ONCE),
        (KEYLESS, PASSED_ON, BODIES_AT_ONCE // 2),
    ],
)
def test_all_bodies_together_have_a_limit_and_there_is_always_room_for_keys(
    access: Access, sent: list[tuple[bytes, bytes]], most: int
) -> None:
    """Sixty-four bodies of the longest kind are in memory, half as many without a key; one more is asked to wait."""
    answers: list[int] = []
    gate = asyncio.Event()

    async def holding(scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        await receive()
        await gate.wait()
        answers.append(200)

    async def ask() -> None:
        limit = BodyLimit(holding, max_bytes=1000)
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}

        async def receive() -> Any:
            return {"type": "http.request", "body": b"x" * 1000}

        async def send(message: Any) -> None:
            pass

        def asked(caller: Caller) -> asyncio.Task[None]:
            CALLER.set(caller)
            return asyncio.create_task(limit(scope, receive, send))

        known = Caller(access, SITE if access.keys else [], "127.0.0.1")
        waiting = [asked(Caller(access, sent, "127.0.0.1")) for _ in range(most)]
        await asyncio.sleep(0)
        with pytest.raises(Exception, match="Too much is being sent at once") as refused:
            await asked(Caller(access, sent, "127.0.0.1"))
        assert getattr(refused.value, "status_code", 0) == 429
        waiting += [asked(known) for _ in range(BODIES_AT_ONCE - most)]
        gate.set()
        await asyncio.gather(*waiting)
        await asked(Caller(access, sent, "127.0.0.1"))  # and then there is room again

    asyncio.run(ask())
    assert len(answers) == BODIES_AT_ONCE + 1


def test_a_connection_goes_on_after_head(port: int) -> None:
    head = b"HEAD / HTTP/1.1\r\nhost: shop\r\n\r\n"
    answer = said(port, head * 2 + GET + b"connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"here") == 1
