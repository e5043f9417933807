"""Each HTTP request has an id; what fails unexpectedly is answered with that id, and its text stays in the log."""

import logging
import re
from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.runtime.random_ids import random_id

HEADER = b"x-request-id"
CLIENT_LEFT = 499
"""nginx's status for it; RFC 9110 has none, as nobody is there to read one."""
ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""Ids of a caller are kept where they can stand in a log line."""


class RequestIds:
    """ASGI middleware: gives a request its caller's id or a new one, and puts it and `headers` on the answer.

    It also answers what nothing else has answered: Starlette's own last handler lies outside of all middleware, where
    an answer would have no id and would not be counted.
    """

    def __init__(self, app: ASGIApp, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self._app = app
        self._headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; an exception becomes status 500 with the id and nothing of its text."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        added = ((HEADER, request_id.encode()), *self._headers)
        started = False

        async def labelled(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            await self._app(scope, receive, labelled)
        except ClientDisconnect:  # the client has left: counted, but not as the server's fault
            await JSONResponse({"error": "The client left before its request was whole."}, CLIENT_LEFT)(
                scope, receive, labelled
            )
        except Exception:
            logging.getLogger(__name__).exception("Request %s %s failed.", request_id, _route(scope))
            if started:  # the status is sent; breaking off is all that is left
                raise
            text = f"Internal error. The server's log has its text under request id {request_id}."
            await JSONResponse({"error": text}, 500)(scope, receive, labelled)


def _route(scope: Scope) -> str:
    """The route's template: a path may hold the id of a user."""
    template: str = getattr(scope.get("route"), "path", "of no route")
    return template


def _request_id(scope: Scope) -> str:
    for name, sent in scope["headers"]:
        if name == HEADER and ACCEPTED.fullmatch(sent):
            return str(sent, "ascii")
    return random_id()
