"""One MLflow run a bundle: code, data, parameters, metrics and the manifest."""

import json
import logging
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow

from contracts.bundle.manifest import MANIFEST, sha256_of
from training.registry import BUNDLE_TAG, register, store_uri
from training.settings import Settings
from training.workspace import Workspace

EXPERIMENT = "tandem"


def use_experiment(workspace: Workspace, name: str) -> None:
    """Runs that start from here on are the experiment's, in the workspace's own SQLite store."""
    for chatty in ("alembic", "mlflow"):  # both announce the creation of the store table by table
        logging.getLogger(chatty).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(store_uri(workspace))
    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=(workspace.root / "mlruns").as_uri())
    mlflow.set_experiment(name)


def log_run(workspace: Workspace, settings: Settings, bundle: Path) -> None:
    """Logs the bundle to the workspace's own SQLite store, and registers it there as a version of the model."""
    use_experiment(workspace, EXPERIMENT)
    metrics = json.loads(workspace.metrics.read_text())
    tags = {BUNDLE_TAG: bundle.name, **made_from(workspace)}
    with mlflow.start_run(run_name=bundle.name, tags=tags) as run:
        mlflow.log_params(dict(flat(settings.to_dict())))
        mlflow.log_metrics({name: value for name, value in flat(metrics) if isinstance(value, float)})
        for name, losses in (*metrics["losses"].items(), ("ranker", metrics["ranker_losses"])):
            for epoch, loss in enumerate(losses):
                mlflow.log_metric(f"loss.{name}", loss, step=epoch)
        mlflow.log_artifact(str(bundle / MANIFEST))
        mlflow.log_artifact(str(workspace.metrics))
    register(workspace, bundle.name, run.info.run_id)


def made_from(workspace: Workspace) -> dict[str, str]:
    """What the bundle is made from, as tags: the code's commit, and SHA-256 of each table that ingest wrote.

    "changed" follows a commit whose files were edited since; without git there is no commit to name.
    """
    tables = {name: workspace.ingested(name) for name in ("events", "users", "items")}
    digests = {f"data.{name}.sha256": sha256_of(path) for name, path in tables.items() if path.is_file()}
    code = Path(__file__).resolve().parents[1]
    commit, edited = _git(code, "rev-parse", "HEAD"), _git(code, "status", "--porcelain", "--untracked-files=no")
    return digests | ({"code.commit": f"{commit} changed" if edited else commit} if commit else {})


def _git(folder: Path, *words: str) -> str:
    """What git says; empty where there is none, or no repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    return subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False).stdout.strip()


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and leaves. "@" becomes "_at_", which MLflow's names do not allow."""
    for key, value in nested.items():
        name = f"{prefix}{key}".replace("@", "_at_")
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        else:
            yield name, value
