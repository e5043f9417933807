"""Every error as {"error": text} with a status that says whose fault it is; every answer counted."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.errors import TandemError, faults_of
from serving.api.rate_limits import TooManyRequests
from serving.metrics import Metrics

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
MAX_TEXT: Final = 4000
"""Characters of an error's text; what is wrong with a request must not cost more than an answer to it."""


def add_error_answers(app: FastAPI) -> None:
    """Handlers for our own errors, for refused parameters and for what Starlette raises."""

    async def tandem(_: Request, error: Exception) -> JSONResponse:
        return refusal(error)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        return error_answer("; ".join(faults_of(faults, "request", of={"body": _body_of(request)})), 400)

    async def http(request: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, HTTPException):
            return error_answer("error", 500)
        path = request.scope["path"]
        if error.status_code == 404 and error.detail == "Not Found":  # Starlette's, where no route has the path
            return error_answer(
                f"There is no path {path}; /docs lists those there are. A / inside an id is written %2F.", 404
            )
        if error.status_code == 405:
            allowed = ", ".join(_allowed(request))
            return error_answer(
                f"{path} is not asked with {request.method}, but with {allowed}.", 405, {"Allow": allowed}
            )
        return error_answer(error.detail, error.status_code, error.headers)

    app.add_exception_handler(TandemError, tandem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _body_of(request: Request) -> Any:
    """The type that the route expects as its body; None where it expects none."""
    body = getattr(request.scope.get("route"), "body_field", None)
    return body and body.field_info.annotation


def _allowed(request: Request) -> list[str]:
    """The methods that some route answers at this path; Starlette names those of the first route alone.

    Each is asked for, as routes of an included router are not listed. HEAD goes wherever GET does, see paths.py.
    """
    routes = request.app.routes
    methods = [one for one in METHODS if any(_answers(route, {**request.scope, "method": one}) for route in routes)]
    return sorted([*methods, "HEAD"] if "GET" in methods else methods)


def _answers(route: BaseRoute, scope: Scope) -> bool:
    return route.matches(scope)[0] is Match.FULL


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
