"""Cases that a server answers: one small shop from its files to a server, which each case asks."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import httpx

from contracts.bundle.files import CURRENT
from tests.support.real_parts.servers import serving
from training.workspace import Workspace

EMPTY: Final = ("RULES", "EXPERIMENT", "IMPRESSION_LOG", "API_KEY", "API_KEYS", "GRPC_PORT", "BUNDLE_PUBLIC_KEY")
"""Settings that are there and empty, as containers and charts set them."""
SECONDS: Final = 10.0
"""How long a posted item is waited for."""


@contextmanager
def asked(shop: Workspace) -> Iterator[httpx.Client]:
    """A client of a server with this shop's bundle, which has each setting of EMPTY empty."""
    log = f"sqlite:///{shop.root}/events.db"
    with (
        serving(shop, BUNDLE_DIR=str(shop.bundles / CURRENT), EVENT_LOG=log, **dict.fromkeys(EMPTY, "")) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


def with_brands(products: Path) -> None:
    """Gives the products of a CSV file two brands in turn, in title case."""
    head, *rows = products.read_text().splitlines()
    branded = [f"{row},{('National', 'Private')[place % 2]}" for place, row in enumerate(rows)]
    products.write_text("\n".join([f"{head},brand", *branded]) + "\n")


def _starts(client: httpx.Client) -> str:
    """Its server has empty settings, so that an answer is all that is asked for."""
    return _judged(client.get("/recommendations/c00").status_code, 200)


def _allow(client: httpx.Client) -> str:
    answer = client.put("/recommendations/1")
    heads = [client.head(path).status_code for path in ("/", "/docs", "/v2/health/ready", "/recommendations/1")]
    return _judged((answer.status_code, answer.headers.get("allow"), heads), (405, "GET, HEAD", [200] * 4))


def _posted(client: httpx.Client) -> str:
    posted: dict[str, Any] = {"item_id": "new-2", "title": "New", "department": "Ünknown Dept, with comma", "price": 1}
    client.post("/items", json=posted).raise_for_status()
    end, seen = monotonic() + SECONDS, ""
    while monotonic() < end:
        answer = client.get("/recommendations/c00", params={"department": posted["department"]})
        seen = answer.text
        if answer.status_code == 200 and [one["item_id"] for one in answer.json()["items"]] == ["new-2"]:
            return "right"
        sleep(0.2)
    return f"after {SECONDS:g} s: {seen[-300:]}"


def _shortfall(client: httpx.Client) -> str:
    answer = client.get("/recommendations/c00", params={"n": 100}).json()
    items, said = len(answer["items"]), answer["shortfall_reason"]
    return _judged(said, f"The catalogue has {items} items.")


def _slash(client: httpx.Client) -> str:
    paths = ("/recommendations/a%2Fb?n=1", "/users/a%2Fb/history", "/items/p%2F1/similar", "/items/p%2F1/also-bought")
    got = [client.get(path) for path in paths]
    post = client.post("/recommendations", json={"requests": [{"user_id": "a/b", "n": 1}]})
    named = [name in one.text for name, one in zip(("a/b", "a/b", "p/1", "p/1"), got, strict=True)]
    return _judged(([one.status_code for one in got[:1]], named, post.status_code), ([200], [True] * 4, 200))


def _suggests(option: str, meant: str, wrong: str) -> Callable[[httpx.Client], str]:
    """A name with a letter less is answered with the name that was meant, and with no other first."""

    def judge(client: httpx.Client) -> str:
        answer = client.get("/recommendations/c00", params={option: wrong})
        said = answer.json().get("error", "")
        return "right" if answer.status_code == 400 and f"'{meant}'" in said else f"{answer.status_code} {said[-300:]}"

    return judge


def _without_id(client: httpx.Client) -> str:
    data = [client.get("/bundle").json()["example_user_ids"][0]]
    tensors = {"inputs": [{"name": "user_id", "shape": [1], "datatype": "BYTES", "data": data}]}
    codes = [
        client.post(f"/v2/models/{model}/infer", content=json.dumps(body), headers={"content-type": "application/json"})
        for model in ("recommender", "retrieval")
        for body in (tensors, tensors | {"id": None}, tensors | {"id": "x"})
    ]
    return _judged([one.status_code for one in codes], [200] * 6)


def _judged(seen: object, right: object) -> str:
    return "right" if seen == right else f"seen {seen!r}, right {right!r}"


SERVED: Final[dict[str, Callable[[httpx.Client], str]]] = {
    "empty-environment-variables": _starts,
    "empty-impression-log-variable": _starts,
    "method-not-allowed-without-allow": _allow,
    "posted-department-cannot-be-filtered": _posted,
    "shortfall-without-filters": _shortfall,
    "slash-in-user-id": _slash,
    "suggestions-lower-case": _suggests("department", "tools", "tols"),
    "suggestions-title-case-brand": _suggests("brand", "Private", "privte"),
    "v2-infer-without-id": _without_id,
}
"""Right, or what is seen instead, by case."""
