"""What nobody may ask, and how much a request may send."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = "/v2/repository"
"""KServe's model repository: one call to it would take a model, and with it all answers, away."""


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


class BodyLimit:
    """ASGI middleware: 413 for a body above max_bytes, whether its length is declared or not.

    Bytes are counted as they arrive: nobody's body is held in memory to find out.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses what is declared too long before it is read, and what turns out too long while it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _declared_bytes(scope) > self._max_bytes:
            await JSONResponse({"error": self._refusal}, 413)(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    @property
    def _refusal(self) -> str:
        return f"The body is longer than {self._max_bytes:,} bytes, the limit of this server. Send smaller batches."

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413, self._refusal)  # passes through the body's reader to the error handlers
            return message

        return counted


def _declared_bytes(scope: Scope) -> int:
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
