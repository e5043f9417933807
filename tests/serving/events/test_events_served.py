"""Events over HTTP, from the post to the next recommendation, on both pairs of stores; and what survives a kill."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import pytest

from contracts.bundle.manifest import read_manifest
from contracts.events.log import INTERACTIONS
from contracts.features import names
from serving.bundles.bundle import load_bundle
from serving.events.open_log import open_log
from tandem.server import wait_until_ready
from tests.support.real_parts import asking
from tests.support.real_parts.redis_server import DURABLE, RedisServer
from tests.support.real_parts.servers import PATIENT, free_port
from tests.support.workspaces.own_workspace import own_workspace
from training.feature_store.store import materialize_users
from training.workspace import Workspace

pytestmark = pytest.mark.tf

PATIENCE_SECONDS = 60
SIGNING = {"TANDEM_USER_TOKEN_KEY": "a secret of more than 32 letters"}


@dataclass
class Stack:
    """One server of its own over stores of its own."""

    workspace: Workspace
    event_log: str
    redis: RedisServer | None
    url: str
    process: "subprocess.Popen[bytes]"

    def post(self, body: Any) -> httpx.Response:
        return asking.post(f"{self.url}/events", json=body, timeout=10.0)

    def logged(self) -> set[str]:
        log = open_log(self.event_log, INTERACTIONS)
        keys, after = set(), 0
        while entries := log.read(after, 10_000):
            keys |= {json.loads(entry.payload)["event_id"] for entry in entries}
            after = entries[-1].position
        log.close()
        return keys


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def stack(
    request: pytest.FixtureRequest, trained: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    redis: RedisServer | None = None
    if request.param == "redis":
        redis = request.getfixturevalue("redis_servers")(*DURABLE)
    workspace = own_workspace(trained, tmp_path_factory.mktemp(request.param), redis)
    event_log = redis.url if redis else workspace.event_log
    port = free_port()
    options = ["--root", str(workspace.root), "--port", str(port), "--historical", "--event-log", event_log]
    process = subprocess.Popen([sys.executable, "-m", "tandem", "serve", *options], env=os.environ | PATIENT | SIGNING)
    wait_until_ready(port, process)
    yield Stack(workspace, event_log, redis, f"http://127.0.0.1:{port}", process)
    process.kill()
    process.wait(timeout=30)


@pytest.fixture
def user(stack: Stack) -> str:
    return read_manifest(stack.workspace.bundles / "current").example_user_ids[3]


numbers = itertools.count()


def event(user_id: str, item_id: str | None, event_type: str = "purchase", **fields: Any) -> dict[str, Any]:
    identified = {"event_id": f"event-{next(numbers)}", "event_type": event_type, "user_id": user_id}
    return identified | ({"item_id": item_id} if item_id else {}) | fields


def shown(stack: Stack, user_id: str) -> list[str]:
    answer = asking.get(f"{stack.url}/recommendations/{user_id}?n=20").raise_for_status().json()
    return [item["item_id"] for item in answer["items"]]


def times_bought(stack: Stack, user_id: str, item_id: str) -> int:
    items = asking.get(f"{stack.url}/users/{user_id}/history?n=200").raise_for_status().json()["items"]
    return sum(item["count"] for item in items if item["item_id"] == item_id)


loaded = cache(load_bundle)


def content_of(workspace: Workspace, item_id: str) -> dict[str, str]:
    """The content columns of an item, in the words of the catalogue."""
    bundle = loaded((workspace.bundles / "current").resolve())
    row = bundle.item_ids.index(item_id)
    codes = {column: bundle.items.catalogue.codes[column][row] for column in names.ITEM_CONTENT}
    return {column: bundle.vocabularies[column].terms[code - 1] for column, code in codes.items() if code}


def until(condition: Callable[[], bool]) -> None:
    """Waits for it. How quick it is, `python -m benchmarks.events` measures: a machine that runs tests is busy."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE_SECONDS, f"it has not happened within {PATIENCE_SECONDS} s"
        time.sleep(0.02)


def test_an_event_changes_the_next_recommendation(stack: Stack, user: str) -> None:
    before = shown(stack, user)
    receipt = stack.post(event(user, before[0], price=2.0, basket_id="fresh"))
    kept = {"accepted": 1, "duplicate": 0, "suppressed": 0, "rejected": []}
    assert (receipt.status_code, receipt.json()) == (202, kept)
    until(lambda: shown(stack, user) != before)
    history = asking.get(f"{stack.url}/users/{user}/history?n=1").json()["items"]
    assert history[0]["item_id"] == before[0]


def test_a_stranger_who_buys_is_a_stranger_no_more(stack: Stack) -> None:
    popular = shown(stack, "newcomer")
    stack.post(event("newcomer", popular[7])).raise_for_status()

    def level() -> str:
        found: str = asking.get(f"{stack.url}/recommendations/newcomer").json()["degraded_level"]
        return found

    until(lambda: level() == "full")
    why_not = asking.get(f"{stack.url}/explain/newcomer/{popular[7]}").json()  # wherever the ranker puts it
    assert "repeat" in [proposal["source"] for proposal in why_not["proposals"]]


