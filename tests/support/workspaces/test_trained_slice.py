"""The kept workspace: made once for each name, made again where a run was interrupted, and the oldest is forgotten."""

from pathlib import Path

import pytest

from tests.support.workspaces.trained_slice import KEPT, kept


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "model").write_text("trained")

    assert kept(tmp_path, "one", make) == kept(tmp_path, "one", make) == tmp_path / "one"
    assert made == [tmp_path / "one"]
    assert (tmp_path / "one" / "model").read_text() == "trained"


def test_what_an_interrupted_run_has_left_is_made_again(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(tmp_path, "one", fail)
    assert not (kept(tmp_path, "one", lambda folder: None) / "half").exists()


def test_the_oldest_is_forgotten(tmp_path: Path) -> None:
    names = [f"workspace-{number}" for number in range(KEPT + 1)]
    for name in names:
        kept(tmp_path, name, lambda folder: None)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == names[1:]
