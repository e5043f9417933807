"""Workspaces of another seed share their data and nothing that was learned."""

from pathlib import Path

import pytest
import yaml

from benchmarks.quality import workspaces


def test_models_of_another_seed_lie_next_to_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "log"
    (root / "data" / "dataset").mkdir(parents=True)
    (root / "data" / "dataset" / "rows").write_text("1")
    (root / "data" / "models").mkdir()
    (root / "params.yaml").write_text("two_tower: {epochs: 2}\n")
    run = list[tuple[Path, tuple[str, ...]]]()
    monkeypatch.setattr(workspaces, "_run", lambda folder, *commands: run.append((folder, commands)))
    other = workspaces.with_seed(root, 18)
    assert run == [(other, ("train-towers", "train-ranker"))]
    assert yaml.safe_load((other / "params.yaml").read_text()) == {
        "two_tower": {"epochs": 2, "seed": 18},
        "ranker": {"seed": 18},
    }
    assert (other / "data" / "dataset" / "rows").read_text() == "1"
    assert not (other / "data" / "models").exists()


def test_the_seed_that_a_workspace_has_needs_no_other(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("two_tower: {seed: 18}\nranker: {seed: 18}\n")
    assert workspaces.with_seed(tmp_path, 18) == tmp_path
