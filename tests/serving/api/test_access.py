"""Keys, ids and failures at the edge, in process: who is let in, and what a caller reads when something breaks."""

import asyncio
from collections.abc import Iterator
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from kserve import ModelRepository
from kserve.errors import InvalidInput as KServeInvalidInput
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts.errors import InvalidInput
from serving.api.access import Access, CheckAccess
from serving.api.app import add_routes
from serving.api.kserve_server import FixedModels
from serving.api.request_ids import RequestIds
from serving.api.routes.errors import CountRequests, add_error_answers
from serving.metrics import Metrics
from serving.settings import ServingSettings, read_settings

KEY = "sixteen letters!"


def get(app: FastAPI, path: str = "/", client: str = "127.0.0.1", **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(client, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as caller:
            return await caller.get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})

    return asyncio.run(ask())


def guarded(api_key: str | None) -> FastAPI:
    app = FastAPI()
    add_error_answers(app)
    settings = ServingSettings(api_key=SecretStr(api_key) if api_key else None)

    app.add_middleware(CheckAccess, access=Access(settings))

    @app.get("/inside")  # which nothing names: it is for administrators
    async def inside() -> str:
        return "inside"

    return app


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1"])
def test_without_a_key_this_machine_is_let_in(client: str) -> None:
    assert get(guarded(None), "/inside", client=client).json() == "inside"


@pytest.mark.parametrize("client", ["10.0.0.8", "192.168.1.2", "2001:db8::1", "testclient"])
def test_without_a_key_another_machine_is_told_what_to_do(client: str) -> None:
    refused = get(guarded(None), "/inside", client=client)
    assert refused.status_code == 401
    assert "started without TANDEM_API_KEY, so this works only from the machine" in refused.json()["error"]


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded"])
def test_without_a_key_a_proxy_on_this_machine_is_not_this_machine(header: str) -> None:
    assert get(guarded(None), "/inside", **{header: "127.0.0.1"}).status_code == 401


@pytest.mark.parametrize(
    ("sent", "status"), [(f"Bearer {KEY}", 200), (f"bearer {KEY}", 200), ("Bearer wrong", 401), (KEY, 401), ("", 401)]
)
@pytest.mark.parametrize("client", ["127.0.0.1", "10.0.0.8"])
def test_with_a_key_it_alone_counts_wherever_the_caller_is(sent: str, status: int, client: str) -> None:
    assert get(guarded(KEY), "/inside", client=client, authorization=sent).status_code == status


def failing(registry: CollectorRegistry) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RequestIds)
    app.add_middleware(CountRequests, metrics=Metrics(registry))
    add_error_answers(app)

    @app.get("/fails")
    async def fails() -> str:
        raise KeyError("/secret/path of user 7")

    @app.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        async def half() -> object:
            yield b"half"
            raise KeyError("the other half")

        return StreamingResponse(half())  # type: ignore[arg-type]

    return app


def test_a_failure_is_counted_tells_its_id_and_keeps_its_text_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()
    answer = get(failing(registry), "/fails", x_request_id="caller-7")
    assert answer.status_code == 500
    assert answer.json() == {"error": "Internal error. The server's log has its text under request id caller-7."}
    assert answer.headers["x-request-id"] == "caller-7"
    counted = {"variant": "stable", "route": "/fails", "status": "500"}
    assert registry.get_sample_value("tandem_http_requests_total", counted) == 1
    assert "Request caller-7 /fails failed." in caplog.text
    assert "/secret/path of user 7" in caplog.text


def test_an_answer_that_has_begun_is_broken_off(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError, match="the other half"):
        get(failing(CollectorRegistry()), "/breaks-off")
    assert "/breaks-off failed" in caplog.text


def test_a_model_cannot_be_loaded_or_unloaded_over_either_protocol() -> None:
    models = FixedModels(model_registry=ModelRepository())
    for change in (models.load, models.unload):
        with pytest.raises(KServeInvalidInput, match="not loaded and unloaded here"):
            asyncio.run(change("recommender"))


def test_all_settings_that_cannot_be_used_are_named_and_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TANDEM_API_KEY", "changeme")
    monkeypatch.setenv("TANDEM_HTTP_PORT", "99999")
    with pytest.raises(InvalidInput) as refused:
        read_settings()
    text = str(refused.value)
    assert "TANDEM_API_KEY: " in text
    assert "at least 16" in text
    assert "TANDEM_HTTP_PORT: " in text
    assert "changeme" not in text


def test_a_key_is_not_shown_when_settings_are_printed() -> None:
    assert KEY not in repr(ServingSettings(api_key=SecretStr(KEY)))


def test_a_client_that_leaves_in_mid_body_is_counted_as_that_and_not_as_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = CollectorRegistry()
    app = failing(registry)

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    async def ask() -> None:
        coming: Iterator[dict[str, object]] = iter(
            [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
        )
        scope = {"type": "http", "method": "POST", "path": "/body", "headers": [], "query_string": b""}

        async def receive() -> dict[str, object]:
            return next(coming)

        async def send(message: object) -> None:
            pass

        await app(scope, receive, send)

    asyncio.run(ask())
    counted = {"variant": "stable", "route": "/body", "status": "499"}
    assert registry.get_sample_value("tandem_http_requests_total", counted) == 1
    assert caplog.text == ""


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ServingSettings.model_fields:
        monkeypatch.setenv(f"TANDEM_{field.upper()}", "")
    assert read_settings() == ServingSettings()


@pytest.mark.parametrize("blank", [" ", "\n", "\t \r\n"])
def test_a_variable_of_blanks_alone_is_none(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    unset = ServingSettings()
    for name in ServingSettings.model_fields:
        monkeypatch.setenv(f"TANDEM_{name.upper()}", blank)
    assert read_settings() == unset


def test_no_request_is_traced_where_open_telemetry_is_set_up() -> None:
    """Its spans would hold paths, and these hold ids of users; to look for it costs each request, too."""
    app = FastAPI(telemetry={"tracer_provider": MagicMock()})
    assert app._native_telemetry.enabled()
    settings = ServingSettings()
    service = MagicMock(settings=settings, metrics=Metrics(CollectorRegistry(), "stable"))
    add_routes(app, service, Access(settings))
    assert not app._native_telemetry.enabled()
