"""Our routes on the application that KServe starts, with the layers around them."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serving.api.access import Access, CheckAccess
from serving.api.hosts import SECURITY_HEADERS, AllowedSites, listed
from serving.api.json_keys import DistinctKeys
from serving.api.limits import BodyLimit, ClosedPaths
from serving.api.paths import MeantPaths
from serving.api.request_ids import RequestIds
from serving.api.routes import admin, catalogue, events, explain, items, page, progress, recommendations, users
from serving.api.routes.errors import CountRequests, add_error_answers
from serving.api.routes.fast_path import FastPath
from serving.service import Service
from serving.settings import ServingSettings

SUBJECTS = (recommendations, users, items, explain, catalogue, events, admin, progress, page)
SENT, READ = ("authorization", "content-type"), ("retry-after", "x-request-id")
"""Headers that pages of allowed origins may send, and see."""
ASKED = ("GET", "POST", "DELETE")
"""Methods of the routes; a browser asks before it sends any but a GET."""


def add_routes(app: FastAPI, service: Service, access: Access) -> None:
    """Every route, the middleware and the answers to errors. To be called before KServe adds its own routes."""
    # An operation is called as its function, so that generated clients have names which people would give.
    app.title, app.version = "Tandem", version("tandem")  # KServe has made the application, with its own
    app.description = "Recommendations over HTTP; KServe's v1 and v2 protocols are under /v1 and /v2."
    # FastAPI looks for OpenTelemetry at each request: a fifth of what HTTP costs here, and its traces would hold paths
    # with ids of users.
    if telemetry := getattr(app, "_telemetry", None):  # no public way leads there once KServe has made the application
        telemetry |= {"tracing": False, "metrics": False, "logs": False}
    for subject in SUBJECTS:
        app.include_router(subject.router(service), generate_unique_id_function=lambda route: route.name)
    app.add_middleware(DistinctKeys)
    app.add_middleware(BodyLimit, max_bytes=service.settings.max_body_bytes)
    # What is above this line lies behind FastPath, which reads no body.
    app.add_middleware(FastPath, service=service)
    app.add_middleware(CheckAccess, access=access)
    app.add_middleware(ClosedPaths)
    app.add_middleware(MeantPaths)
    app.add_middleware(AllowedSites, settings=service.settings)
    add_readers(app, service.settings)
    app.add_middleware(RequestIds, headers=SECURITY_HEADERS)
    app.add_middleware(CountRequests, metrics=service.metrics)  # the last one is the outermost: failures count too
    add_error_answers(app)
    page.add_api_page(app)


def add_readers(app: FastAPI, settings: ServingSettings) -> None:
    """Lets pages of the allowed origins read what is answered, and send a key or a token."""
    if origins := listed(settings.allowed_origins):
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=ASKED, allow_headers=SENT, expose_headers=READ
        )
