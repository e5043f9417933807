"""Where shown lists are recorded."""

import errno
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

import orjson

from contracts.api.records import ImpressionRecord
from contracts.erasure.suppression import IsErased
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


class WithoutErased:
    """A sink that drops the lists of erased users."""

    def __init__(self, sink: ImpressionSink, is_erased: IsErased) -> None:
        self._sink = sink
        self._is_erased = is_erased

    def write(self, record: ImpressionRecord) -> None:
        """Keeps the record unless its user was erased. Raises OSError."""
        if not self._is_erased(record.user_id):
            self._sink.write(record)


class JsonLinesImpressions:
    """Appends one JSON line a record, written through at each line so that a reader sees whole lines.

    At half of max_bytes, or of max_seconds since its first record, the file is renamed to `….1`, and what had that name
    before is gone: the volume that both lie on can be sized, a pod is not evicted for what its callers asked for, and
    who saw what is not kept for good.
    """

    def __init__(
        self, path: Path, max_bytes: int = 0, max_seconds: float = 0, now: Callable[[], float] = time.time
    ) -> None:
        """Both limits are for the two files together; 0: unlimited. Raises InvalidInput for what cannot be written."""
        self._path = path
        self._half_bytes = max_bytes // 2
        self._half_seconds = max_seconds / 2
        self._now = now
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise InvalidInput(f"The impression log {path} cannot be written: {error.strerror}.") from error

    def write(self, record: ImpressionRecord) -> None:
        """Appends the record, whole or not at all. Raises OSError."""
        line = orjson.dumps(dict(record), option=orjson.OPT_APPEND_NEWLINE)
        if os.fstat(self._file.fileno()).st_nlink == 0:  # somebody has deleted it, and nobody would read the line
            self._exchange()
        if self._is_full(len(line)):
            self._begin_another()
        if self._file.write(line) != len(line):  # the disk is full: half a line would spoil the next one, too
            self._file.truncate(self._bytes)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._bytes += len(line)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _is_full(self, coming: int) -> bool:
        if self._bytes == 0:
            return False
        is_long = self._half_bytes > 0 and self._bytes + coming > self._half_bytes
        return is_long or (self._half_seconds > 0 and self._now() - self._began > self._half_seconds)

    def _begin_another(self) -> None:
        """The file before stays open until there is another: the next record tries again where none can be made."""
        with suppress(FileNotFoundError):  # renamed by an attempt that a full disk ended
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._exchange()

    def _exchange(self) -> None:
        before = self._file
        self._open()
        before.close()

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._bytes = self._path.stat().st_size
        self._began = self._first_seconds() or self._now()

    def _first_seconds(self) -> float | None:
        """When the first record of the file was served; None where the file is empty or no log of ours."""
        with self._path.open("rb") as file:
            first = file.readline()
        try:
            return datetime.fromisoformat(ImpressionRecord.model_validate_json(first).served_at).timestamp()
        except ValueError:
            return None
