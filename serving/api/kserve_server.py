"""KServe's model server as this process runs it: on one host, with fixed models, and errors in our words."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import grpc
import kserve.errors
import uvloop
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from kserve import ModelServer
from kserve.model import BaseKServeModel
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from contracts.spelling import MAX_NAME, meant
from serving.api.access import Access
from serving.api.connections import ConnectionLimits, bounded, sweep
from serving.api.grpc_calls import GuardedCalls, channel_options
from serving.api.routes.errors import error_answer
from serving.settings import ServingSettings

STATUS = {
    kserve.errors.InvalidInput: 400,
    kserve.errors.InferenceError: 400,  # raised by KServe alone, for tensors that cannot be read
    kserve.errors.UnsupportedProtocol: 400,
    kserve.errors.ModelNotFound: 404,
    NotImplementedError: 404,  # parts of the protocols that nothing here offers
    kserve.errors.ModelNotReady: 503,
    kserve.errors.ServerNotLive: 503,
    kserve.errors.ServerNotReady: 503,
}


class FixedModels(ModelRepositoryExtension):  # type: ignore[misc]
    """Models that no caller can take away, over gRPC either; what changes is the bundle behind them."""

    async def load(self, model_name: str) -> NoReturn:
        """Raises KServe's InvalidInput, which both protocols know."""
        await self.unload(model_name)

    async def unload(self, model_name: str) -> NoReturn:
        """Raises KServe's InvalidInput, which both protocols know."""
        raise kserve.errors.InvalidInput("Models are not loaded and unloaded here. Bundles change by /admin/bundle.")


class UnknownModel(kserve.errors.ModelNotFound):  # type: ignore[misc]
    """KServe's, with the names that there are."""

    def __init__(self, name: str, there: Iterable[str]) -> None:
        super().__init__(name)
        names = list(there)
        self.reason = f"There is no model {name[:MAX_NAME]!r}{meant(name, names)}; there are {', '.join(names)}."


class StrictDataPlane(DataPlane):  # type: ignore[misc]
    """KServe's, in which whatever cannot be read is the caller's fault, and a server is ready whose models are."""

    def get_model_from_registry(self, name: str) -> BaseKServeModel:
        """The model. Raises UnknownModel, as all that ask for a model do."""
        models = self._model_registry.get_models()
        if name not in models:
            raise UnknownModel(name, models)
        return models[name]

    async def get_model(self, name: str) -> BaseKServeModel:
        """The model, once it is ready; ours are made ready by a bundle and never by a request."""
        self.get_model_from_registry(name)
        return await super().get_model(name)

    async def model_ready(self, model_name: str, *args: Any, **kwargs: Any) -> bool:
        """Whether it can answer."""
        self.get_model_from_registry(model_name)
        return bool(await super().model_ready(model_name, *args, **kwargs))

    async def ready(self) -> bool:
        """Whether every model can answer; KServe's own is as soon as it listens."""
        models = self._model_registry.get_models()
        return all([await self._model_registry.is_model_ready(name) for name in models])

    def decode_inference_request(self, body: Any, headers: Any, model_name: str) -> Any:
        """KServe's request. It reads a JSON text as JSON once more, of which nothing in front of it knows."""
        if isinstance(body, bytes) and "json" in headers.get("content-type", "").lower():
            raise kserve.errors.InvalidInput("The body is a JSON text. Send the object itself.")
        return super().decode_inference_request(body, headers, model_name)

    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """KServe's request, and attributes of a cloud event. Raises KServe's InvalidInput."""
        try:
            return super().decode(*args, **kwargs)
        except kserve.errors.InvalidInput:
            raise
        except Exception as error:  # KServe's parsers meet any header and any JSON, and raise what comes of it
            raise kserve.errors.InvalidInput(
                "The body cannot be read as its headers say it is. Send JSON with content-type application/json, "
                "and no cloud event or binary tensors unless the headers describe them."
            ) from error


