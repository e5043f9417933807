"""Ids with reserved characters in paths, HEAD, and 405 with what is allowed."""

import asyncio
from urllib.parse import quote

import httpx
import pytest
from fastapi import APIRouter, FastAPI

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

    @app.get("/lists/{user_id}")
    async def made(user_id: User) -> str:
        return user_id

    more = APIRouter()

    @more.delete("/lists/{user_id}")
    async def gone(user_id: User) -> str:
        return user_id

    @app.get("/users/{user_id}")
    async def one(user_id: User) -> str:
        return user_id

    app.include_router(more)
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
    assert answer.json()["error"] == f"/users/1 is not asked with {method}, but with GET, HEAD."


def test_allowed_are_the_methods_of_every_route_of_a_path() -> None:
    answer = ask("/lists/1", "PUT")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")


def test_a_path_that_there_is_not_is_named_with_how_an_id_is_written() -> None:
    answer = ask("/users/a/b")
    assert answer.status_code == 404
    assert answer.json()["error"] == (
        "There is no path /users/a/b; /docs lists those there are. A / inside an id is written %2F."
    )


def test_bytes_that_are_no_text_are_not_taken_for_another_id() -> None:
    for path in ("/users/%ff", "/users/a%C3/items/b"):
        answer = ask(path)
        assert (answer.status_code, answer.json()["error"]) == (400, "The path is not UTF-8 behind its %.")
