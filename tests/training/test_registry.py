"""The aliases follow bundles, promotions and rollbacks, and never keep one from happening."""

import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contracts.bundle.promotions import promote, rollback
from tests.support.bundles import PARTS, make_bundle
from training import registry
from training.registry import CHALLENGER, CHAMPION, MODEL, follow, register, store_uri
from training.tracking import made_from
from training.workspace import Workspace


@pytest.fixture
def registered(tmp_path: Path) -> tuple[Workspace, list[str]]:
    """Three bundles, each with a run, as `tandem bundle` leaves them."""
    workspace = Workspace(tmp_path)
    versions = []
    for content in (b"first", b"second", b"third"):
        versions.append(make_bundle(workspace.bundles, PARTS | {"items.npz": content}).name)
        client = MlflowClient(store_uri(workspace), store_uri(workspace))
        experiment = client.get_experiment_by_name("e")
        run = client.create_run(experiment.experiment_id if experiment else client.create_experiment("e"))
        register(workspace, versions[-1], run.info.run_id)
        register(workspace, versions[-1], run.info.run_id)  # built again: one version
    return workspace, versions


def aliases(workspace: Workspace) -> dict[str, str]:
    """Bundle version by alias."""
    client = MlflowClient(store_uri(workspace), store_uri(workspace))
    by_alias = client.get_registered_model(MODEL).aliases
    return {
        alias: client.get_model_version(MODEL, version).tags["bundle_version"] for alias, version in by_alias.items()
    }


def test_the_aliases_follow_what_serves(registered: tuple[Workspace, list[str]]) -> None:
    workspace, (first, second, third) = registered
    assert follow(workspace) is None
    assert aliases(workspace) == {CHALLENGER: third}
    promote(workspace.bundles / first)
    assert follow(workspace) is None
    assert aliases(workspace) == {CHAMPION: first, CHALLENGER: third}
    promote(workspace.bundles / third)
    follow(workspace)
    assert aliases(workspace) == {CHAMPION: third, CHALLENGER: second}
    promote(workspace.bundles / second)
    follow(workspace)
    assert aliases(workspace) == {CHAMPION: second}
    rollback(workspace.bundles)
    follow(workspace)
    assert aliases(workspace) == {CHAMPION: third}  # what was rolled back from is no challenger


def test_a_version_names_its_run_and_its_folder(registered: tuple[Workspace, list[str]]) -> None:
    workspace, versions = registered
    client = MlflowClient(store_uri(workspace), store_uri(workspace))
    found = client.search_model_versions(f"name = '{MODEL}'")
    assert len(found) == 3
    assert {version.source for version in found} == {(workspace.bundles / name).as_uri() for name in versions}
    assert all(client.get_run(version.run_id) for version in found)


def test_nothing_keeps_a_promotion_from_happening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    assert follow(workspace) is None  # nothing was trained here
    (tmp_path / "mlflow.db").write_text("no database")
    assert "could not be moved" in (follow(workspace) or "")
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    assert "MLflow is not installed here" in (follow(workspace) or "")


def test_a_run_names_the_tables_and_the_commit(tmp_path: Path) -> None:
    """SHA-256 of the empty file is known to everybody."""
    workspace = Workspace(tmp_path)
    workspace.ingested("events").parent.mkdir(parents=True)
    workspace.ingested("events").touch()
    tags = made_from(workspace)
    assert tags["data.events.sha256"].startswith("e3b0c44298fc1c14")
    assert "data.users.sha256" not in tags
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode == 0:
        assert tags["code.commit"].split()[0] == done.stdout.strip()
