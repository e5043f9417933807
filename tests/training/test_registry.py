"""The aliases follow bundles, promotions and rollbacks, and never keep one from happening."""

import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from contracts.bundle.files import sha256_of
from contracts.bundle.promotions import promote, rollback
from contracts.errors import MissingArtifact
from tests.support.bundles.sealed import PARTS, make_bundle
from training import registry
from training.content_digest import content_digest
from training.registry import CHALLENGER, CHAMPION, MODEL, follow, follow_rollout, register, run_tags, store_uri
from training.tracking import made_from
from training.workspace import Workspace


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's file with nothing in it: to make its tables takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    # By its own name: where a test before has set MLflow's address, the environment still holds it out here.
    MlflowClient(f"sqlite:///{file}", f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def registered(empty_store: Path, tmp_path: Path) -> tuple[Workspace, list[str]]:
    """Three bundles, each with a run, as `tandem bundle` leaves them."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
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
    assert aliases(workspace) == {CHAMPION: third}  # a bundle that was rolled back from is not a challenger


def test_the_aliases_follow_a_rollout_on_a_cluster(registered: tuple[Workspace, list[str]]) -> None:
    workspace, (first, second, third) = registered
    urls = [f"s3://shop/bundles/{version}" for version in (first, second, third)]
    assert follow_rollout(workspace, urls[:1], []) is None
    assert aliases(workspace) == {CHAMPION: first, CHALLENGER: third}
    follow_rollout(workspace, urls[:2], {urls[2]: "errors"})  # promoted, and the next one aborted
    assert aliases(workspace) == {CHAMPION: second}
    follow_rollout(workspace, urls[:1], {urls[1]: "it was rolled back from"})
    assert aliases(workspace) == {CHAMPION: first, CHALLENGER: third}
    follow_rollout(workspace, ["s3://shop/bundles/from-elsewhere/"], [])
    assert aliases(workspace) == {CHALLENGER: third}  # the champion was trained elsewhere


def test_a_shared_mlflow_holds_the_aliases_of_workspaces_that_have_none(
    registered: tuple[Workspace, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, (first, _, third) = registered
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri(workspace))
    elsewhere = Workspace(tmp_path / "elsewhere")
    assert follow_rollout(elsewhere, [f"s3://shop/bundles/{first}"], []) is None
    assert aliases(elsewhere) == aliases(workspace) == {CHAMPION: first, CHALLENGER: third}
    assert not (elsewhere.root / "mlflow.db").exists()


def test_a_version_names_its_run_and_its_folder(registered: tuple[Workspace, list[str]]) -> None:
    workspace, versions = registered
    client = MlflowClient(store_uri(workspace), store_uri(workspace))
    found = client.search_model_versions(f"name = '{MODEL}'")
    assert len(found) == 3
    assert {version.source for version in found} == {(workspace.bundles / name).as_uri() for name in versions}
    assert all(client.get_run(version.run_id) for version in found)


def test_the_tags_of_a_bundles_run_are_found_by_its_version(registered: tuple[Workspace, list[str]]) -> None:
    workspace, versions = registered
    assert isinstance(run_tags(workspace, versions[0]), dict)
    with pytest.raises(MissingArtifact, match=r"No run of bundle gone is in .*mlflow\.db.*--root"):
        run_tags(workspace, "gone")


@pytest.mark.parametrize("name", ["shop", "a shop", "50% off?#1"])
def test_the_store_lies_in_the_workspace_and_nothing_next_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    workspace = Workspace(tmp_path / name)
    workspace.root.mkdir()
    MlflowClient(store_uri(workspace), store_uri(workspace)).create_registered_model(MODEL)
    assert [path.name for path in workspace.root.iterdir()] == ["mlflow.db"]
    if name != "50% off?#1":  # there MLflow leaves an empty folder where it is called
        assert not list((tmp_path / "elsewhere").iterdir())


def test_nothing_keeps_a_promotion_from_happening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    assert follow(workspace) is None  # nothing was trained here
    assert follow_rollout(workspace, ["s3://shop/bundles/v"], []) is None
    with pytest.raises(MissingArtifact, match="No run of bundle v"):
        run_tags(workspace, "v")
    (tmp_path / "mlflow.db").write_text("no database")
    assert "could not be moved" in (follow(workspace) or "")
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    assert "MLflow is not installed here" in (follow(workspace) or "")


def test_a_run_names_the_tables_and_the_commit(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.ingested("events").parent.mkdir(parents=True)
    pq.write_table(pa.table({"user_id": ["u1"]}), workspace.ingested("events"))
    tags = made_from(workspace)
    assert tags["data.events.sha256"] == sha256_of(workspace.ingested("events"))
    assert tags["data.events.content"] == content_digest(workspace.ingested("events"))
    assert not {"data.users.sha256", "data.users.content"} & tags.keys()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode == 0:
        assert tags["code.commit"].split()[0] == done.stdout.strip()
