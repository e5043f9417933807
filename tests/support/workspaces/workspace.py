"""Workspaces of a test's own, and the parameters of the small trained one."""

import shutil
from pathlib import Path

from tests.support.repository import ROOT
from training.workspace import Workspace

SLICE = (ROOT / "scripts" / "slice.yaml").read_text()
PIPELINE = (
    "ingest",
    "features",
    "copurchase",
    "materialize",
    "dataset",
    "train-towers",
    "train-ranker",
    "evaluate",
    "bundle",
)
"""Commands that make a bundle, in order."""


def new_workspace(root: Path, params: str) -> Workspace:
    """A root folder with its own feature repository and parameters."""
    shutil.copytree(ROOT / "feature_repo", root / "feature_repo", ignore=shutil.ignore_patterns("data", "__pycache__"))
    (root / "params.yaml").write_text(params)
    return Workspace(root)
