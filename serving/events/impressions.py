"""Where shown lists are recorded."""

from pathlib import Path
from typing import Protocol

from contracts.api.records import ImpressionRecord


class ImpressionSink(Protocol):
    """Takes one record a served list. Raises OSError when it cannot keep it."""

    def write(self, record: ImpressionRecord) -> None:
        """Keeps one record."""
        ...


class NoImpressions:
    """Keeps nothing; the default where no log is configured."""

    def write(self, record: ImpressionRecord) -> None:
        """Nothing."""


class JsonLinesImpressions:
    """Appends one JSON line a record, written through at each line so that a reader sees whole lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, record: ImpressionRecord) -> None:
        """Appends the record."""
        self._file.write(record.model_dump_json() + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