def test_posting_again_is_a_duplicate_and_changes_nothing(stack: Stack, user: str) -> None:
    before = times_bought(stack, user, "819063")
    one = event(user, "819063", basket_id="again")
    assert stack.post(one).json()["accepted"] == 1
    until(lambda: times_bought(stack, user, "819063") == before + 1)
    receipt = stack.post({"events": [one, one]})
    assert (receipt.status_code, receipt.json()["duplicate"]) == (202, 2)
    stack.post(event(user, None, "visit")).raise_for_status()
    time.sleep(0.3)
    assert times_bought(stack, user, "819063") == before + 1


def test_an_event_of_one_user_does_not_suppress_anothers_with_its_id(stack: Stack, user: str) -> None:
    before = times_bought(stack, user, "819063")
    bought = event(user, "819063")
    assert stack.post(bought | {"user_id": "squatter", "event_type": "view"}).json()["accepted"] == 1
    receipt = stack.post(bought).json()
    assert (receipt["accepted"], receipt["duplicate"]) == (1, 0)
    until(lambda: times_bought(stack, user, "819063") == before + 1)


def test_a_batch_keeps_the_good_and_names_the_bad(stack: Stack) -> None:
    good, bad = event("someone", "819063"), event("someone", None)
    future = event("someone", "819063", event_timestamp="2999-01-01T00:00:00Z")
    receipt = stack.post({"events": [bad, good, future, "no event"]})
    assert receipt.status_code == 202
    found = receipt.json()
    assert (found["accepted"], found["duplicate"]) == (1, 0)
    assert [(one["position"], one["event_id"]) for one in found["rejected"]] == [
        (0, bad["event_id"]), (2, future["event_id"]), (3, None),
    ]  # fmt: skip
    assert "item_id is required for purchase" in found["rejected"][0]["reason"]
    assert "in the future" in found["rejected"][1]["reason"]
    nothing = stack.post({"events": [bad]})
    assert (nothing.status_code, len(nothing.json()["rejected"])) == (400, 1)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("{", 400, "not JSON"),
        ("[]", 400, 'one event, or {"events": [...]}'),
        ('{"events": []}', 400, "1 to 1000"),
        ('{"events": {}, "more": 1}', 400, "nothing else"),
        ('{"event_id": "e", "event_type": "purchase", "user_id": "u"}', 400, "item_id is required for purchase"),
        ('{"event_id": "e", "event_type": "buy", "user_id": "u"}', 400, "Input should be 'view'"),
        ('{"events": [' + "1," * 1000 + "1]}", 413, "1001 events were sent"),
        (" " * 1_000_001, 413, "at most 1000000"),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused(stack: Stack, body: str, status: int, said: str) -> None:
    answer = asking.post(f"{stack.url}/events", content=body)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert "unknown parameter" in asking.post(f"{stack.url}/events?dry=1", content=body).json()["error"]


def test_the_api_page_describes_both_bodies_and_points_at_nothing_missing(stack: Stack) -> None:
    page = asking.get(f"{stack.url}/openapi.json").json()
    body = page["paths"]["/events"]["post"]["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert body[0]["properties"]["event_type"]["enum"][0] == "view"
    assert body[1]["properties"]["events"]["maxItems"] == 1000
    schemas = {f"#/components/schemas/{name}" for name in page["components"]["schemas"]}
    assert set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(page))) <= schemas


def test_interactions_are_counted_for_the_variant_whose_answer_they_followed(stack: Stack, user: str) -> None:
    request_id = asking.get(f"{stack.url}/recommendations/{user}").json()["request_id"]
    stack.post(event(user, "819063", "like", request_id=request_id)).raise_for_status()
    for invented in ("0-invented", "0-stable"):
        stack.post(event(user, "819063", "like", request_id=invented)).raise_for_status()
    slot = {"x-tandem-slot": "stable"}
    forced = asking.get(f"{stack.url}/recommendations/{user}", headers=slot).json()["request_id"]
    stack.post(event(user, "819063", "like", request_id=forced)).raise_for_status()
    another = asking.get(f"{stack.url}/recommendations/{user}").json()["request_id"]
    chosen = event(user, "819063", "like", request_id=another)
    assert asking.post(f"{stack.url}/events", json=chosen, headers=slot).json()["accepted"] == 1
    stack.post(event(user, "1004906", "like", request_id=request_id)).raise_for_status()
    until(lambda: "tandem_event_lag 0.0" in asking.get(f"{stack.url}/metrics").text)
    text = asking.get(f"{stack.url}/metrics").text
    assert 'tandem_interactions_total{event_type="like",variant="stable"} 2.0' in text
    assert 'tandem_followed_lists_total{event_type="like",variant="stable"} 1.0' in text
    assert 'tandem_followed_lists_total{event_type="like",variant="unattributed"}' not in text
    assert 'tandem_interactions_total{event_type="like",variant="unattributed"} 3.0' in text
    assert "invented" not in text
    assert 'tandem_event_freshness_seconds_bucket{le="2.0"}' in text


