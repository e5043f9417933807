"""Workspaces that the product's own pipeline trains for a data set, each once: a folder that is there is used again."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from training.params_file import load_settings
from training.workspace import Workspace

ROOT: Final = Path(__file__).resolve().parents[2]
PREPARING: Final = ("ingest", "features", "copurchase", "materialize", "dataset")
TRAINING: Final = ("train-towers", "train-ranker")
SEALING: Final = ("evaluate", "bundle")


def train(root: Path, params: str, *, sealed: bool = False) -> None:
    """Runs the pipeline with this params.yaml where it has not, to a bundle if it is to be sealed.

    What it says goes to stderr.
    """
    if Workspace(root).ranker.exists():
        return
    ignored = shutil.ignore_patterns("data", "__pycache__")
    shutil.copytree(ROOT / "feature_repo", root / "feature_repo", ignore=ignored, dirs_exist_ok=True)
    (root / "params.yaml").write_text(params)
    _run(root, *PREPARING, *TRAINING, *(SEALING if sealed else ()))


def with_seed(root: Path, seed: int) -> Path:
    """This workspace where its models are of this seed, else one next to it with its data and models of that seed."""
    settings = load_settings(root / "params.yaml")
    if settings.two_tower.seed == settings.ranker.seed == seed:
        return root
    other = root.with_name(f"{root.name}-seed-{seed}")
    if Workspace(other).ranker.exists():
        return other
    shutil.copytree(root, other, ignore=shutil.ignore_patterns("models", "__pycache__"), dirs_exist_ok=True)
    params = yaml.safe_load((root / "params.yaml").read_text()) or {}
    for part in ("two_tower", "ranker"):
        params.setdefault(part, {})["seed"] = seed
    (other / "params.yaml").write_text(yaml.safe_dump(params))
    _run(other, *TRAINING)
    return other


def _run(root: Path, *commands: str) -> None:
    for command in commands:
        subprocess.run(
            [sys.executable, "-m", "tandem", command, "--root", str(root)], stdout=sys.stderr, check=True
        )  # fmt: skip
