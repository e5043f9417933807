"""A real `dvc repro` in a workspace outside the clone: what was edited runs again, and nothing else."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from tandem.retrain import UNTRACKED
from tests.support.repository import ROOT
from tests.support.shops.shop_files import INTERACTIONS, shop
from training.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC and pygtrie among themselves


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    """The project's files as an image carries them, and a shop whose raw files lie elsewhere."""
    root = tmp_path / "workspace"
    for name in (".dvc", "contracts", "training", "feature_repo"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("data", "tmp", "cache", "__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    (root / ".dvc" / "config.local").write_text(UNTRACKED)
    mapping = tmp_path / "shop.yaml"
    mapping.write_text("time_zone: Europe/Paris")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"] = {"adapter": "ecommerce", "path": str(shop(tmp_path)), "mapping": str(mapping)}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")  # where `tandem` lies
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc"))
    monkeypatch.chdir(root)
    with Repo(str(root)) as opened:
        yield opened


def ran(repo: Repo, *, dry: bool = False) -> list[str]:
    """The stages up to `ingest` that run."""
    return [stage.addressing for stage in repo.reproduce("ingest", dry=dry)]


@pytest.mark.server
def test_edited_raw_files_are_ingested_again_and_only_they(repo: Repo, tmp_path: Path) -> None:
    assert ran(repo) == ["raw-files", "ingest"]
    before = Workspace(Path(repo.root_dir)).ingested("events").read_bytes()
    assert ran(repo) == ["raw-files"]  # which looks, and finds what it had found
    (tmp_path / "shop" / "interactions.csv").write_text(INTERACTIONS.replace("9.5", "8.5"))
    assert ran(repo) == ["raw-files", "ingest"]
    assert Workspace(Path(repo.root_dir)).ingested("events").read_bytes() != before


@pytest.mark.server
def test_an_edit_of_a_room_is_seen_by_the_stages_that_import_it(repo: Repo) -> None:
    """By `dvc status`, after every stage's present state has been taken for what it was made from."""
    root = Path(repo.root_dir)
    written = {Path(file.fs_path) for stage in repo.index.stages for file in (*stage.outs, *stage.deps)}
    for path in sorted(path for path in written if not path.exists()):
        (path if not path.suffix else path.parent).mkdir(parents=True, exist_ok=True)
        (path if path.suffix else path / "part").write_text("made")
    for stage in repo.index.stages:
        stage.save()
        stage.dump(update_pipeline=False)
    always = {"raw-files": ["always changed"]}
    assert repo.status() == always
    with (root / "training" / "evaluation" / "slices.py").open("a") as module:
        module.write("# edited")
    assert repo.status().keys() == {"raw-files", "evaluate", "bundle"}
    with (root / "training" / "retrieval" / "losses.py").open("a") as module:
        module.write("# edited")
    assert repo.status().keys() == {"raw-files", "train-towers", "train-ranker", "evaluate", "bundle"}
    (root / "training" / "evaluation" / "__pycache__").mkdir()
    (root / "training" / "ingest" / "__pycache__").mkdir()
    (root / "training" / "ingest" / "__pycache__" / "ingest.cpython-311.pyc").write_text("compiled")
    assert "ingest" not in repo.status()
