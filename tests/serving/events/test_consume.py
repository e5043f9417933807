"""The consumer as a process of its own: applies, shows its metrics, ends in order; and the commands around it."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from contracts.errors import InvalidInput, MissingArtifact
from contracts.events.interactions import FreshEvent, Interaction, fresh_event
from contracts.events.log import INTERACTIONS
from serving.events.__main__ import consume
from serving.events.log import Entry
from serving.events.open_log import open_log
from serving.features.lookup import FeastLookup, OnlineStoreError
from serving.features.recent_events import FeastRecentEvents, Recent
from serving.settings import ServingSettings
from tandem.__main__ import app
from tests.support.real_parts.servers import free_port
from training.feature_store.store import apply_definitions
from training.workspace import Workspace


def event(event_id: str, user_id: str, item_id: str) -> Interaction:
    fields: Mapping[str, Any] = {"event_id": event_id, "event_type": "purchase", "user_id": user_id}
    return Interaction.model_validate({**fields, "item_id": item_id}).at(datetime.now(UTC))


@pytest.mark.server
def test_the_consumer_applies_what_waits_and_ends_in_order(empty_workspace: Workspace) -> None:
    apply_definitions(empty_workspace)
    log = open_log(empty_workspace.event_log, INTERACTIONS)
    log.append([Entry("1", event("1", "u", "milk").model_dump_json())])
    port = free_port()
    command = [sys.executable, "-m", "tandem", "events", "consume", "--root", str(empty_workspace.root)]
    process = subprocess.Popen([*command, "--port", str(port)])
    try:
        deadline = time.monotonic() + 120
        while log.position("features") < 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert "tandem_events_applied_total 1.0" in metrics
        assert "tandem_event_freshness_seconds_count 1.0" in metrics
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    status = CliRunner().invoke(app, ["events", "status", "--root", str(empty_workspace.root)])
    assert "1 events kept, 1 applied, 0 waiting" in status.output
    log.close()
    features = FeastLookup(empty_workspace.feature_repo).user("u")
    assert features is not None
    assert features["history_item_ids"] == ["milk"]
    assert features["age_band"] == "unknown"
    assert FeastLookup(empty_workspace.feature_repo).user("nobody") is None


def test_without_a_log_there_is_nothing_to_consume() -> None:
    with pytest.raises(InvalidInput, match="TANDEM_EVENT_LOG"):
        consume(ServingSettings())


def test_without_applied_definitions_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="tandem materialize"):
        FeastRecentEvents(tmp_path)


def test_recent_events_are_replaced_also_when_the_clock_has_gone_back(empty_workspace: Workspace) -> None:
    """Feast's Redis keeps the later of two rows; a row must be later than the one it replaces, whatever the clock."""
    apply_definitions(empty_workspace)
    recent = FeastRecentEvents(empty_workspace.feature_repo)
    assert recent.read(["u"]) == {"u": Recent([], 0)}
    one: FreshEvent = fresh_event(event("1", "u", "milk"))
    recent.write({"u": Recent([one], int(time.time()) + 3600)})
    read = recent.read(["u", "v"])
    assert read["u"].events == [one]
    assert read["u"].written_seconds == pytest.approx(time.time() + 3601, abs=5)
    assert read["v"] == Recent([], 0)


def test_a_broken_online_store_is_an_online_store_error(empty_workspace: Workspace) -> None:
    apply_definitions(empty_workspace)
    recent = FeastRecentEvents(empty_workspace.feature_repo)
    path = empty_workspace.feature_repo / "data" / "online.db"
    for file in path.parent.glob("online.db*"):
        file.unlink()
    path.write_bytes(b"not a database, and longer than the header of one" * 10)
    with pytest.raises(OnlineStoreError, match="did not answer"):
        recent.read(["u"])
    with pytest.raises(OnlineStoreError, match="could not be written"):
        recent.write({"u": Recent([], 0)})
