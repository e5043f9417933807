"""What MLflow records of a run."""

import shutil
from pathlib import Path

import mlflow

from training.tracking import flat
from training.workspace import Workspace


def test_names_are_those_that_mlflow_takes() -> None:
    """Keys are metrics, recipes and a shop's own values of profiles."""
    nested = {
        "all": {"ndcg@20": 0.5},
        "by segment": {"150K+": {"x": 1.0}, "a/../b": 2.0, "Köln": 3.0},
        "content+ids": 4.0,
    }
    names = dict(flat(nested))
    assert names == {
        "all.ndcg_at_20": 0.5,
        "by segment.150K_.x": 1.0,
        "by segment.a_.._b": 2.0,
        "by segment.Köln": 3.0,
        "content_ids": 4.0,
    }


def test_mlflow_takes_them(trained: Workspace, tmp_path: Path) -> None:
    """In a store that is there already: making its tables takes ten times as long as all that is asked here."""
    shutil.copy(trained.root / "mlflow.db", tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_experiment("names")
    with mlflow.start_run():
        mlflow.log_metrics(dict(flat({"content+ids": 4.0, "x": {"a/../b": 2.0, "150K+": 1.0}})))