class LoopbackModelServer(ModelServer):  # type: ignore[misc]
    """KServe's server on the host that was asked for; its own is fixed to every interface."""

    def __init__(self, settings: ServingSettings, access: Access) -> None:
        super().__init__(
            http_port=settings.http_port,
            grpc_port=settings.grpc_port or 8081,
            enable_grpc=settings.grpc_port is not None,
            enable_latency_logging=False,
            timeout_keep_alive=settings.keep_alive_seconds,
        )
        self.model_repository_extension = FixedModels(model_registry=self.registered_models)
        self.dataplane = StrictDataPlane(model_registry=self.registered_models)
        self._settings = settings
        self._access = access

    async def _serve(self) -> None:
        server = self._rest_server  # made by start(), not yet listening
        server.config.host = self._settings.host
        server.config.http = bounded(limits_of(self._settings))
        server.config.ws = "none"  # nothing here speaks it
        server._add_exception_handlers = add_protocol_errors  # KServe's own give away the text of any exception
        # KServe's only middleware times each request for a log that is off; ours counts and times already.
        server._add_middlewares = lambda app: None
        sweeping = asyncio.create_task(sweep(server._server.server_state.connections))
        try:
            with grpc_servers(self._settings, self._access):
                await asyncio.gather(*self.servers)
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping


def limits_of(settings: ServingSettings) -> ConnectionLimits:
    """What one connection may cost."""
    return ConnectionLimits(
        settings.max_header_bytes, settings.header_seconds, settings.request_seconds, settings.max_connections
    )


@contextmanager
def grpc_servers(settings: ServingSettings, access: Access) -> Iterator[None]:
    """gRPC servers made meanwhile listen on the settings' host, have limits and ask for keys; KServe's do not."""
    make = grpc.aio.server

    def server(*args: Any, **kwargs: Any) -> grpc.aio.Server:
        guarded = GuardedCalls(access, settings.request_seconds)
        kwargs |= {"options": channel_options(settings), "interceptors": (*kwargs.get("interceptors", ()), guarded)}
        made = make(*args, **kwargs)
        add_port = made.add_insecure_port
        place = f"[{settings.host}]" if ":" in settings.host else settings.host
        made.add_insecure_port = lambda address: add_port(f"{place}:{address.rpartition(':')[2]}")
        return made

    grpc.aio.server = server
    try:
        yield
    finally:
        grpc.aio.server = make


def add_protocol_errors(app: FastAPI) -> None:
    """Handlers for what KServe raises, as {"error": text}; anything unexpected is left to RequestIds."""

    async def protocol(request: Request, error: Exception) -> JSONResponse:
        status = next(status for kind, status in STATUS.items() if isinstance(error, kind))
        if status == 404 and "model_version" in request.path_params:
            version = request.path_params["model_version"][:MAX_NAME]
            return error_answer(f"A model has one version here: leave /versions/{version} out of the path.", 404)
        return error_answer(str(error) or "This server does not offer that.", status)

    for kind in STATUS:
        app.add_exception_handler(kind, protocol)


class ExpectedErrors(logging.Filter):
    """Drops KServe's traceback for what is refused with 400 or 404: the fault is the client's, and counted."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to keep the record."""
        expected = (kserve.errors.InvalidInput, kserve.errors.ModelNotFound)
        return not (record.exc_info and isinstance(record.exc_info[1], expected))


def use_uvloop() -> None:
    """The event loop that costs half of asyncio's own; KServe's choice of one comes too late to count."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())  # KServe asks for one before it runs one


def quiet(level: str) -> None:
    """KServe and uvicorn write three lines a request at their own levels, set when the server object is made."""
    for name in ("kserve", "kserve.trace", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(level)
    logging.getLogger("kserve").addFilter(ExpectedErrors())
    logging.getLogger("uvicorn.access").disabled = True  # its lines hold paths, and these hold ids of users
