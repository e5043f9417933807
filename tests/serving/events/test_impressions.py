"""The impression log keeps to its size and says why it cannot be written."""

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.api.answers import DegradedLevel
from contracts.api.records import ImpressionRecord, impression_records
from contracts.errors import InvalidInput
from serving.erasure.impressions import erase_lines, lines_of, logs_of
from serving.events.impressions import JsonLinesImpressions, WithoutErased
from tests.support.real_parts.small_disk import FILLING, fill_disk


def record(number: int, served_at: str = "2026-01-01T00:00:00+00:00") -> ImpressionRecord:
    return ImpressionRecord(
        request_id=f"{number:06d}",
        served_at=served_at,
        user_id="ü",
        bundle_version="v",
        degraded_level=DegradedLevel.FULL,
        item_ids=[],
        scores=[],
        features={},
    )


def test_two_files_of_whole_lines_stay_below_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "log" / "shown.jsonl"
    for number in range(100):
        if number % 30 == 0:  # a server that is started again goes on in the same file
            log = JsonLinesImpressions(path, 5000)
        log.write(record(number))
        assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 5000
        if number % 30 == 29:
            log.close()
    log.close()
    assert {file.name for file in path.parent.iterdir()} == {"shown.jsonl", "shown.jsonl.1"}
    kept = [one for file in (path.with_name("shown.jsonl.1"), path) for _, one in impression_records(file)]
    numbers = [int(one.request_id) for one in kept if isinstance(one, ImpressionRecord)]
    assert numbers == list(range(100 - len(kept), 100))


def test_a_log_that_cannot_be_written_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "log.jsonl"):
        with pytest.raises(InvalidInput, match=r"The impression log .* cannot be written: "):
            JsonLinesImpressions(path)


def numbers_in(path: Path) -> list[int]:
    return [int(one.request_id) for _, one in impression_records(path) if isinstance(one, ImpressionRecord)]


def test_records_leave_by_age_also_when_the_server_was_started_again(tmp_path: Path) -> None:
    path, began = tmp_path / "shown.jsonl", datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(9):
        moment = began + timedelta(hours=hour)
        log = JsonLinesImpressions(path, 0, max_seconds=6 * 3600, now=moment.timestamp)
        log.write(record(hour, moment.isoformat()))
        log.close()
    # half of six hours: 0 to 3 were one file, 4 to 7 the next, and nothing is older than six hours
    assert (numbers_in(path.with_name("shown.jsonl.1")), numbers_in(path)) == ([4, 5, 6, 7], [8])


def test_a_file_that_says_no_moment_is_as_old_as_this_process(tmp_path: Path) -> None:
    path = tmp_path / "shown.jsonl"
    path.write_text("no record\n")
    log = JsonLinesImpressions(path, 0, max_seconds=60)
    log.write(record(1))
    log.close()
    assert numbers_in(path) == [1]
    assert not path.with_name("shown.jsonl.1").exists()


def test_on_a_full_disk_no_half_line_is_left(small_disk: Path) -> None:
    path = small_disk / "shown.jsonl"
    log = JsonLinesImpressions(path, 600_000)
    log.write(record(0))
    fill_disk(small_disk)
    lost = 0
    for number in range(1, 100):
        try:
            log.write(record(number))
        except OSError as error:
            lost += 1
            assert error.errno == errno.ENOSPC
    assert 0 < lost < 100  # a block of the file was there already
    (small_disk / FILLING).unlink()
    log.write(record(100))
    log.close()
    assert numbers_in(path) == [*range(100 - lost), 100]
    assert path.read_bytes().count(b"\n") == 101 - lost


def test_a_log_that_cannot_begin_another_file_begins_it_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "shown.jsonl"
    log = JsonLinesImpressions(path, 800)
    log.write(record(0))
    opening = log._open
    monkeypatch.setattr(log, "_open", full)
    with pytest.raises(OSError, match="No space left"):
        log.write(record(1))
    with pytest.raises(OSError, match="No space left"):
        log.write(record(2))
    monkeypatch.setattr(log, "_open", opening)
    log.write(record(3))
    log.close()
    assert (numbers_in(path.with_name("shown.jsonl.1")), numbers_in(path)) == ([0], [3])


def test_a_log_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "shown.jsonl"
    log = JsonLinesImpressions(path)
    log.write(record(0))
    path.unlink()
    log.write(record(1))
    log.write(record(2))
    assert numbers_in(path) == [1, 2]
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(OSError, match="No such file"):  # counted as lost
        log.write(record(3))
    path.parent.mkdir()
    log.write(record(4))
    log.close()
    assert numbers_in(path) == [4]


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def shown_to(user_id: str) -> ImpressionRecord:
    return record(0).model_copy(update={"user_id": user_id})


def test_lines_of_somebody_who_was_erased_are_blanked_out_while_a_server_writes_on(tmp_path: Path) -> None:
    path = tmp_path / "impressions.jsonl"
    sink = JsonLinesImpressions(path)
    for user_id in ("a", "zebra", "b", "zebra"):
        sink.write(shown_to(user_id))
    assert erase_lines(path, {"zebra"}.__contains__) == 2
    sink.write(shown_to("c"))
    sink.close()
    assert b"zebra" not in path.read_bytes()
    read = [one for _, one in impression_records(path)]
    assert [one.user_id for one in read if isinstance(one, ImpressionRecord)] == ["a", "b", "c"]
    assert erase_lines(path, {"zebra"}.__contains__) == 0
    assert len(lines_of(path, "a")) == 1


def test_a_line_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "impressions.jsonl"
    path.write_text('{"user_id": "zebra"')
    assert erase_lines(path, {"zebra"}.__contains__) == 0


def test_the_log_before_this_one_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "impressions.jsonl"
    assert logs_of(path) == []
    path.touch()
    (tmp_path / "impressions.jsonl.1").touch()
    assert [log.name for log in logs_of(path)] == ["impressions.jsonl.1", "impressions.jsonl"]


def test_no_list_of_somebody_who_was_erased_is_recorded(tmp_path: Path) -> None:
    sink = JsonLinesImpressions(tmp_path / "impressions.jsonl")
    guarded = WithoutErased(sink, {"zebra"}.__contains__)
    guarded.write(shown_to("zebra"))
    guarded.write(shown_to("a"))
    sink.close()
    assert len((tmp_path / "impressions.jsonl").read_text().splitlines()) == 1
