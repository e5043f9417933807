"""Filters, pages, batches, similar items and explanations over HTTP and gRPC, on the trained slice."""

import asyncio
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput

from contracts.bundle.manifest import read_manifest
from tests.support.each import each
from tests.support.real_parts import asking
from tests.support.real_parts.servers import free_port
from tests.support.repository import ROOT
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def user(trained: Workspace) -> str:
    return read_manifest(trained.bundles / "current").example_user_ids[0]


def get(url: str, **parameters: Any) -> Any:
    return asking.get(url, params=parameters).raise_for_status().json()


def test_query_parameters_say_what_json_fields_say(server: str, user: str) -> None:
    given = {"n": 7, "department": ["Produce", "deli"], "price_max": 4.0, "include_seen": False}
    plain = get(f"{server}/recommendations/{user}", **given)
    body = {"requests": [{"user_id": user} | given, {"user_id": "nobody", "n": 2}]}
    both = asking.post(f"{server}/recommendations", json=body).raise_for_status().json()["answers"]
    (v1,) = asking.post(
        f"{server}/v1/models/recommender:predict", json={"instances": [{"user_id": user} | given]}
    ).json()["predictions"]
    assert plain["items"] == both[0]["items"] == v1["items"]
    assert {item["department"] for item in plain["items"]} <= {"PRODUCE", "DELI"}
    assert all(item["price"] <= 4.0 for item in each(plain["items"]))
    assert [len(answer["items"]) for answer in both] == [7, 2]


def test_pages_follow_each_other(server: str, user: str) -> None:
    first = get(f"{server}/recommendations/{user}", n=20)
    second = get(f"{server}/recommendations/{user}", n=20, page=first["next_page"])
    listed = [item["item_id"] for page in (first, second) for item in page["items"]]
    assert len(set(listed)) == 40


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("department=Produse", "There is no department 'Produse' (did you mean 'PRODUCE'"),
        ("price_min=3&price_max=2", "price_min 3 is above price_max 2"),
        ("price_min=nan", "finite"),
        ("page=mistyped", "page token is not one that an answer gave"),
        ("surface=Home%20page", "match pattern"),
        ("context=" + "&context=".join("abcdefghij" * 6), "at most 50"),
        ("explain=perhaps", "valid boolean"),
        ("n=5&surface=home&n=6", "query.n: given 2 times; give it once"),
        ("colour=red", "query.colour: unknown parameter; there is brand, category"),
    ],
)
def test_bad_filters_are_refused_with_what_would_work(server: str, query: str, said: str) -> None:
    for path in ("/recommendations/1", "/explain/1/2"):
        answer = asking.get(f"{server}{path}?{query}")
        assert answer.status_code == 400
        assert said in answer.json()["error"]


def test_similar_items_and_their_refusals(server: str, user: str) -> None:
    item = get(f"{server}/recommendations/{user}", n=1)["items"][0]["item_id"]
    answer = get(f"{server}/items/{item}/similar", n=5, price_max=10)
    assert [len(answer["items"]), answer["shortfall"]] == [5, 0]
    assert item not in [other["item_id"] for other in answer["items"]]
    unknown = asking.get(f"{server}/items/no-such-item/similar")
    assert (unknown.status_code, "not in the catalogue" in unknown.json()["error"]) == (404, True)


def test_why_and_why_not(server: str, user: str) -> None:
    listed = get(f"{server}/recommendations/{user}", n=3, explain=True)["items"]
    assert all(item["explanation"]["reason"] and item["explanation"]["proposals"] for item in each(listed))
    shown = get(f"{server}/explain/{user}/{listed[1]['item_id']}", n=3)
    assert (shown["stage"], shown["position"]) == ("shown", 2)
    below = get(f"{server}/explain/{user}/{listed[1]['item_id']}", n=1)
    assert (below["stage"], below["ranked"]) == ("ranked_below", 2)
    filtered = get(f"{server}/explain/{user}/{listed[1]['item_id']}", n=3, price_min=1e6)
    assert (filtered["stage"], filtered["kept_out_by"]) == ("filtered", ["price"])
    assert get(f"{server}/explain/{user}/gone")["stage"] == "unknown_item"


