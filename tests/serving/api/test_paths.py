"""Ids with reserved characters in paths, HEAD, and 405 with what is allowed."""

import asyncio
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI

from serving.api.paths import MeantPaths
from serving.api.routes.errors import add_error_answers
from serving.api.routes.parameters import Item, User


def shop() -> FastAPI:
    app = FastAPI()
    app.add_middleware(MeantPaths)
    add_error_answers(app)

    @app.get("/users/{user_id}/items/{item_id}")
    async def pair(user_id: User, item_id: Item) -> tuple[str, str]:
        return user_id, item_id

    @app.get("/users/{user_id}")
    async def one(user_id: User) -> str:
        return user_id

    return app


def ask(path: str, method: str = "GET") -> httpx.Response:
    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(shop()), base_url="http://shop") as client:
            return await client.request(method, httpx.URL(f"http://shop{path}"))

    return asyncio.run(asked())


IDS = [
    "a/b",
    "1/",
    "/1",
    "//",
    "a%2Fb",
    "100%",
    "%",
    "%25",
    "a?b",
    "a#b",
    "a;b",
    "a+b",
    "a b",
    "ü",
    "\n",
    "a:b@c",
    "..x",
]


@pytest.mark.parametrize("odd", IDS)
def test_every_id_comes_through_as_it_is(odd: str) -> None:
    assert ask(f"/users/{quote(odd, safe='')}").json() == odd
    assert ask(f"/users/{quote(odd, safe='')}/items/{quote(odd, safe='')}").json() == [odd, odd]


def test_the_length_of_an_id_is_its_own_and_not_that_of_its_spelling() -> None:
    assert ask(f"/users/{'%2F' * 128}").json() == "/" * 128
    assert ask(f"/users/{'%2F' * 129}").status_code == 400


def test_head_is_get_without_its_body() -> None:
    answer, same = ask("/users/1", "HEAD"), ask("/users/1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == same.headers["content-length"]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_what_is_not_allowed_is_told_with_what_is(method: str) -> None:
    answer = ask("/users/1", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
