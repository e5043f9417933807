"""Plain HTTP beside KServe's protocols: lists, history, what serves, and the page."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

from contracts.api import MAX_ITEMS, AlsoBought, BundleCard, History, RecommendationRequest, Recommendations
from contracts.errors import TandemError
from serving.metrics import Metrics
from serving.recommender import Recommender
from serving.worker import call

MAX_HISTORY = 200
Item = Annotated[str, Path(min_length=1, max_length=128, description="Id of the item, as in the catalogue.")]
User = Annotated[str, Path(min_length=1, max_length=128, description="Id of the user, as in the event log.")]


def router(recommender: Recommender, worker: Executor) -> APIRouter:
    """Routes over one recommender."""
    routes = APIRouter()

    @routes.get("/recommendations/{user_id}", tags=["recommendations"], summary="A user's list, best first")
    async def recommendations(
        request: Request,
        user_id: User,
        n: Annotated[int, Query(ge=1, le=MAX_ITEMS, description="Length of the list.")] = 10,
    ) -> Recommendations:
        refuse_unknown_parameters(request, {"n"})
        return await call(worker, recommender.recommend, RecommendationRequest(user_id=user_id, n=n))

    @routes.get("/users/{user_id}/history", tags=["users"], summary="A user's latest distinct purchases")
    async def history(request: Request, user_id: User, n: Annotated[int, Query(ge=1, le=MAX_HISTORY)] = 10) -> History:
        refuse_unknown_parameters(request, {"n"})
        return await call(worker, recommender.history, user_id, n)

    @routes.get("/items/{item_id}/also-bought", tags=["items"], summary="What was bought together with an item")
    async def also_bought(request: Request, item_id: Item) -> AlsoBought:
        refuse_unknown_parameters(request, set())
        return await call(worker, recommender.also_bought, item_id)

    @routes.get("/bundle", tags=["release"], summary="What serves right now")
    async def bundle() -> BundleCard:
        return recommender.card()

    page = (files("serving") / "pages" / "index.html").read_text(encoding="utf-8")

    @routes.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    return routes


def add_api_page(app: FastAPI) -> None:
    """The OpenAPI page at /docs, from installed files: it works where nothing can be fetched."""
    app.openapi_version = "3.0.3"  # the bundled Swagger UI shows 3.0, FastAPI's default is 3.1
    app.mount("/swagger", StaticFiles(directory=swagger_ui_path), name="swagger")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Tandem API",
            swagger_js_url="/swagger/swagger-ui-bundle.js",
            swagger_css_url="/swagger/swagger-ui.css",
            swagger_favicon_url="/swagger/favicon-32x32.png",
        )


def refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    """A misspelt parameter is an error, not a default.

    Raises RequestValidationError naming the parameters that exist.
    """
    if unknown := sorted(set(request.query_params) - known):
        message = f"unknown parameter; there is {', '.join(sorted(known)) or 'none'}"
        raise RequestValidationError([{"loc": ("query", name), "msg": message} for name in unknown])


def add_error_answers(app: FastAPI) -> None:
    """Every error as {"error": text} with a status that says whose fault it is."""

    async def tandem(_: Request, error: Exception) -> JSONResponse:
        status = error.http_status if isinstance(error, TandemError) else 500
        return JSONResponse({"error": str(error)}, status)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        text = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        return JSONResponse({"error": text}, 400)

    async def http(_: Request, error: Exception) -> JSONResponse:
        status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "error")
        return JSONResponse({"error": detail}, status)

    app.add_exception_handler(TandemError, tandem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


class CountRequests:
    """ASGI middleware: counts each answer by route template and status."""

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
                route = scope.get("route")
                self._metrics.answered(getattr(route, "path", "unmatched"), message["status"])
            await send(message)

        return counted
