"""What answers in front of FastAPI's route answers as that does, and leaves it what has a fault."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from contracts.api.answers import DegradedLevel, Recommendations, RecommendedItem
from contracts.api.requests import RecommendationRequest
from contracts.errors import InvalidInput
from serving.api.routes import recommendations
from serving.api.routes.errors import add_error_answers
from serving.api.routes.fast_path import FastPath
from serving.bundles.experiment import VARIANT_HEADER

Get = Callable[..., httpx.Response]


class Echo:
    """A service whose answer to a request is the request; a list with a seed of 13 is refused."""

    @property
    def lists(self) -> "Echo":
        return self

    async def answer(self, asking: RecommendationRequest, *, shown: bool) -> Any:
        if asking.seed == 13:
            raise InvalidInput("13 is no seed.")
        set_fields = sorted(asking.model_fields_set - {"variant"})
        return SimpleNamespace(
            variant="stable", model_dump_json=lambda: f'[{asking.model_dump_json()}, "{set_fields}", "{shown}"]'
        )


@pytest.fixture(scope="module")
def get() -> Get:
    """Asks the route with what answers in front of it, or alone."""
    plain, quick = FastAPI(), FastAPI()
    for app in (plain, quick):
        app.include_router(recommendations.router(Echo()))  # type: ignore[arg-type]
        add_error_answers(app)
    quick.add_middleware(FastPath, service=Echo())  # type: ignore[arg-type]

    def asked(path: str, headers: dict[str, str] | None = None, *, in_front: bool) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(quick if in_front else plain)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                return await client.get(f"/recommendations/{path}", headers=headers)

        return asyncio.run(ask())

    return asked


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        ("1", {}),
        ("1?surface=page", {"x-tandem-mirror": "1"}),
        ("1?surface=basket&n=20&n=30&explain=true", {VARIANT_HEADER: "challenger"}),
        ("a%2Fb?category=A&category=B&context=1&exclude=2", {}),
        ("J%C3%BCrgen%20%2B?category=S%C3%BC%C3%9Fes&category=a%2Bb+c", {}),
        ("", {}),
        ("1/", {}),
        ("1?department=&page=", {}),
        ("1?price_min=0.5&price_max=9&seed=7", {}),
        ("1?price_min=0.5&unknown=1", {}),
        ("1?user_id=2", {}),
        ("1?seed=13", {}),
        ("1?n=0", {}),
        ("1?n=1.0&explain=1", {}),
        ("1?n=many&explain=perhaps&price_min=nan", {VARIANT_HEADER: "x" * 33}),
        ("1?price_min=3&price_max=2", {}),
        ("1?segment=nothing&context=" + "&context=".join("abcdefghij" * 6), {}),
        ("u" * 129 + "?n=-1", {VARIANT_HEADER: "x" * 33}),
    ],
)
def test_it_answers_and_refuses_as_fastapi_does(get: Get, asked: str, headers: dict[str, str]) -> None:
    quick, plain = get(asked, headers, in_front=True), get(asked, headers, in_front=False)
    assert (quick.status_code, quick.text, quick.headers) == (plain.status_code, plain.text, plain.headers)


def test_what_is_well_formed_never_reaches_fastapi() -> None:
    async def nobody(*_: Any) -> None:
        raise AssertionError("passed on")

    async def ask(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(FastPath(nobody, Echo()))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get(path)

    assert asyncio.run(ask("/recommendations/1?n=20")).status_code == 200
    with pytest.raises(AssertionError, match="passed on"):
        asyncio.run(ask("/recommendations/1?n=0"))


class Unwritable:
    """A service whose lists have a title that is not a text; it notes the bundles that this is counted against."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        self.releases = SimpleNamespace(unwritten=self.counted.append)
        self.lists = self

    async def answer(self, asking: RecommendationRequest, **_: bool) -> Recommendations:
        item = RecommendedItem(item_id="1", score=1, title="\ud800", department="", source="popular")
        return Recommendations(
            user_id=asking.user_id,
            request_id="r",
            bundle_version="bad",
            variant="stable",
            degraded_level=DegradedLevel.FULL,
            items=[item],
        )

    async def answers(self, asked: Sequence[RecommendationRequest], **_: bool) -> list[Recommendations]:
        return [await self.answer(one) for one in asked]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_list_that_cannot_be_written_counts_against_its_bundle(method: str) -> None:
    service, app = Unwritable(), FastAPI()
    app.include_router(recommendations.router(service))  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            if method == "GET":
                return await client.get("/recommendations/1")
            return await client.post("/recommendations", json={"requests": [{"user_id": "1"}]})

    with pytest.raises(ValueError, match="surrogates not allowed"):
        asyncio.run(ask())
    assert service.counted == ["bad"]
