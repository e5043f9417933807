"""The route that reads parameters itself says what FastAPI would say."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse

from contracts.api import ListOptions
from serving.experiments import VARIANT_HEADER
from serving.routes.errors import add_error_answers
from serving.routes.parameters import ForcedVariant, User
from serving.routes.quick import ListRoute

Get = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def get() -> Get:
    """Asks /quick or /plain, the same endpoint read by us and by FastAPI."""
    app = FastAPI()

    async def endpoint(
        request: Request, user_id: User, options: Annotated[ListOptions, Query()], variant: ForcedVariant = None
    ) -> JSONResponse:
        read = {"user": user_id, "variant": variant, "set": sorted(options.model_fields_set)}
        return JSONResponse(read | options.model_dump())

    app.router.add_api_route("/quick/{user_id}", endpoint, route_class_override=ListRoute)
    app.router.add_api_route("/plain/{user_id}", endpoint)
    add_error_answers(app)

    def asked(path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())

    return asked


@pytest.mark.parametrize(
    ("asked", "variant"),
    [
        ("1", None),
        ("1?n=20&n=30&surface=basket&explain=true", "challenger"),
        ("a%2Fb?category=A&category=B&context=1&exclude=2", None),
        ("1?department=&page=", None),
        ("1?price_min=0.5&price_max=9&seed=7&unknown=1", None),
        ("1?n=0", None),
        ("1?n=many&explain=perhaps&price_min=nan", "x" * 33),
        ("1?price_min=3&price_max=2", None),
        ("1?segment=nothing&context=" + "&context=".join("abcdefghij" * 6), None),
        ("u" * 129 + "?n=-1", "x" * 33),
    ],
)
def test_it_reads_and_refuses_as_fastapi_does(get: Get, asked: str, variant: str | None) -> None:
    headers = {VARIANT_HEADER: variant} if variant else {}
    quick, plain = (get(f"/{path}/{asked}", headers) for path in ("quick", "plain"))
    assert (quick.status_code, quick.json()) == (plain.status_code, plain.json())


def test_the_api_page_describes_both_alike(get: Get) -> None:
    paths: dict[str, Any] = get("/openapi.json").json()["paths"]
    quick, plain = (paths[f"/{path}/{{user_id}}"]["get"] for path in ("quick", "plain"))
    assert quick["parameters"] == plain["parameters"]
    assert {"user_id", "n", "category", VARIANT_HEADER} <= {parameter["name"] for parameter in quick["parameters"]}
