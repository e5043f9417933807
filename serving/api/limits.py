"""What nobody may ask, and how much a request may send."""

from collections.abc import Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.access import CALLER

CLOSED = "/v2/repository"
"""KServe's model repository: one call to it would take a model, and with it all answers, away."""
BODIES_AT_ONCE: Final = 64
"""How many bodies of the longest kind may be in memory together."""


class ClosedPaths:
    """ASGI middleware: 404 for CLOSED and all below.

    By the path itself and not by a route in front of KServe's: routes differ in what they take for a part of a path,
    and a line break in a model's name was enough to get past one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is open."""
        if scope["type"] == "http" and scope["path"].startswith(CLOSED):
            text = "The model repository is off here. Bundles change by POST /admin/bundle."
            await JSONResponse({"error": text}, 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class HeldBodies:
    """Bytes of all bodies that are read or answered right now; callers whom nobody knows have half of the room."""

    def __init__(self, max_bytes: int) -> None:
        """max_bytes: of one body."""
        self._most = BODIES_AT_ONCE * max_bytes
        self._held = 0
        self._of_strangers = 0

    def take(self, size: int, known: bool) -> bool:
        """Counts these in until they are given back. Whether there was room for them."""
        self._held += size
        if not known:
            self._of_strangers += size
        return self._held <= self._most and (known or self._of_strangers <= self._most / 2)

    def give_back(self, size: int, known: bool) -> None:
        """These are answered or refused."""
        self._held -= size
        if not known:
            self._of_strangers -= size


class BodyLimit:
    """ASGI middleware: 413 for a body above max_bytes, whether its length is declared or not.

    Bytes are counted as they arrive: nobody's body is held in memory to find out. All bodies together have a limit
    too, beyond which 429 is answered; it lies behind CheckAccess, so that the caller is known.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._bodies = HeldBodies(max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses what is declared too long before it is read, and what turns out too long while it is read."""
        declared = _declared_bytes(scope["headers"]) if scope["type"] == "http" else None
        if declared is None:
            await self._app(scope, receive, send)
        elif declared > self._max_bytes:
            await JSONResponse({"error": self._refusal}, 413)(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    @property
    def _refusal(self) -> str:
        return f"The body is longer than {self._max_bytes:,} bytes, the limit of this server. Send smaller batches."

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        caller = CALLER.get(None)
        known = caller is None or caller.is_known

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            there_is_room = self._bodies.take(size, known)
            if received > self._max_bytes:
                raise HTTPException(413, self._refusal)  # passes through the body's reader to the error handlers
            if not there_is_room:
                raise HTTPException(429, "Too much is being sent at once. Try again.", {"Retry-After": "1"})
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._bodies.give_back(received, known)


def _declared_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The length that a request declares, 0 for one that comes in chunks; None where no body can follow (RFC 9112)."""
    declared = None
    for name, value in headers:
        if name == b"content-length":
            return int(value[:20]) if value.isdigit() else 0
        if name == b"transfer-encoding":
            declared = 0
    return declared
