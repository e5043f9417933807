"""What was posted feeds the next training run: after an earlier ingest, once, from either log."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from contracts.errors import InvalidInput, MissingArtifact
from contracts.events.interactions import Interaction
from contracts.events.items import CatalogueItem
from contracts.events.log import INTERACTIONS, ITEMS
from serving.events.log import Entry
from serving.events.open_log import open_log
from tests.support.real_parts.redis_server import DURABLE, RedisServer
from tests.support.shops.purchases import CATALOGUE, PURCHASES, write_ingested
from training.engine import connect_duckdb
from training.ingest.ingest import ingest
from training.ingest.report import IngestReport
from training.settings import IngestSettings
from training.workspace import Workspace


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'posted.db'}"
    server: RedisServer = request.getfixturevalue("redis_server")(*DURABLE)
    return server.url


def event(event_id: str, user_id: str, item_id: str, day: int = 31, **fields: Any) -> Entry:
    moment = datetime(2024, 1, day, 8, tzinfo=UTC)
    posted = Interaction.model_validate(
        {"event_id": event_id, "event_type": "purchase", "user_id": user_id, "item_id": item_id} | fields
    )
    return Entry(event_id, posted.at(moment).model_dump_json(exclude_none=True))


def item(**fields: Any) -> Entry:
    posted = CatalogueItem.model_validate(fields)
    return Entry(json.dumps(fields), posted.model_dump_json(exclude_unset=True))


def write_log(url: str, stream: str, *entries: Entry) -> None:
    log = open_log(url, stream)
    log.append(entries)
    log.close()


def run(workspace: Workspace, url: str, **mapping: str) -> IngestReport:
    path = workspace.root / "log.yaml"
    path.write_text(yaml.safe_dump({"event_log": url} | mapping))
    settings = IngestSettings("event-log", str(workspace.ingested("events").parent), str(path), max_dropped_share=0.5)
    return ingest(workspace, settings, connect_duckdb())


def rows(workspace: Workspace, table: str, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in pq.read_table(workspace.ingested(table)).to_pylist()}


def test_the_next_ingest_has_what_was_posted_and_again_nothing_more(empty_workspace: Workspace, url: str) -> None:
    write_ingested(empty_workspace, PURCHASES)
    write_log(url, INTERACTIONS, event("e1", "u1", "milk", price=2.5, quantity=2), event("e2", "newcomer", "salt"))
    write_log(url, INTERACTIONS, event("e3", "u1", "new"), event("e4", "u1", "nowhere"), event("b1-milk", "u1", "milk"))
    write_log(url, ITEMS, item(item_id="new", title="New", price=1.0), item(item_id="milk", title="Milk, 1 l"))
    report = run(empty_workspace, url)
    assert (report.events_in, report.events_kept) == (len(PURCHASES) + 4, len(PURCHASES) + 3)  # b1-milk was there
    assert report.events_dropped == {"item_not_in_catalogue": 1}
    assert report.time_zone == "UTC"
    events = rows(empty_workspace, "events", "event_id")
    assert (events["e1"]["price"], events["e1"]["quantity"]) == (2.5, 2)
    assert events["e1"]["event_timestamp"] == datetime(2024, 1, 31, 8, tzinfo=UTC)
    assert "newcomer" in rows(empty_workspace, "users", "user_id")
    items = rows(empty_workspace, "items", "item_id")
    assert (items["new"]["title"], items["new"]["price"], items["milk"]["title"]) == ("New", 1.0, "Milk, 1 l")
    assert items["new"]["available_from"] is not None
    assert len(items) == 6
    again = run(empty_workspace, url)
    assert (again.events_in, again.events_kept, again.users, again.items) == (10, 9, 4, 6)


def test_one_id_of_two_users_is_two_events_and_one_of_the_same_user_is_one(
    empty_workspace: Workspace, url: str
) -> None:
    write_ingested(empty_workspace, PURCHASES)
    squatting = event("order-18", "u2", "salt", day=30, event_type="view")
    honest, known = event("order-18", "u1", "milk"), event("b1-milk", "u2", "milk")
    entries = [squatting, Entry("2:u1:order-18", honest.payload), Entry("2:u2:b1-milk", known.payload)]
    again = Entry("order-18 of 0.1", honest.payload)  # which kept it under another key
    write_log(url, INTERACTIONS, *entries, again)
    write_log(url, ITEMS)
    report = run(empty_workspace, url)
    assert (report.events_kept, report.events_dropped) == (len(PURCHASES) + 3, {})
    found = pq.read_table(empty_workspace.ingested("events")).to_pylist()
    assert sorted((row["user_id"], row["item_id"]) for row in found if row["event_id"] == "order-18") == [
        ("u1", "milk"), ("u2", "salt"),
    ]  # fmt: skip
    assert run(empty_workspace, url).events_kept == report.events_kept


def test_an_empty_log_changes_nothing(empty_workspace: Workspace, url: str) -> None:
    write_ingested(empty_workspace, PURCHASES)
    write_log(url, INTERACTIONS)
    write_log(url, ITEMS)
    report = run(empty_workspace, url, time_zone="Europe/Paris")
    assert (report.events_in, report.events_kept, report.items) == (len(PURCHASES), len(PURCHASES), len(CATALOGUE))
    assert report.time_zone == "Europe/Paris"


def test_a_log_that_is_not_there_is_named(
    empty_workspace: Workspace, tmp_path: Path, redis_server: Callable[..., RedisServer]
) -> None:
    write_ingested(empty_workspace, PURCHASES)
    with pytest.raises(MissingArtifact, match=r"no event log at .*gone.db"):
        run(empty_workspace, f"sqlite:///{tmp_path / 'gone.db'}")
    stopped = redis_server()
    stopped.stop()
    with pytest.raises(MissingArtifact, match="did not answer"):
        run(empty_workspace, stopped.url)
    with pytest.raises(InvalidInput, match="needs the mapping key event_log"):
        run(empty_workspace, "")
