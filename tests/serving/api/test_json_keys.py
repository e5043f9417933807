"""A key twice in one object is refused by name, wherever it stands; what is not JSON is left to its parser."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI, Request
from kserve import ModelRepository
from kserve.errors import InvalidInput as KServeInvalidInput
from pydantic import BaseModel

from serving.api.json_keys import LONG, DistinctKeys, RepeatedKey, TooDeep, refuse_repeated
from serving.api.kserve_server import StrictDataPlane
from serving.api.routes.errors import add_error_answers


class Body(BaseModel):
    n: int


def application() -> FastAPI:
    app = FastAPI()
    add_error_answers(app)
    app.add_middleware(DistinctKeys)

    @app.post("/parsed")
    async def parsed(body: Body) -> int:
        return body.n

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    return app


def posted(path: str, content: bytes | Callable[[], AsyncIterator[bytes]], *headers: tuple[str, str]) -> httpx.Response:

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(application())
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as caller:
            return await caller.post(
                path,
                content=content if isinstance(content, bytes) else content(),
                headers=[("content-type", "application/json"), *headers],
            )

    return asyncio.run(ask())


def test_a_long_body_is_looked_at_to_its_end() -> None:
    long = b'{"n": "' + b"x" * LONG + b'"'
    assert "'n' twice" in posted("/raw", long + b', "n": 2}').json()["error"]
    assert posted("/raw", long + b"}").json() == len(long) + 1


@pytest.mark.parametrize("path", ["/parsed", "/raw"])
def test_a_key_twice_is_refused_however_the_route_reads_its_body(path: str) -> None:
    refused = posted(path, b'{"n": 3, "n": 4}')
    assert refused.status_code == 400
    assert refused.json() == {"error": "The body has the key 'n' twice in one object. Send each key once."}
    assert posted(path, b'{"n": 3}').status_code == 200


def test_a_body_that_comes_in_parts_is_looked_at_as_one() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b'{"n": 3', b', "', b'n": 4}'):
            yield part

    assert "'n' twice" in posted("/raw", parts).json()["error"]


LENGTH = "inference-header-content-length"
HEAD = b'{"id": "a", "id": "b"}'


@pytest.mark.parametrize("tensors", [b"", b"\x00\xff", b"plain"])
@pytest.mark.parametrize(
    "claimed", [[], ["0"], ["3"], [str(len(HEAD))], [f"+{len(HEAD)}"], ["-2"], ["3", str(len(HEAD))]]
)
def test_of_a_body_with_binary_tensors_the_json_is_looked_at_whatever_its_headers_claim(
    claimed: list[str], tensors: bytes
) -> None:
    for path in ("/raw", "/parsed"):
        refused = posted(path, HEAD + tensors, *[(LENGTH, length) for length in claimed])
        assert refused.status_code == 400
        assert "'id' twice" in refused.json()["error"]
    assert posted("/raw", b'{"id": "a"}' + tensors, (LENGTH, "11")).json() == 11 + len(tensors)


def test_a_json_text_is_not_read_as_json_once_more() -> None:
    """FastAPI makes bytes of it, and KServe reads these as an inference request."""
    models = StrictDataPlane(ModelRepository())
    headers = {"content-type": "application/json", LENGTH: str(len(HEAD))}
    with pytest.raises(KServeInvalidInput, match="The body is a JSON text"):
        models.decode(HEAD, headers, protocol_version="v2", model_name="recommender")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"events": [{"a": 1}, {"a": 1, "b": 2, "b": 2}]}', "b"),  # the first event's a is another object's
        ('{"a": {"b": [[{"c": null, "c": null}]]}}', "c"),
        (r'{"user_id": 1, "user\u005fid": 2}', "user_id"),  # written in two ways
        ('{"": 1, "": 2}', ""),
    ],
)
def test_the_key_is_named_wherever_it_stands(body: str, key: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(RepeatedKey) as raised:
            refuse_repeated(body.encode(encoding))
        assert str(raised.value) == key


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\xff",
        b'{"a": 1, "a": 2',
        b'{"n": ' + b"9" * 1_000_000 + b"}",
        json.dumps({"events": [{"a": 1, "b": {"a": 1}}] * 3}).encode(),
    ],
)
def test_what_has_no_repeated_key_or_is_no_json_passes(body: bytes) -> None:
    refuse_repeated(body)


def test_a_key_behind_a_number_of_many_digits_is_found() -> None:
    with pytest.raises(RepeatedKey):
        refuse_repeated(b'{"n": ' + b"9" * 5000 + b', "n": 1}')


@pytest.mark.parametrize("depth", [1000, 100_000])
def test_what_is_nested_deeper_than_is_looked_at_is_refused(depth: int) -> None:
    """KServe's parser goes down to 1,024. How deep ours goes depends on where it is called: then it finds the key."""
    body = b'{"n": 1, "x": ' + b"[" * depth + b"]" * depth + b', "n": 2}'
    with pytest.raises((RepeatedKey, TooDeep)):
        refuse_repeated(body)
    assert posted("/raw", body).status_code == 400
