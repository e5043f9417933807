"""Which names, sites and kinds of bodies are taken."""

import asyncio
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from serving.api.access import Access
from serving.api.app import add_readers, add_routes
from serving.api.hosts import SECURITY_HEADERS, AllowedSites
from serving.api.request_ids import RequestIds
from serving.metrics import Metrics
from serving.settings import ServingSettings


def app_of(**settings: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(AllowedSites, settings=ServingSettings(**settings))
    app.add_middleware(RequestIds, headers=SECURITY_HEADERS)

    @app.get("/")
    async def index() -> str:
        return "here"

    @app.post("/")
    async def post() -> str:
        return "taken"

    return app


def ask(app: FastAPI, method: str = "GET", host: str = "127.0.0.1", **headers: str) -> httpx.Response:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, "/", headers={"host": host, **named})

    return asyncio.run(asked())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "10.0.0.1"])
def test_a_server_on_loopback_answers_to_addresses_and_localhost(host: str) -> None:
    assert ask(app_of(), host=host).json() == "here"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_a_name_that_a_stranger_points_here_is_not_answered(host: str) -> None:
    refused = ask(app_of(), host=host)
    assert refused.status_code == 403
    assert "TANDEM_ALLOWED_HOSTS" in refused.json()["error"]


def test_names_can_be_set_and_elsewhere_any_name_is_answered() -> None:
    assert ask(app_of(host="0.0.0.0"), host="shop.example").json() == "here"  # noqa: S104
    shop = app_of(host="0.0.0.0", allowed_hosts="shop.example, localhost")  # noqa: S104
    assert ask(shop, host="SHOP.example:443").json() == "here"
    assert ask(shop, host="evil.example").status_code == 403


@pytest.mark.parametrize("hosts", [0, 2])
def test_a_request_has_one_host(hosts: int) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/", "headers": [(b"host", b"a")] * hosts}
    asyncio.run(app_of()(scope, lambda: None, send))  # type: ignore[arg-type,return-value]
    assert sent[0]["status"] == 400
    assert f"this one has {hosts}" in sent[1]["body"].decode()


def test_another_site_may_not_post() -> None:
    refused = ask(app_of(), "POST", origin="https://evil.example")
    assert refused.status_code == 403
    assert "TANDEM_ALLOWED_ORIGINS" in refused.json()["error"]
    assert ask(app_of(), "POST", origin="null").status_code == 403
    assert ask(app_of(), "POST", origin="http://127.0.0.1").json() == "taken"  # its own page
    allowed = app_of(allowed_origins="https://shop.example")
    assert ask(allowed, "POST", origin="https://shop.example").json() == "taken"
    assert ask(app_of(), origin="https://evil.example").json() == "here"  # reading is the browser's to refuse


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", "multipart/form-data; boundary=x"])
def test_what_a_browser_sends_unasked_is_no_json(kind: str) -> None:
    assert ask(app_of(), "POST", content_type=kind).status_code == 415
    assert ask(app_of(), "POST", content_type="application/json").json() == "taken"


def test_every_answer_tells_a_browser_to_keep_to_what_it_is() -> None:
    for answer in (ask(app_of()), ask(app_of(), host="evil.example")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(("origin", "allowed"), [("https://shop.example", True), ("https://other.example", False)])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/users/ada/history"), ("POST", "/events"), ("DELETE", "/users/ada")]
)
def test_pages_of_allowed_origins_may_ask_post_and_erase_with_a_token(
    origin: str, allowed: bool, method: str, path: str
) -> None:
    """Through all layers of the application, as a browser does it: first it asks whether it may."""
    settings = ServingSettings(allowed_origins="https://Shop.example")
    app = FastAPI()
    service = MagicMock(settings=settings, metrics=Metrics(CollectorRegistry(), "stable"))
    add_routes(app, service, Access(settings))

    async def ask(method: str, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("10.0.0.8", 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            sent = {"origin": origin} | {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, headers=sent)

    before = {"access_control_request_method": method, "access_control_request_headers": "authorization,content-type"}
    preflight = asyncio.run(ask("OPTIONS", **before))
    assert (preflight.status_code == httpx.codes.OK) is allowed
    assert (preflight.headers.get("access-control-allow-origin") == origin) is allowed
    if allowed:
        assert method in preflight.headers["access-control-allow-methods"]
        answer = asyncio.run(ask(method, authorization="Bearer of nothing", content_type="application/json"))
        assert answer.status_code == httpx.codes.UNAUTHORIZED  # and the page can read that
        assert answer.headers["access-control-allow-origin"] == origin


def test_without_allowed_origins_nothing_is_said_of_them() -> None:
    app = FastAPI()
    add_readers(app, ServingSettings())
    assert app.user_middleware == []
