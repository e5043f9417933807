"""The dry run: counts by hand, and the commands on the slice's own log."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from contracts.api.records import ImpressionRecord
from contracts.errors import InvalidInput, MissingArtifact
from serving.recommendation.answer import Listed
from serving.rule_sandbox import DryRun, recorded_requests
from tandem.__main__ import app
from training.workspace import Workspace


def listed(items: str, rules: dict[str, list[str]] | None = None, **more: int) -> Listed:
    """One letter an item; rules: of some letters."""
    rows = [ord(item) - ord("a") for item in items]
    denied = {"deny": np.isin(np.arange(26), [3])}  # the d
    in_force = ["boost", "cap", "deny"] if rules is not None else []
    of_items = [(rules or {}).get(item, []) for item in items]
    return Listed(list(items), rows, of_items, in_force, more, denied if rules is not None else {})


def test_a_dry_run_counts_what_changes_and_by_which_rule() -> None:
    """abcd becomes cabe: d leaves and e enters; c moves by 2, a and b by 1 each."""
    done = DryRun()
    done.add(listed("abcd"), listed("cabe", {"c": ["boost"]}, cap=2))
    done.add(listed("xyz"), listed("xyz", {}))
    done.add(listed("pqr"), listed("pq", {}))
    assert (done.requests, done.changed, done.shortfalls) == (3, 2, 1)
    assert (done.entered, done.left, done.moved, done.positions) == (1, 2, 3, 4)
    counts = {rule: (touched.lists, touched.items) for rule, touched in done.by_rule.items()}
    assert counts == {"boost": (1, 1), "cap": (1, 2), "deny": (1, 1)}


def record(**fields: object) -> str:
    return ImpressionRecord.model_validate(
        {
            "request_id": "r",
            "served_at": "2026-11-21T00:00:00+00:00",
            "user_id": "1",
            "bundle_version": "b",
            "degraded_level": "full",
            "item_ids": ["x", "y"],
            "scores": [1.0, 0.5],
            "features": {},
        }
        | fields
    ).model_dump_json()


def test_recorded_requests_are_asked_again_as_they_were(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        "\n".join([record(request={"n": 7, "department": ["PRODUCE"]}), record(page_offset=10), record(user_id="2")])
    )
    first, later_page, old = recorded_requests(log)
    assert first is not None and old is not None and later_page is None
    assert (first.user_id, first.n, first.department) == ("1", 7, ["PRODUCE"])
    assert (old.user_id, old.n) == ("2", 2)  # as long as what was shown
    assert [request.user_id for request in recorded_requests(log, 1) if request] == ["2"]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="no impression log"):
        list(recorded_requests(tmp_path / "none.jsonl"))
    log = tmp_path / "log.jsonl"
    log.write_text(record() + "\n{}")
    with pytest.raises(InvalidInput, match="line 2, is not an impression record"):
        list(recorded_requests(log))


@pytest.mark.tf
def test_the_commands_check_and_try_a_file(trained: Workspace, tmp_path: Path) -> None:
    rules, log = tmp_path / "rules.yaml", tmp_path / "log.jsonl"
    rules.write_text("version: v7\nrules: [{name: fresh, quota: {at_least: 5, where: {department: [produce]}}}]")
    users = ("1023", "1014", "nobody")
    asked = [record(user_id=user, request={"n": 8}) for user in users]
    refused = record(user_id="nobody", request={"category": ["NO SUCH CATEGORY"]})
    log.write_text("\n".join([*asked, refused]))
    root = ["--root", str(trained.root)]
    checked = CliRunner().invoke(app, ["rules", "check", str(rules), *root], catch_exceptions=False)
    assert "rules: 1, version v7-" in checked.output
    run = ["rules", "dry-run", str(rules), "--requests", str(log), "--historical", *root]
    told = CliRunner().invoke(app, run, catch_exceptions=False).output
    assert "requests replayed: 3; skipped (later pages, or refused by this bundle): 1" in told
    assert re.search(r"fresh\s+│\s+[123]\s+│", told)
    rules.write_text("version: v8\nrules: [{name: typo, deny: {where: {department: [produse]}}}]")
    with pytest.raises(InvalidInput, match="rule typo: the catalogue has no department 'produse'"):
        CliRunner().invoke(app, ["rules", "check", str(rules), *root], catch_exceptions=False)
