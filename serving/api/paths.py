"""Paths as clients mean them: ids with reserved characters, and HEAD wherever there is GET."""

from typing import Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.routes.errors import error_answer

ESCAPED: Final = (("%", "%25"), ("/", "%2F"))
"""Of a segment's characters only these stay escaped in scope["path"], so that routes split it where the client did."""


class MeantPaths:
    """ASGI middleware: `a%2Fb` is one segment, and HEAD is answered as GET without its body.

    uvicorn unescapes the whole path, and after that an id with a slash looks like two segments.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on as it is meant."""
        if scope["type"] == "http":
            raw = scope.get("raw_path") or b""
            if b"%" in raw:
                try:
                    scope["path"] = "/".join(_escaped(segment) for segment in raw.decode("ascii", "replace").split("/"))
                except UnicodeDecodeError:  # whose id would it be, with the bytes that are no text left out?
                    await error_answer("The path is not UTF-8 behind its %.", 400)(scope, receive, send)
                    return
            if scope["method"] == "HEAD":
                scope["method"], send = "GET", _without_body(scope, send)
        await self._app(scope, receive, send)


def id_in(segment: str) -> str:
    """The id that a segment of scope["path"] holds."""
    if "%" not in segment:
        return segment
    for character, escape in reversed(ESCAPED):
        segment = segment.replace(escape, character)
    return segment


def _escaped(segment: str) -> str:
    meant = unquote(segment, errors="strict")
    for character, escape in ESCAPED:
        meant = meant.replace(character, escape)
    return meant


def _without_body(scope: Scope, send: Send) -> Send:
    async def headers_alone(message: Message) -> None:
        scope["method"] = "HEAD"  # the server looks here too, and would miss the body that the length promises
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_alone
