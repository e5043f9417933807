"""What the page shows of the computation, by a clock of the test's own."""

import json
from pathlib import Path

import pytest

from contracts.api.progress import Progress, State, Step
from tandem.demo.record import Record
from tandem.demo.times import MEASURED, Times

STEPS = [Step(name="first", title="From counts"), Step(name="full", title="Trained")]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def record_in(folder: Path, clock: Clock) -> Record:
    (folder / "times.json").write_text(json.dumps({"first/a": 10.0, "first/b": 30.0, "first/c": 20.0}))
    return Record(folder / "progress.json", STEPS, Times(folder / "times.json"), clock)


def written(folder: Path) -> Progress:
    return Progress.model_validate_json((folder / "progress.json").read_bytes())


def test_time_left_is_what_parts_took_before_less_what_is_over(tmp_path: Path) -> None:
    clock = Clock()
    record = record_in(tmp_path, clock)
    record.begin("first", ["a", "b", "c"])
    assert written(tmp_path).seconds_left == 60.0  # 10 + 30 + 20
    with record.part("a", "doing a"):
        clock.seconds += 4.0
        assert record.now().seconds_left == 56.0 and record.now().doing == "doing a"
        assert record.now().share == pytest.approx(4 / 60, abs=1e-3)


def test_a_machine_that_is_twice_as_slow_takes_twice_as_long_for_the_rest(tmp_path: Path) -> None:
    clock = Clock()
    record = record_in(tmp_path, clock)
    record.begin("first", ["a", "b", "c"])
    with record.part("a", "doing a"):
        clock.seconds += 20.0
    assert record.now().seconds_left == 100.0  # (30 + 20) · 20 / 10
    assert record.now().share == pytest.approx(20 / 120, abs=1e-3)
    assert json.loads((tmp_path / "times.json").read_text())["first/a"] == 20.0


def test_a_part_that_takes_longer_than_ever_leaves_the_others(tmp_path: Path) -> None:
    clock = Clock()
    record = record_in(tmp_path, clock)
    record.begin("first", ["a", "b"])
    with record.part("a", "doing a"):
        clock.seconds += 50.0
        assert record.now().seconds_left == 30.0


def test_parts_with_nothing_to_do_are_left_out_and_their_times_are_kept(tmp_path: Path) -> None:
    record = record_in(tmp_path, Clock())
    record.begin("first", ["a", "b", "c"])
    record.leave_out("b")
    assert written(tmp_path).seconds_left == 30.0  # 10 + 20
    assert Times(tmp_path / "times.json").expected("first/b") == 30.0


def test_the_time_of_a_part_that_fails_is_not_kept_and_the_error_can_name_it(tmp_path: Path) -> None:
    clock = Clock()
    record = record_in(tmp_path, clock)
    record.begin("first", ["a"])
    with pytest.raises(ValueError, match="broken"), record.part("a", "doing a"):
        clock.seconds += 1.0
        raise ValueError("broken")
    assert Times(tmp_path / "times.json").expected("first/a") == 10.0
    assert record.last == "step first, doing a"


def test_a_bundle_is_said_with_the_seconds_until_it_could_serve(tmp_path: Path) -> None:
    clock = Clock()
    record = record_in(tmp_path, clock)
    clock.seconds += 28.0
    record.serves("first", "v1")
    record.update("first", ndcg=0.338)
    assert written(tmp_path).steps[0] == Step(
        name="first", title="From counts", bundle_version="v1", seconds=28.0, ndcg=0.338
    )


def test_a_second_run_keeps_what_the_first_said_until_the_data_is_another(tmp_path: Path) -> None:
    record_in(tmp_path, Clock()).serves("first", "v1", 0.3)
    again = record_in(tmp_path, Clock())
    assert again.now().steps[0].bundle_version == "v1"
    again.forget()
    assert written(tmp_path).steps == STEPS


def test_the_seconds_of_a_computation_that_goes_on_with_an_earlier_one_are_said_to_be_its_own(tmp_path: Path) -> None:
    """A bundle that was sealed anew from kept models was said to be ready after the 36 s of the sealing."""
    clock = Clock()
    record_in(tmp_path, clock).serves("full", "v1")
    assert not written(tmp_path).steps[1].resumed
    again = record_in(tmp_path, clock)
    clock.seconds += 36.0
    again.serves("full", "v2")
    assert (written(tmp_path).steps[1].seconds, written(tmp_path).steps[1].resumed) == (36.0, True)
    again.forget()  # the data is another: all is made anew
    again.serves("first", "v3")
    assert not written(tmp_path).steps[0].resumed


def test_a_part_that_an_earlier_computation_has_done_makes_the_seconds_those_of_the_rest(tmp_path: Path) -> None:
    """One that was interrupted before anything could serve."""
    record = record_in(tmp_path, Clock())
    record.begin("first", ["a", "b"])
    with record.part("a", "doing a"):
        pass
    record.serves("first", "v1")
    assert not written(tmp_path).steps[0].resumed
    record.leave_out("b")
    record.serves("first", "v1")
    assert written(tmp_path).steps[0].resumed


@pytest.mark.parametrize("damaged", ["", "{}", '{"steps": 3}'])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "progress.json").write_text(damaged)
    record = record_in(tmp_path, Clock())
    assert record.now().steps == STEPS


def test_the_end_says_why_and_promises_nothing(tmp_path: Path) -> None:
    record = record_in(tmp_path, Clock())
    record.begin("first", ["a"])
    record.end(State.FAILED, "no such column")
    said = written(tmp_path)
    assert (said.state, said.failure, said.step, said.seconds_left) == (State.FAILED, "no such column", None, None)


def test_time_passes_while_a_part_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.demo.record.EVERY_SECONDS", 0.01)
    record = record_in(tmp_path, Clock())
    with record.ticking():
        while not (tmp_path / "progress.json").exists():
            pass
    assert written(tmp_path).state is State.RUNNING


@pytest.mark.parametrize("damaged", ["", "[1]", '{"first/ingest": "soon"}'])
def test_times_that_cannot_be_read_are_those_of_another_machine(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "times.json").write_text(damaged)
    assert Times(tmp_path / "times.json").expected("first/ingest") == MEASURED["first/ingest"]
    assert Times(tmp_path / "none.json").expected("a part that is new") == 1.0
