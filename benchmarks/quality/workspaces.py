"""Workspaces that the product's own pipeline trains for a data set, each once: a folder that is there is used again."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from training.workspace import Workspace

ROOT: Final = Path(__file__).resolve().parents[2]
COMMANDS: Final = (
    "ingest", "features", "copurchase", "materialize", "dataset", "train-towers", "train-ranker",
)  # fmt: skip


def train(root: Path, params: str) -> None:
    """Runs the pipeline with this params.yaml where it has not; what it says goes to stderr."""
    if Workspace(root).ranker.exists():
        return
    ignored = shutil.ignore_patterns("data", "__pycache__")
    shutil.copytree(ROOT / "feature_repo", root / "feature_repo", ignore=ignored, dirs_exist_ok=True)
    (root / "params.yaml").write_text(params)
    for command in COMMANDS:
        subprocess.run(
            [sys.executable, "-m", "tandem", command, "--root", str(root)], stdout=sys.stderr, check=True
        )  # fmt: skip