def test_a_new_item_can_be_recommended(stack: Stack, user: str) -> None:
    """Placed by the content of an item that this user has bought, it is retrieved and ranked like any other."""
    bought = asking.get(f"{stack.url}/users/{user}/history?n=1").json()["items"][0]["item_id"]
    item = {"item_id": "brand-new", "title": "Brand new", "price": 3.0} | content_of(stack.workspace, bought)
    answer = asking.post(f"{stack.url}/items", json=item)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})

    def ranked() -> bool:
        body = {"instances": [{"user_id": user, "item_ids": ["brand-new", bought]}]}
        return asking.post(f"{stack.url}/v1/models/ranking:predict", json=body).status_code == 200

    until(ranked)
    again = asking.post(f"{stack.url}/items", json={"items": [{"item_id": "brand-new", "in_stock": True}]})
    assert again.json() == {"accepted": 1}
    assert "tandem_time_to_recommendable_seconds_count" in asking.get(f"{stack.url}/metrics").text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"title": "no id"}, "item_id"),
        (
            {"item_id": "i", "titel": "red"},
            "body.titel: there is no such field (did you mean 'title'?); there is item_id, ",
        ),
        (
            {"items": [{"item_id": "i", "titel": "red"}]},
            "body.items.0.titel: there is no such field (did you mean 'title'?)",
        ),
        ({"item_id": "i", "price": -1}, "greater than or equal to 0"),
        ({"items": []}, "at least 1 item"),
    ],
)
def test_an_impossible_item_is_refused(stack: Stack, body: Any, said: str) -> None:
    answer = asking.post(f"{stack.url}/items", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_materializing_fails_no_read_and_wipes_no_fresh_event(stack: Stack, user: str) -> None:
    before = times_bought(stack, user, "819063")
    stack.post(event(user, "819063", basket_id="kept")).raise_for_status()
    until(lambda: times_bought(stack, user, "819063") == before + 1)
    done = threading.Event()
    levels: list[str] = []

    def read() -> None:
        with httpx.Client(base_url=stack.url) as client:
            while not done.is_set():
                answer = client.get(f"/recommendations/{user}")
                levels.append(answer.json()["degraded_level"] if answer.status_code == 200 else str(answer.status_code))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        materialize_users(stack.workspace)
        done.set()
        for reader in readers:
            reader.result()
    assert len(levels) > 10
    assert set(levels) == {"full"}
    assert times_bought(stack, user, "819063") == before + 1


def post_until_gone(stack: Stack, batches: list[list[dict[str, Any]]], acknowledged: set[str]) -> None:
    with httpx.Client(base_url=stack.url, timeout=10.0) as client:
        for batch in batches:
            try:
                answer = client.post("/events", json={"events": batch})
            except httpx.TransportError:
                return
            if answer.status_code == 202:
                acknowledged |= {one["event_id"] for one in batch}


def kill_in_the_middle(stack: Stack, kill: Callable[[], None]) -> set[str]:
    """Ids that were acknowledged out of 4,000 events, when something was killed after 1,000 of them."""
    acknowledged: set[str] = set()
    events = [event(f"user-{n % 500}", "819063", basket_id=str(n)) for n in range(4000)]
    batches = [events[at : at + 50] for at in range(0, len(events), 50)]
    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post_until_gone, stack, batches[at::4], acknowledged) for at in range(4)]
        until(lambda: len(acknowledged) >= 1000)
        kill()
        for one in posting:
            one.result()
    return acknowledged


def test_killing_redis_among_thousands_of_events_loses_none_that_was_acknowledged(stack: Stack) -> None:
    redis = stack.redis
    if redis is None:
        pytest.skip("SQLite has no process of its own; the next test kills the one it is in")
    acknowledged = kill_in_the_middle(stack, redis.kill)
    assert 1000 <= len(acknowledged) < 4000
    refused = stack.post(event("user-1", "819063"))
    assert (refused.status_code, "did not answer" in refused.json()["error"]) == (503, True)
    redis.start()
    assert acknowledged <= stack.logged()
    until(lambda: "tandem_event_lag 0.0" in asking.get(f"{stack.url}/metrics").text)


def test_killing_the_server_among_thousands_of_events_loses_none_that_was_acknowledged(stack: Stack) -> None:
    acknowledged = kill_in_the_middle(stack, stack.process.kill)
    assert 1000 <= len(acknowledged) < 4000
    assert acknowledged <= stack.logged()
