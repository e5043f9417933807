"""Logs of lists shown and of what was done about them, as an experiment's figures need them."""

import json
from pathlib import Path

from contracts.api.records import ImpressionRecord, impression_records
from contracts.errors import MissingArtifact


def shown_lists(path: Path) -> tuple[list[ImpressionRecord], int]:
    """(records of an impression log, lines that are not records). Raises MissingArtifact without the log."""
    lines = [record for _, record in impression_records(path)]
    records = [record for record in lines if isinstance(record, ImpressionRecord)]
    return records, len(lines) - len(records)


def answered_requests(path: Path) -> tuple[set[str], int, int]:
    """(request ids that interactions came with, interactions without one, lines that are not an interaction).

    The file has one JSON object a line, as POST /events takes them. Raises MissingArtifact without the file.
    """
    answered, without, malformed = answered_items(path)
    return {request_id for request_id, _ in answered}, without, malformed


def answered_items(path: Path) -> tuple[set[tuple[str, str | None]], int, int]:
    """The same with the item of each interaction: (request id, item id, None where the interaction names none)."""
    found: set[tuple[str, str | None]] = set()
    without = malformed = 0
    for line in _lines(path, "file of interactions; POST /events takes the same objects"):
        try:
            interaction = json.loads(line)
            request_id, item_id = interaction.get("request_id"), interaction.get("item_id")
        except (ValueError, AttributeError):
            malformed += 1
            continue
        if isinstance(request_id, str):
            found.add((request_id, item_id if isinstance(item_id, str) else None))
        else:
            without += 1
    return found, without, malformed


def _lines(path: Path, expected: str) -> list[bytes]:
    if not path.is_file():
        raise MissingArtifact(f"There is no {path}. Expected: {expected}, one JSON object a line.")
    return path.read_bytes().splitlines()
