"""`tandem audit` says that the log is whole, or where it is not; commands that change what serves are in it."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.audit.audit_log import Actor, AuditFailed, AuditLog, verified
from contracts.bundle.promotions import current_version
from contracts.errors import InvalidInput, TandemError
from tandem.__main__ import app
from tests.support.bundles.sealed import make_bundle
from training.workspace import Workspace


def run(root: Path, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--root", str(root)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_whole_log_and_the_first_broken_line(tmp_path: Path) -> None:
    path = Workspace(tmp_path).audit_log
    for version in ("v1", "v2"):
        AuditLog(path).record(Actor("key site", "10.0.0.1", "http"), "bundle.change", version=version)
    head = verified(path).head
    assert "2 entries, all as they were written" in run(tmp_path, "audit", "verify", "--head", head)
    shown = run(tmp_path, "audit", "show", "--last", "1")
    assert "key site  http 10.0.0.1  bundle.change  version=v2" in shown and "v1" not in shown
    path.write_text(path.read_text().replace("v1", "v9"))
    with pytest.raises(TandemError, match=r"audit\.jsonl line 1: it was altered"):
        run(tmp_path, "audit", "verify")
    for unreadable in ("x", "[" * 200_000):
        path.write_text(f"{unreadable}\n")
        assert "cannot be read" in run(tmp_path, "audit", "show")


def test_promotions_and_rollbacks_are_in_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old, new = make_bundle(workspace.bundles), make_bundle(workspace.bundles, {"items.npz": b"others"})
    run(tmp_path, "promote", old.name, "--force")
    run(tmp_path, "promote", new.name, "--force")
    run(tmp_path, "rollback")
    shown = run(tmp_path, "audit", "show")
    here = socket.gethostname()
    assert f"command line  command line {here}  bundle.promote  version={old.name} force=True" in shown
    assert "bundle.rollback  to=the one before" in shown


def test_a_change_that_cannot_be_recorded_is_not_made(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    bundle = make_bundle(workspace.bundles)
    (tmp_path / "audit").write_text("a file where the folder would be")
    with pytest.raises(AuditFailed, match="nothing was changed"):
        run(tmp_path, "promote", bundle.name, "--force")
    assert current_version(workspace.bundles) is None


@pytest.mark.parametrize(("command", "public"), [("new", "="), ("new-model", "BEGIN PUBLIC KEY")])
def test_a_new_key_is_there_by_its_public_half(tmp_path: Path, command: str, public: str) -> None:
    (tmp_path / "params.yaml").touch()
    run(tmp_path, "keys", command, str(tmp_path / "key.pem"))
    [entry] = [json.loads(line) for line in Workspace(tmp_path).audit_log.read_text().splitlines()]
    assert (entry["action"], entry["what"]["file"]) == ("key.new", str(tmp_path / "key.pem"))
    assert public in entry["what"]["public_key"] and "PRIVATE" not in str(entry)


def test_outside_of_a_workspace_a_key_leaves_nothing_else_behind(tmp_path: Path) -> None:
    run(tmp_path, "keys", "new", str(tmp_path / "key.pem"))
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_a_key_that_cannot_be_noted_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder would be")
    (tmp_path / "params.yaml").touch()
    with pytest.raises(AuditFailed, match="nothing was changed"):
        run(tmp_path, "keys", "new", str(tmp_path / "key.pem"))
    assert not (tmp_path / "key.pem").exists()


def test_a_named_log_gets_the_line(tmp_path: Path) -> None:
    run(tmp_path, "keys", "new", str(tmp_path / "key.pem"), "--audit-log", str(tmp_path / "elsewhere.jsonl"))
    assert verified(tmp_path / "elsewhere.jsonl").entries == 1


def test_a_file_that_exists_is_kept_and_no_key_is_noted(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").touch()
    (tmp_path / "key.pem").write_text("another key")
    with pytest.raises(InvalidInput, match="a key that is overwritten is lost"):
        run(tmp_path, "keys", "new", str(tmp_path / "key.pem"))
    assert (tmp_path / "key.pem").read_text() == "another key"
    assert not Workspace(tmp_path).audit_log.exists()
