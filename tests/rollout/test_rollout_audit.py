"""The audit log of a rollout: what people asked for, and what the gates decided by themselves."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import rollout.release
from contracts.audit.audit_log import AuditFailed, AuditLog, entries_of, verified
from rollout.record.announce import Audited
from rollout.record.state import Phase
from rollout.release import Release
from rollout.settings import RolloutSettings
from tandem.__main__ import app
from tests.support.rollouts.memory_cluster import RELEASE
from tests.support.rollouts.world import SHORT, Says, World, bad_at_25, ended, good, release_of, unclear


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def audited(world: World, log: Path, say: Any) -> Release:
    chosen = RolloutSettings.model_validate({"steps": [5, 25], **SHORT})
    announcers = [Audited(AuditLog(log), RELEASE, "host:1")]
    return release_of(world.objects, world.time.clock(), Says(say), chosen, "host:1", announcers)


def entries(log: Path) -> list[dict[str, Any]]:
    assert not verified(log).fault
    return [json.loads(line) for _, line in entries_of(log)]


def test_a_canary_that_the_gates_promote(world: World, log: Path) -> None:
    assert ended(audited(world, log, good).controller.start("v2")).phase is Phase.PROMOTED
    found = entries(log)
    assert [(one["action"], one["what"]["percent"]) for one in found] == [
        ("rollout.started", 0),
        ("rollout.shifted", 5),
        ("rollout.shifted", 25),
        ("rollout.promoting", 25),
        ("rollout.promoted", 100),
    ]
    assert {(one["who"], one["address"], one["channel"]) for one in found} == {("rollout", "host:1", "cluster")}
    assert {(one["what"]["bundle"], one["what"]["stable"]) for one in found} == {("v2", "v1")}


def test_a_canary_that_the_gates_abort_is_there_with_the_reason(world: World, log: Path) -> None:
    assert ended(audited(world, log, bad_at_25).controller.start("v2")).phase is Phase.ABORTED
    *_, aborting, aborted = entries(log)
    assert (aborting["action"], aborted["action"]) == ("rollout.aborting", "rollout.aborted")
    assert "errors: failed at 25 %" in aborting["what"]["because"]


def test_a_canary_is_aborted_where_the_log_cannot_be_written(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.ERROR):
        assert ended(audited(world, tmp_path / "file" / "log", bad_at_25).controller.start("v2")).phase is Phase.ABORTED
    assert world.weights() == {"blue": 100, "green": 0}
    assert "Aborting was decided and is not in the audit log" in caplog.text


def by_hand(world: World, log: Path, *words: str) -> None:
    command = ["rollout", *words, "--release", RELEASE, "--audit-log", str(log), "--root", str(log.parent)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == (4 if "start" in words else 0), result.output


@pytest.fixture
def paused(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A canary that waits for people, in the cluster that the commands find."""
    world.controller(unclear, steps=[5, 25]).start("v2")
    monkeypatch.setattr(rollout.release, "_objects_in", lambda namespace: world.objects)
    return world


@pytest.mark.parametrize(("asked", "end"), [("promote", "promoted"), ("abort", "aborted")])
def test_what_is_asked_by_hand_is_there_before_what_follows(paused: World, log: Path, asked: str, end: str) -> None:
    by_hand(paused, log, asked)
    first, *others = entries(log)
    assert (first["who"], first["action"]) == ("command line", f"rollout.{asked}") and first["address"]
    assert first["what"]["release"] == RELEASE
    assert others[-1]["action"] == f"rollout.{end}"
    assert others[-2]["what"]["because"] == "asked for by hand"


def test_what_is_asked_by_hand_and_cannot_be_noted_is_not_done(paused: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditFailed, match="nothing was changed"):
        by_hand(paused, tmp_path / "file" / "log", "promote")
    assert paused.weights() == {"blue": 95, "green": 5}
