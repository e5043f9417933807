"""What a connection may cost before a request of it is whole: bytes of headers, seconds, and connections at all.

uvicorn limits none of them: 50 MB of headers were read into memory, and a client that sent one byte a minute kept its
connection for as long as it liked.
"""

import asyncio
import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

SWEEP_SECONDS: Final = 1.0
MAX_PIPELINED: Final = 16
"""Requests that one connection may send before the first of them is answered."""
FRAMING: Final = 8
"""Bytes of chunk sizes and line ends that a byte of a body may bring; one byte a chunk brings 5."""
TELL_SECONDS: Final = 10.0


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of one server's connections."""

    header_bytes: int = 65_536
    header_seconds: float = 10.0
    request_seconds: float = 30.0
    connections: int = 1000


class _Refused(Exception):
    """Ends the parsing of what is refused already."""


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, which ends where the limits do; `bounded` makes the class for one server."""

    limits = ConnectionLimits()
    refusals: "Refusals"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection, or the place of one that idles, or refuses it."""
        self._framing = 0  # bytes since the last whole request that are no body
        self._refused = False
        self._since: float | None = self.loop.time()  # a request is awaited or arriving; None while one is answered
        self._blocked_since: float | None = None
        self._answering: RequestResponseCycle | None = None
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections and not _idlest_closed(self.connections):
            self.refusals.tell(f"more than {self.limits.connections} connections")
            self._refuse(503, f"This server takes {self.limits.connections} connections at once. Try again later.")

    def data_received(self, data: bytes) -> None:
        """Parses; what is not body counts as headers until the request is whole."""
        if self._refused:
            return
        self._framing += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # anybody may ask for another protocol, and the request is answered as it is
        except HttpParserError:
            self._refuse_malformed()
        if self._framing > self.limits.header_bytes and not self.transport.is_closing():
            self._refuse_headers()

    def on_message_begin(self) -> None:
        """The time of a request begins."""
        self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begins the request unless its headers are too long or too many requests wait."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self.limits.header_bytes:
            self._refuse_headers()
            raise _Refused
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(400, f"At most {MAX_PIPELINED} requests are sent before an answer is read.")
            raise _Refused
        super().on_headers_complete()
        self.headers = []  # trailers go here, where nobody reads them: they are no headers (RFC 9110, 6.5)

    def on_body(self, body: bytes) -> None:
        """Bytes of a body are counted by BodyLimit."""
        self._framing = max(0, self._framing - FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; how long it takes from now on is ours."""
        self._framing, self._since = 0, None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the request that is answered; uvicorn tells the last one that came, which may wait behind it."""
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def overdue(self, now: float) -> bool:
        """Whether this connection keeps the server waiting for a request, or for its answer to be read."""
        if self.flow is not None and self.flow.write_paused:
            self._blocked_since = self._blocked_since or now
            return now - self._blocked_since > self.limits.request_seconds
        self._blocked_since = None
        if self._since is None:
            return False
        in_body = self.cycle is not None and not self.cycle.response_complete
        return now - self._since > (self.limits.request_seconds if in_body else self.limits.header_seconds)

    @property
    def idle_since(self) -> float | None:
        """When the last answer was given; None while there is something to do."""
        timer = self.timeout_keep_alive_task
        return timer.when() if timer is not None and not self.transport.is_closing() else None

    def end(self) -> None:
        """Closes what is overdue, with an answer where none has begun."""
        if self.flow is not None and self.flow.write_paused:
            self.transport.abort()  # what it does not read cannot be waited for
        elif self.cycle is None or self.cycle.response_complete:
            self._refuse(408, f"No whole request came within {self.limits.header_seconds:g} seconds.")
        else:
            self.transport.close()  # the reader of the body learns that the client has left

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are longer than {self.limits.header_bytes:,} bytes, the limit of this server.")

    def _refuse_malformed(self) -> None:
        if not self._refused:  # the parser ends with an error where a callback has refused already
            self.refusals.tell("malformed requests")
            self._refuse(400, "Invalid HTTP request received. It is not HTTP/1.1 as RFC 9112 has it.")

    def _refuse(self, status: int, text: str) -> None:
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # an answer is being made; two would be mixed
            return
        body = json.dumps({"error": text}).encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


class Refusals:
    """A line in the log where connections are refused, and for each reason no more than one in TELL_SECONDS."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def tell(self, why: str) -> None:
        """One connection is refused."""
        now = asyncio.get_running_loop().time()
        self._untold[why] += 1
        if why not in self._since or now - self._since[why] >= TELL_SECONDS:
            logging.getLogger(__name__).warning("%d connections refused: %s.", self._untold.pop(why), why)
            self._since[why] = now


def bounded(limits: ConnectionLimits) -> type[BoundedConnection]:
    """The class of connections for one server, as uvicorn asks for a class."""
    return type("Connection", (BoundedConnection,), {"limits": limits, "refusals": Refusals()})


async def sweep(connections: set[Any]) -> None:
    """Ends what is overdue, once a second, until it is cancelled: a timer for each request would cost each request."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        now = loop.time()
        for connection in [one for one in connections if isinstance(one, BoundedConnection) and one.overdue(now)]:
            connection.end()


def _idlest_closed(connections: set[Any]) -> bool:
    """Whether a connection was closed that waits between two requests, the one that has done so longest."""
    idle = [(one.idle_since, id(one), one) for one in connections if one.idle_since is not None]
    if not idle:
        return False
    min(idle)[2].timeout_keep_alive_handler()
    return True
