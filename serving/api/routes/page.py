"""Pages for people: the demo page and the OpenAPI page."""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from serving.api.limits import CLOSED
from serving.service import Service


def router(service: Service) -> APIRouter:
    """GET /."""
    routes = APIRouter()
    page = (files("serving") / "pages" / "index.html").read_text(encoding="utf-8")

    @routes.get("/", include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    return routes


def add_api_page(app: FastAPI) -> None:
    """The OpenAPI page at /docs, from installed files: it works where nothing can be fetched."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        """The page's schema without what is closed."""
        schema = describe()
        schema["paths"] = {path: item for path, item in schema["paths"].items() if not path.startswith(CLOSED)}
        return schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to change the schema
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
