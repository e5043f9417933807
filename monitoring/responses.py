"""Logs of lists shown and of what was done about them, as an experiment's figures need them."""

import json
from pathlib import Path

from contracts.api.records import ImpressionRecord, impression_records
from contracts.errors import MissingArtifact


def shown_lists(path: Path) -> tuple[list[ImpressionRecord], int]:
    """(records of an impression log, lines that are none). Raises MissingArtifact without the log."""
    lines = [record for _, record in impression_records(path)]
    records = [record for record in lines if isinstance(record, ImpressionRecord)]
    return records, len(lines) - len(records)


def answered_requests(path: Path) -> tuple[set[str], int, int]:
    """(request ids that interactions came with, interactions without one, lines that are no interaction).

    The file has one JSON object a line, as POST /events takes them. Raises MissingArtifact without the file.
    """
    found: set[str] = set()
    without = malformed = 0
    for line in _lines(path, "file of interactions; POST /events takes the same objects"):
        try:
            request_id = json.loads(line).get("request_id")
        except (ValueError, AttributeError):
            malformed += 1
            continue
        if isinstance(request_id, str):
            found.add(request_id)
        else:
            without += 1
    return found, without, malformed


def _lines(path: Path, expected: str) -> list[bytes]:
    if not path.is_file():
        raise MissingArtifact(f"There is no {path}. Expected: {expected}, one JSON object a line.")
    return path.read_bytes().splitlines()
