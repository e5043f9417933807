"""A scheduled training run: what it lays out, what it publishes, and when it does not."""

import json
from pathlib import Path

import pytest
import yaml
from feast import FeatureStore

from contracts.bundle.files import MANIFEST
from contracts.errors import MissingArtifact
from contracts.features import names
from contracts.features.names import USER_ID
from tandem.retrain import lay_out, require_gates
from training.evaluation.gate import GateFailed
from training.feature_store.publish import publish_features
from training.release.publish import publish
from training.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def store_at(folder: Path) -> Path:
    """A feature_store.yaml as the chart writes it, with stores of its own in a folder."""
    path = folder / "feature_store.yaml"
    text = (ROOT / "feature_repo" / "feature_store.yaml").read_text()
    path.write_text(
        text.replace("data/registry.db", f"{folder}/registry.db").replace("data/online.db", f"{folder}/online.db")
    )
    return path


def test_a_workspace_gets_the_projects_files_and_keeps_what_was_computed(tmp_path: Path) -> None:
    project, workspace = tmp_path / "project", Workspace(tmp_path / "workspace")
    for path in (project / "training", project / ".dvc", project / "data", workspace.data):
        path.mkdir(parents=True)
    (project / "params.yaml").write_text("{ranker: {epochs: 4}, index: {factory: Flat}}")
    (project / "training" / "code.py").write_text("new")
    (project / "data" / "foreign").write_text("not copied")
    (workspace.data / "computed").write_text("kept")
    params = tmp_path / "given.yaml"
    params.write_text("ranker: {epochs: 1}")
    lay_out(project, workspace, params)
    assert (workspace.root / "training" / "code.py").read_text() == "new"
    assert [path.name for path in workspace.data.iterdir()] == ["computed"]
    merged = yaml.safe_load((workspace.root / "params.yaml").read_text())
    assert merged == {"ranker": {"epochs": 1}, "index": {"factory": "Flat"}}
    assert "no_scm" in (workspace.root / ".dvc" / "config.local").read_text()
    lay_out(project, workspace, params)  # the next run finds the workspace laid out


def test_features_reach_the_servers_store_and_the_pipelines_own_stays(trained: Workspace, tmp_path: Path) -> None:
    before = (trained.feature_repo / "data" / "registry.db").read_bytes()
    publish_features(trained, store_at(tmp_path))
    assert (trained.feature_repo / "data" / "registry.db").read_bytes() == before
    store = FeatureStore(fs_yaml_file=tmp_path / "feature_store.yaml")
    user = json.loads((trained.bundles / "current" / MANIFEST).read_text())["example_user_ids"][0]
    service = store.get_feature_service(names.SERVING_SERVICE)
    read = store.get_online_features(features=service, entity_rows=[{USER_ID: user}]).to_dict()
    views = (names.USER_STATISTICS_VALUES, names.SEQUENCE_ITEM_IDS, names.HISTORY_ITEM_IDS)  # one of each
    assert all(read[feature] != [None] for feature in views)


def test_without_the_servers_store_nothing_is_published(trained: Workspace, tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match=r"feature_store\.yaml"):
        publish_features(trained, tmp_path / "feature_store.yaml")


def test_a_failed_gate_names_what_does_not_hold(trained: Workspace, tmp_path: Path) -> None:
    metrics = json.loads(trained.metrics.read_text())
    metrics["all_items"]["final_list"]["ndcg@20"] = 0.0
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    workspace.metrics.write_text(json.dumps(metrics))
    with pytest.raises(
        GateFailed,
        match=r"because the final list does not beat .*, the best list without a model, on all items: NDCG@20 0\.0000",
    ):
        require_gates(workspace)


def test_a_bundle_is_published_under_its_version(trained: Workspace, tmp_path: Path) -> None:
    version = json.loads(trained.bundle_receipt.read_text())["bundle_version"]
    url = publish(trained.bundles / version, str(tmp_path / "store"))
    assert url.endswith(version) and (tmp_path / "store" / version / MANIFEST).is_file()
