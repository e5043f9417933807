"""A bundle's run made again into a workspace of its own, from what its run recorded."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from contracts.bundle.files import CURRENT
from contracts.bundle.manifest import Manifest
from contracts.bundle.promotions import promotions
from contracts.errors import InvalidInput, TandemError
from training.workspace import DEFINITIONS, STORE, Workspace

STEPS = ("features", "copurchase", "materialize", "dataset", "train-towers", "train-ranker", "evaluate", "bundle")


def lay_out(workspace: Workspace, manifest: Manifest, into: Path, data: Path) -> Workspace:
    """A workspace in an empty folder with the bundle's parameters, the tables in data and the champion of that time.

    Raises InvalidInput where the folder holds something already.
    """
    if into.exists() and any(into.iterdir()):
        raise InvalidInput(f"{into} holds something already: name an empty folder with --into, or remove it.")
    again = Workspace(into.resolve())
    again.feature_repo.mkdir(parents=True)
    for name in (DEFINITIONS, STORE):
        shutil.copy(workspace.feature_repo / name, again.feature_repo)
    (again.root / "params.yaml").write_text(yaml.safe_dump(manifest.hyper_parameters))
    shutil.copytree(data, again.ingested("events").parent)
    if champion := champion_before(workspace, manifest.created_at):
        again.bundles.mkdir()
        (again.bundles / CURRENT).symlink_to(champion.resolve())
    return again


def champion_before(workspace: Workspace, moment: str) -> Path | None:
    """The champion that the bundle's gate compared it with; None where none served, or it is gone."""
    earlier = [change.bundle_version for change in promotions(workspace.bundles) if change.promoted_at < moment]
    folder = workspace.bundles / earlier[-1] if earlier else None
    return folder if folder and folder.is_dir() else None


def run_steps(again: Workspace) -> Path:
    """The bundle, sealed and not signed. Each step is a process of its own, as in the first run: TensorFlow keeps what
    it has. Raises TandemError where one fails; its own words are on the screen then."""
    unsigned = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")}
    for step in STEPS:
        options = ["--no-promote"] if step == "bundle" else []
        command = [sys.executable, "-m", "tandem", step, "--root", str(again.root), *options]
        if subprocess.run(command, env=unsigned, check=False).returncode:
            raise TandemError(f"{step} failed, see above; what was made so far lies in {again.root}.")
    sealed: str = json.loads(again.bundle_receipt.read_text())["bundle_version"]
    return again.bundles / sealed
