"""One MLflow run a bundle: parameters, metrics and the manifest."""

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow

from contracts.bundle.manifest import MANIFEST
from training.settings import Settings
from training.workspace import Workspace

EXPERIMENT = "tandem"


def use_experiment(workspace: Workspace, name: str) -> None:
    """Runs that start from here on are the experiment's, in the workspace's own SQLite store."""
    for chatty in ("alembic", "mlflow"):  # both announce the creation of the store table by table
        logging.getLogger(chatty).setLevel(logging.ERROR)
    # As SQLite's own URI, or `?` and `#` in the path of the workspace would end it.
    mlflow.set_tracking_uri(f"sqlite:///{(workspace.root / 'mlflow.db').absolute().as_uri()}?uri=true")
    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=(workspace.root / "mlruns").as_uri())
    mlflow.set_experiment(name)


def log_run(workspace: Workspace, settings: Settings, bundle: Path) -> None:
    """Logs the bundle to the workspace's own SQLite store."""
    use_experiment(workspace, EXPERIMENT)
    metrics = json.loads(workspace.metrics.read_text())
    with mlflow.start_run(run_name=bundle.name, tags={"bundle_version": bundle.name}):
        mlflow.log_params(dict(flat(settings.to_dict())))
        mlflow.log_metrics({name: value for name, value in flat(metrics) if isinstance(value, float)})
        for name, losses in (*metrics["losses"].items(), ("ranker", metrics["ranker_losses"])):
            for epoch, loss in enumerate(losses):
                mlflow.log_metric(f"loss.{name}", loss, step=epoch)
        mlflow.log_artifact(str(bundle / MANIFEST))
        mlflow.log_artifact(str(workspace.metrics))


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and leaves. "@" becomes "_at_", which MLflow's names do not allow."""
    for key, value in nested.items():
        name = f"{prefix}{key}".replace("@", "_at_")
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        else:
            yield name, value
