"""One MLflow run a bundle: code, data, parameters, metrics and the manifest."""

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow

from contracts.bundle.files import MANIFEST, sha256_of
from training.content_digest import content_digest
from training.registry import BUNDLE_TAG, register, store_uri
from training.settings import Settings, mlflow_url
from training.workspace import Workspace

EXPERIMENT = "tandem"
TABLES = ("events", "users", "items")
CHANGED = "changed"
NOT_IN_NAMES = re.compile(r"[^\w.\- :]")
"""A slash is allowed and is left out: with dots around it, it would name another folder."""


def use_experiment(workspace: Workspace, name: str) -> None:
    """Runs that start from here on are the experiment's, in a shared MLflow or in the workspace's own store."""
    for chatty in ("alembic", "mlflow"):  # both announce the creation of the store table by table
        logging.getLogger(chatty).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(store_uri(workspace))
    if mlflow.get_experiment_by_name(name) is None:
        # A shared MLflow has a place of its own for files.
        mlflow.create_experiment(name, None if mlflow_url() else (workspace.root / "mlruns").as_uri())
    mlflow.set_experiment(name)


def log_run(workspace: Workspace, settings: Settings, bundle: Path) -> None:
    """Logs the bundle to MLflow, and registers it there as a version of the model."""
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
    """What the bundle is made from, as tags: the code's commit, and two digests of each table that ingest wrote.

    sha256 is of the file's bytes, content of its rows in any order.
    """
    tables = {name: path for name in TABLES if (path := workspace.ingested(name)).exists()}
    digests = {f"data.{name}.sha256": sha256_of(path) for name, path in tables.items() if path.is_file()}
    digests |= {f"data.{name}.content": content_digest(path) for name, path in tables.items()}
    commit = commit_here()
    return digests | ({"code.commit": commit} if commit else {})


def commit_here() -> str:
    """Commit of the code that runs; "changed" follows where files were edited since, and without git it is empty."""
    code = Path(__file__).resolve().parents[1]
    commit, edited = _git(code, "rev-parse", "HEAD"), _git(code, "status", "--porcelain", "--untracked-files=no")
    return f"{commit} {CHANGED}" if commit and edited else commit


def _git(folder: Path, *words: str) -> str:
    """The output of git; empty without git or a repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    return subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False).stdout.strip()


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and leaves. "@" becomes "_at_" and whatever else MLflow's names do not allow becomes "_".

    A key may be a value of the shop's, such as an income band "150K+".
    """
    for key, value in nested.items():
        name = prefix + NOT_IN_NAMES.sub("_", str(key).replace("@", "_at_"))
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        else:
            yield name, value
