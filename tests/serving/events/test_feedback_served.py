"""Hide and not_interested over HTTP: gone from the next list on, on both pairs of stores, and after a kill."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.answers import DegradedLevel
from contracts.api.requests import RecommendationRequest
from contracts.bundle.manifest import read_manifest
from contracts.features.freshness import MAX_RECENT_EVENTS
from serving.bundles.bundle import load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup
from serving.metrics import Metrics
from serving.runtime.clock import frozen_clock
from serving.users import Users
from tandem.server import wait_until_ready
from tests.support.each import each
from tests.support.lists.recommender import new_recommender, recommend
from tests.support.real_parts import asking
from tests.support.real_parts.redis_server import DURABLE, RedisServer
from tests.support.real_parts.servers import PATIENT, free_port
from tests.support.workspaces.own_workspace import own_workspace
from training.workspace import Workspace

pytestmark = pytest.mark.tf

SECONDS = 60
DAY = 86_400
numbers = itertools.count()


@dataclass
class Shop:
    """One server."""

    workspace: Workspace
    event_log: str
    url: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        port = free_port()
        options = [
            "--root",
            str(self.workspace.root),
            "--port",
            str(port),
            "--historical",
            "--event-log",
            self.event_log,
        ]
        self.process = subprocess.Popen([sys.executable, "-m", "tandem", "serve", *options], env=os.environ | PATIENT)
        wait_until_ready(port, self.process)
        self.url = f"http://127.0.0.1:{port}"

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)

    def get(self, path: str) -> Any:
        return asking.get(f"{self.url}{path}", timeout=30).raise_for_status().json()

    def shown(self, user_id: str, more: str = "") -> list[str]:
        return [item["item_id"] for item in self.get(f"/recommendations/{user_id}?n=10{more}")["items"]]

    def say(self, user_id: str, event_type: str, item_id: str, **fields: Any) -> None:
        event = {"event_id": f"said-{next(numbers)}", "event_type": event_type, "user_id": user_id, "item_id": item_id}
        asking.post(f"{self.url}/events", json=event | fields, timeout=30).raise_for_status()


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def shop(
    request: pytest.FixtureRequest, trained: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    redis: RedisServer | None = None
    if request.param == "redis":
        redis = request.getfixturevalue("redis_servers")(*DURABLE)
    workspace = own_workspace(trained, tmp_path_factory.mktemp(request.param), redis)
    made = Shop(workspace, redis.url if redis else workspace.event_log)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def users(shop: Shop) -> list[str]:
    return read_manifest(shop.workspace.bundles / "current").example_user_ids


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_hidden_item_is_gone_from_every_list_until_it_is_shown_again(shop: Shop, users: list[str]) -> None:
    user, other = users[0], users[1]
    item, anchor = shop.shown(user)[:2]
    shop.say(user, "hide", item)
    eventually(lambda: item not in shop.shown(user))
    assert len(shop.shown(user)) == 10
    assert item not in shop.shown(user, f"&context={anchor}")
    assert item not in shop.shown(user, f"&only={item}")
    found = shop.get(f"/explain/{user}/{item}")
    assert (found["stage"], found["kept_out_by"]) == ("filtered", ["hidden"])
    assert shop.get(f"/users/{user}/history")["hidden"] == [{"item_id": item, "until": None}]
    assert shop.get(f"/users/{other}/history")["hidden"] == []
    near = [one["item_id"] for one in each(shop.get(f"/items/{anchor}/similar?n=9&user_id={user}")["items"])]
    shop.say(user, "hide", near[0])
    eventually(lambda: len(shop.get(f"/users/{user}/history")["hidden"]) == 2)
    mine = [one["item_id"] for one in each(shop.get(f"/items/{anchor}/similar?n=9&user_id={user}")["items"])]
    assert mine[:8] == near[1:] and near[0] not in mine
    assert near[0] in [one["item_id"] for one in shop.get(f"/items/{anchor}/similar?n=9")["items"]]
    shop.say(user, "unhide", near[0])
    shop.say(user, "unhide", item)
    eventually(lambda: item in shop.shown(user))
    assert shop.get(f"/users/{user}/history")["hidden"] == []


def test_not_interested_ends_after_its_days(shop: Shop, users: list[str]) -> None:
    user = users[2]
    now = read_manifest(shop.workspace.bundles / "current").data_end_timestamp  # the clock of this server
    recent, over = shop.shown(user)[:2]
    shop.say(user, "not_interested", over, event_timestamp=now_text(now - 29 * DAY))
    shop.say(user, "not_interested", recent, event_timestamp=now_text(now - 27 * DAY))
    eventually(lambda: recent not in shop.shown(user))
    assert over in shop.shown(user)
    assert shop.get(f"/users/{user}/history")["hidden"] == [{"item_id": recent, "until": now_text(now + DAY)}]


def test_somebody_new_can_hide_what_is_popular(shop: Shop) -> None:
    item = shop.shown("nobody-yet")[0]
    shop.say("nobody-yet", "hide", item)
    eventually(lambda: item not in shop.shown("nobody-yet"))
    assert len(shop.shown("nobody-yet")) == 10


def test_feedback_needs_an_item(shop: Shop, users: list[str]) -> None:
    event = {"event_id": "no-item", "event_type": "hide", "user_id": users[0]}
    answer = asking.post(f"{shop.url}/events", json=event, timeout=30)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "item_id is required for hide" in answer.text


def test_hidden_items_outlast_many_events_and_a_server_that_is_killed(shop: Shop, users: list[str]) -> None:
    user = users[3]
    item = shop.shown(user)[0]
    shop.say(user, "hide", item)
    seen = {"event_type": "view", "user_id": user, "item_id": "819063"}
    # By id, too, they come after what is said: events of one second are in the order of their ids.
    many = [seen | {"event_id": f"viewed-{next(numbers)}"} for _ in range(MAX_RECENT_EVENTS + 50)]
    asking.post(f"{shop.url}/events", json={"events": many}, timeout=60).raise_for_status()
    shop.say(users[4], "hide", item)  # the log is read in order: once this has its effect, all of them have
    eventually(lambda: shop.get(f"/users/{users[4]}/history")["hidden"])
    shop.kill()
    bundle, registry = load_bundle(shop.workspace.bundles / "current"), CollectorRegistry()
    end = bundle.manifest.data_end_timestamp
    releases, lookup = OneRelease(bundle, "stable"), FeastLookup(shop.workspace.feature_repo, lambda: end, 5)
    metrics = Metrics(registry)
    # All that the next server has of this one is its store.
    again = new_recommender(releases, lookup, metrics, frozen_clock(end))
    shown = recommend(again, RecommendationRequest(user_id=user, n=10))
    assert shown.degraded_level is DegradedLevel.FULL
    assert len(shown.items) == 10 and item not in [one.item_id for one in shown.items]
    history = Users(releases, lookup, metrics).history(user, 1)
    assert [(one.item_id, one.until) for one in history.hidden] == [(item, None)]


def now_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
