"""Where shown lists are recorded."""

from pathlib import Path
from typing import Protocol

from contracts.api.records import ImpressionRecord
from contracts.errors import InvalidInput


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
    """Appends one JSON line a record, written through at each line so that a reader sees whole lines.

    At half of max_bytes the file is renamed to `….1`, and what had that name before is gone: the volume that both lie
    on can be sized, and a pod is not evicted for what its callers asked for.
    """

    def __init__(self, path: Path, max_bytes: int = 0) -> None:
        """max_bytes: of both files together; 0 is no limit. Raises InvalidInput where the file cannot be written."""
        self._path = path
        self._half = max_bytes // 2
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise InvalidInput(f"The impression log {path} cannot be written: {error.strerror}.") from error

    def write(self, record: ImpressionRecord) -> None:
        """Appends the record. Raises OSError."""
        line = record.model_dump_json() + "\n"
        if self._half and self._bytes + len(line.encode()) > self._half and self._bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._open()
        self._file.write(line)
        self._bytes += len(line.encode())

    def _open(self) -> None:
        self._file = self._path.open("a", buffering=1, encoding="utf-8")
        self._bytes = self._path.stat().st_size

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
