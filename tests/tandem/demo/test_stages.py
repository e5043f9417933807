"""DVC's stages in this process, on a project of one stage."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from dvc.repo import Repo

from contracts.errors import TandemError
from tandem.demo.stages import DvcStages

STAGE = "stages: {shout: {cmd: tandem shout --loud, deps: [said.txt], outs: [{shouted.txt: {cache: false}}]}}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `tandem shout` would make shouted.txt of said.txt."""
    monkeypatch.chdir(tmp_path)
    Repo.init(str(tmp_path), no_scm=True).close()
    (tmp_path / "dvc.yaml").write_text(STAGE)
    (tmp_path / "said.txt").write_text("hello")
    return tmp_path


def stages_of(project: Path, asked: list[Sequence[str]]) -> DvcStages:
    def command(arguments: Sequence[str]) -> None:
        asked.append(arguments)
        (project / "shouted.txt").write_text((project / "said.txt").read_text().upper())

    return DvcStages(project, command)


def test_a_stage_runs_here_and_dvc_knows_that_it_has(project: Path) -> None:
    asked: list[Sequence[str]] = []
    stages = stages_of(project, asked)
    assert stages.changed("shout")
    stages.run("shout")
    assert asked == [["shout", "--loud"]]
    assert not stages.changed("shout")
    with Repo(str(project)) as repo:
        assert repo.reproduce() == []  # `dvc repro` has nothing to do either


def test_another_input_makes_it_run_again(project: Path) -> None:
    stages = stages_of(project, [])
    stages.run("shout")
    (project / "said.txt").write_text("goodbye")
    assert stages.changed("shout")


def test_a_stage_that_fails_is_not_kept_as_done(project: Path) -> None:
    def command(_: Sequence[str]) -> None:
        raise TandemError("the voice is gone")

    stages = DvcStages(project, command)
    with pytest.raises(TandemError, match="the voice is gone"):
        stages.run("shout")
    assert stages.changed("shout")


def test_a_stage_of_another_program_is_refused(project: Path) -> None:
    (project / "dvc.yaml").write_text(STAGE.replace("tandem shout", "python shout.py"))
    with pytest.raises(TandemError, match=r"runs \['python'\]"):
        stages_of(project, []).run("shout")


def test_what_dvc_cannot_answer_is_an_error_of_ours(project: Path) -> None:
    with pytest.raises(TandemError, match="DVC cannot say"):
        stages_of(project, []).changed("whisper")
