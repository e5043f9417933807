"""The impression log keeps to its size and says why it cannot be written."""

from pathlib import Path

import pytest

from contracts.api.answers import DegradedLevel
from contracts.api.records import ImpressionRecord, impression_records
from contracts.errors import InvalidInput
from serving.events.impressions import JsonLinesImpressions


def record(number: int) -> ImpressionRecord:
    return ImpressionRecord(
        request_id=f"{number:06d}",
        served_at="2026-01-01T00:00:00+00:00",
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
