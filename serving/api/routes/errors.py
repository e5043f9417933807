"""Every error as {"error": text} with a status that says whose fault it is; every answer counted."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import TandemError, faults_of
from serving.api.rate_limits import TooManyRequests
from serving.metrics import Metrics

MAX_TEXT: Final = 4000
"""Characters of an error's text; what is wrong with a request must not cost more than an answer to it."""


def add_error_answers(app: FastAPI) -> None:
    """Handlers for our own errors, for refused parameters and for what Starlette raises."""

    async def tandem(_: Request, error: Exception) -> JSONResponse:
        return refusal(error)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        return error_answer("; ".join(faults_of(faults, "request")), 400)

    async def http(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return error_answer("error", 500)
        return error_answer(error.detail, error.status_code, _with_head(error.headers))

    app.add_exception_handler(TandemError, tandem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _with_head(headers: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The headers, of which Allow names HEAD wherever it names GET: serving/api/paths.py answers it."""
    methods = (headers or {}).get("Allow", "").split(", ")
    if "GET" not in methods or "HEAD" in methods:
        return headers
    return {**(headers or {}), "Allow": ", ".join([*methods, "HEAD"])}


def refusal(error: Exception) -> JSONResponse:
    """What a caller reads of an error of ours."""
    status = error.http_status if isinstance(error, TandemError) else 500
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    if isinstance(error, TooManyRequests):
        headers = {"retry-after": str(error.retry_seconds)}
    return error_answer(str(error), status, headers)


def error_answer(text: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """{"error": text}, of which MAX_TEXT characters are sent."""
    shown = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    return JSONResponse({"error": shown}, status, headers)


class CountRequests:
    """ASGI middleware: counts each answer by variant, route template and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and counts the status that is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, self._counting(scope, send))

    def _counting(self, scope: Scope, send: Send) -> Callable[[Message], Awaitable[None]]:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unmatched")
                state = scope.get("state", {})
                if state.get("forced"):
                    self._metrics.forced_response(route, message["status"])
                else:  # routes that know the variant set it
                    self._metrics.responded(route, message["status"], state.get("variant"))
            await send(message)

        return counted
