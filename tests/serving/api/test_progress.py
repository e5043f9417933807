"""What the server says of the computation that works for it."""

from pathlib import Path

from contracts.api.progress import Progress, State, Step
from serving.api.routes.progress import read_progress

NOW = 1_000_000.0
RUNNING = Progress(
    state=State.RUNNING,
    steps=[Step(name="first", title="From counts")],
    step="first",
    share=0.5,
    seconds_left=9.0,
    updated_at=NOW - 2,
)


def test_what_was_written_last_is_said(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text(RUNNING.model_dump_json())
    assert read_progress(path, NOW) == RUNNING


def test_a_computation_that_has_died_is_not_said_to_run(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text(RUNNING.model_dump_json())
    late = read_progress(path, NOW + 60)
    assert (late.state, late.seconds_left, late.steps) == (State.STOPPED, None, RUNNING.steps)


def test_one_that_was_done_long_ago_stays_done(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text(RUNNING.model_copy(update={"state": State.DONE}).model_dump_json())
    assert read_progress(path, NOW + 86_400).state is State.DONE


def test_without_a_file_or_with_a_damaged_one_nothing_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    assert read_progress(path, NOW) == Progress()
    path.write_text('{"state": "dreaming"}')
    assert read_progress(path, NOW) == Progress()
