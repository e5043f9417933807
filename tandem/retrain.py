"""One scheduled run of the pipeline on a cluster: train, hold to the gates, publish bundle and features."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from tandem.reproduce import reproduce
from training.evaluation.gate import GateFailed
from training.params_file import read_sections
from training.workspace import Workspace

UNTRACKED = "[core]\n    no_scm = true\n"


@dataclass(frozen=True)
class Publication:
    """Where a run leaves its results."""

    feature_store: Path  # feature_store.yaml of the servers' online store
    bundles: str  # URL that versions are published below
    gates: bool = True  # whether a failed gate stops the run


def lay_out(project: Path, workspace: Workspace, params: Path | None) -> None:
    """Brings the project's files into a workspace that may hold an earlier run: DVC sees what has changed since.

    Raises InvalidInput for parameters that cannot be read.
    """
    for path in (path for path in project.iterdir() if path.name not in ("data", "bundles")):
        # One by one: the workspace is a mounted volume, whose own rights belong to the cluster.
        if path.is_dir():
            shutil.copytree(path, workspace.root / path.name, dirs_exist_ok=True)
        else:
            shutil.copy(path, workspace.root)
    (workspace.root / ".dvc" / "config.local").write_text(UNTRACKED)  # an image carries no git repository
    if params:  # by section: DVC asks for every one of them
        target = workspace.root / "params.yaml"
        target.write_text(yaml.safe_dump(read_sections(target) | read_sections(params)))


def renew_features(workspace: Workspace, publication: Publication) -> None:
    """Computes features as of the newest events and writes them to the servers' online store."""
    from training.feature_store.publish import publish_features

    reproduce(workspace, "materialize")
    publish_features(workspace, publication.feature_store)


def retrain(workspace: Workspace, publication: Publication) -> str:
    """URL of the published bundle.

    Raises GateFailed where the metrics are not good enough: then neither bundle nor features were published.
    """
    from training.feature_store.publish import publish_features
    from training.release.publish import publish

    reproduce(workspace)
    if publication.gates:
        require_gates(workspace)
    # The bundle before the features: servers read both, and a bundle without features of its time answers worse.
    sealed: str = json.loads(workspace.bundle_receipt.read_text())["bundle_version"]
    url: str = publish(workspace.bundles / sealed, publication.bundles)
    publish_features(workspace, publication.feature_store)
    return url


def require_gates(workspace: Workspace) -> None:
    """Raises GateFailed naming every promise that the evaluation found broken."""
    from training.evaluation.evaluate import verdicts

    failed = [found for found, holds in verdicts(json.loads(workspace.metrics.read_text())) if not holds]
    if failed:
        raise GateFailed(f"Not published, because {'; '.join(failed)}.")