def test_a_stranger_finds_everything_on_the_api_page(server: str) -> None:
    schema = asking.get(f"{server}/openapi.json").json()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (schema["info"]["title"], schema["info"]["version"]) == ("Tandem", project["version"])
    assert "KServe's v1 and v2 protocols are under" in schema["info"]["description"]
    for path, method in (
        ("/recommendations/{user_id}", "get"),
        ("/recommendations", "post"),
        ("/explain/{user_id}/{item_id}", "get"),
        ("/items/{item_id}/similar", "get"),
    ):
        operation = schema["paths"][path][method]
        assert operation["summary"] and operation["description"]
        refusal = operation["responses"]["400"]["content"]["application/json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/Refusal"}
        assert all(parameter.get("description") for parameter in operation.get("parameters", []))


@pytest.fixture(scope="module")
def grpc_port(start_server: Callable[..., str], monkeypatch_module: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch_module.setenv("TANDEM_GRPC_PORT", str(port))
    start_server("--historical")
    return port


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def text(name: str, *values: Any) -> InferInput:
    """[batch] or [batch, k] texts."""
    lists = [value if isinstance(value, list) else [value] for value in values]
    shape = [len(values), len(lists[0])] if isinstance(values[0], list) else [len(values)]
    tensor = InferInput(name, shape, "BYTES")
    tensor._data = [one.encode() for row in lists for one in row]
    return tensor


def infer(port: int, model: str, *inputs: InferInput, outputs: Sequence[str] = ()) -> Any:
    asked = [RequestedOutput(name) for name in outputs]

    async def ask() -> Any:
        async with InferenceGRPCClient(f"127.0.0.1:{port}", retries=0, timeout=30) as client:
            return await client.infer(InferRequest(model, list(inputs), request_outputs=asked))

    return asyncio.run(ask())


def test_grpc_takes_the_same_fields_for_all_models(grpc_port: int, server: str, user: str) -> None:
    number = InferInput("n", [1], "INT32")
    number._data = [4]
    answer = infer(
        grpc_port,
        "recommender",
        text("user_id", user, "nobody"),
        number,
        text("department", ["Produce", ""], ["Deli", "Produce"]),
    )
    listed = [value.decode() for value in answer.outputs[0].as_numpy().ravel().tolist()]
    plain = get(f"{server}/recommendations/{user}", n=4, department="Produce")["items"]
    assert listed[:4] == [item["item_id"] for item in plain]
    k = InferInput("k", [1], "INT32")
    k._data = [9]
    near = infer(grpc_port, "retrieval", text("user_id", user), k, text("department", "Produce")).outputs[0].as_numpy()
    assert near.shape == (1, 9)
    ranked = infer(grpc_port, "ranking", text("user_id", user), text("item_ids", [one.decode() for one in near[0]]))
    assert set(ranked.outputs[0].as_numpy().ravel()) == set(near[0])


def test_grpc_says_what_is_wrong(grpc_port: int) -> None:
    with pytest.raises(Exception, match="There is no department 'Produse'") as refused:
        infer(grpc_port, "recommender", text("user_id", "1"), text("department", "Produse"))
    assert "INVALID_ARGUMENT" in str(refused.value)
    with pytest.raises(Exception, match="There is no output 'titles'; there is item_ids, scores") as refused:
        infer(grpc_port, "recommender", text("user_id", "1"), outputs=["titles"])
    assert "INVALID_ARGUMENT" in str(refused.value)


def test_grpc_gives_the_outputs_that_are_asked_for(grpc_port: int, user: str) -> None:
    answer = infer(grpc_port, "recommender", text("user_id", user), outputs=["scores"])
    assert [output.name for output in answer.outputs] == ["scores"]


def test_grpc_listens_where_it_was_told(grpc_port: int) -> None:
    """0100007F is 127.0.0.1, also at the end of an IPv6 address; a socket on every interface has zeros there."""
    wanted = f"{grpc_port:04X}"
    v4, v6 = (Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6"))
    listening = [line.split()[1] for line in (*v4, *v6) if line.split()[3] == "0A"]
    found = [address for address in listening if address.endswith(":" + wanted)]
    assert found and all(address.endswith(f"0100007F:{wanted}") for address in found)
