"""The event log in one SQLite file: write-ahead log, synced to the disk at every commit."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.events.log import STREAMS
from serving.events.log import Entry, EventLogError, EventLogRefused, LeaseLost, Logged, user_of
from serving.runtime.sqlite_rewrite import rewrite

FREE = ""
"""Holder of a lease that was given back."""
LEAST_STEP_SECONDS = 0.001
READ_AT_ONCE = 1000
BUSY_SECONDS = 10.0  # another process may hold the file while it commits


class SqliteLog:
    """One stream; several processes of one machine may open the same file."""

    def __init__(self, path: str, stream: str) -> None:
        """Raises EventLogRefused where the file system cannot hold a write-ahead log."""
        if stream not in STREAMS:  # the name becomes part of the statements below
            raise ValueError(f"There is no stream {stream!r}.")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._stream = stream
        # Not "on conflict do nothing": that would use up a position, and positions count entries.
        known = f"SELECT 1 FROM {stream} WHERE key = ?1"  # noqa: S608
        self._insert = f"INSERT INTO {stream} (key, received, payload) SELECT ?1, ?2, ?3 WHERE NOT EXISTS ({known})"
        columns = "position, received, key, payload"
        self._after = f"SELECT {columns} FROM {stream} WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608
        self._delete = f"DELETE FROM {stream} WHERE received < ? AND position <= ?"  # noqa: S608
        self._lock = threading.Lock()
        # Reads have a connection of their own: they do not wait for a commit to reach the disk.
        self._writer, self._reader = self._connect(path), self._connect(path)
        self._reading = threading.Lock()
        with self._transaction() as writer:
            writer.execute(
                f"CREATE TABLE IF NOT EXISTS {stream} (position INTEGER PRIMARY KEY AUTOINCREMENT, "
                "key TEXT NOT NULL UNIQUE, received REAL NOT NULL, payload TEXT NOT NULL)"
            )
            writer.execute(
                "CREATE TABLE IF NOT EXISTS consumers (stream TEXT, name TEXT, position INTEGER NOT NULL DEFAULT 0, "
                "holder TEXT NOT NULL, leased_until REAL NOT NULL, PRIMARY KEY (stream, name))"
            )
        self._leases: dict[str, tuple[tuple[str, float], float, float]] = {}  # what was seen, since when, for how long

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each entry is new; one transaction and one sync for all. Raises EventLogError."""
        now = time.time()
        with self._transaction() as writer:
            return [writer.execute(self._insert, (key, now, payload)).rowcount == 1 for key, payload in entries]

    def read(self, after: int, limit: int) -> list[Logged]:
        """Up to limit entries after a position. Raises EventLogError."""
        return [Logged(*row) for row in self._select(self._after, after, limit)]

    def end(self) -> int:
        """Position of the last entry ever kept. Raises EventLogError."""
        rows = self._select("SELECT seq FROM sqlite_sequence WHERE name = ?", self._stream)
        return int(rows[0][0]) if rows else 0

    def trim(self, before_seconds: float, up_to: int) -> int:
        """How many entries were removed. Raises EventLogError."""
        with self._transaction() as writer:
            return writer.execute(self._delete, (before_seconds, up_to)).rowcount

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """How many entries of chosen users were removed; nothing of them is left in the file. Raises EventLogError."""
        found = self._positions_of(chosen)
        with self._transaction() as writer:
            writer.executemany(f"DELETE FROM {self._stream} WHERE position = ?", found)  # noqa: S608
        with self._lock:
            try:
                rewrite(self._writer, BUSY_SECONDS)
            except sqlite3.Error as error:
                raise EventLogError("The event log could not be rewritten after entries were removed.") from error
        return len(found)

    def _positions_of(self, chosen: Callable[[str], bool]) -> list[tuple[int]]:
        """Where entries of chosen users are. Ids are compared here: SQLite's own functions end a text at its first NUL.

        What is appended meanwhile is taken back by who appends it, who looks at the list of the erased once more.
        """
        found: list[tuple[int]] = []
        last = 0
        while entries := self.read(last, READ_AT_ONCE):
            for entry in entries:
                user_id = user_of(entry.payload)
                if user_id is not None and chosen(user_id):
                    found.append((entry.position,))
            last = entries[-1].position
        return found

    def position(self, consumer: str) -> int:
        """How far the consumer has come. Raises EventLogError."""
        statement = "SELECT position FROM consumers WHERE stream = ? AND name = ?"
        rows = self._select(statement, self._stream, consumer)
        return int(rows[0][0]) if rows else 0

    def lease(self, consumer: str, holder: str, seconds: float) -> bool:
        """Whether holder may work for the consumer. Raises EventLogError.

        A lease has run out when it was not prolonged for its seconds, as the one who waits has counted them. The moment
        in the table is not compared with any clock, it only differs from the last: one written by a clock that was an
        hour ahead kept every consumer away for that hour.
        """
        found = "SELECT holder, leased_until FROM consumers WHERE stream = ? AND name = ?"
        write = (
            "INSERT INTO consumers (stream, name, holder, leased_until) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until"
        )
        with self._transaction() as writer:
            seen: tuple[str, float] | None = writer.execute(found, (self._stream, consumer)).fetchone()
            if seen is not None and seen[0] not in (holder, FREE) and not self._has_run_out(consumer, seen, seconds):
                return False
            until = max(time.time() + seconds, (seen[1] if seen else 0.0) + LEAST_STEP_SECONDS)
            writer.execute(write, (self._stream, consumer, holder, until))
        self._leases[consumer] = (holder, until), time.monotonic(), seconds
        return True

    def _has_run_out(self, consumer: str, seen: tuple[str, float], seconds: float) -> bool:
        now = time.monotonic()
        known, since, granted = self._leases.get(consumer, (None, now, seconds))
        if known != seen:  # another took it, or prolonged it
            since, granted = now, seconds
        self._leases[consumer] = seen, since, granted
        return now - since > granted

    def release(self, consumer: str, holder: str) -> None:
        """Gives the lease back, if holder has it. Raises EventLogError."""
        statement = "UPDATE consumers SET holder = ? WHERE stream = ? AND name = ? AND holder = ?"
        with self._transaction() as writer:
            writer.execute(statement, (FREE, self._stream, consumer, holder))

    def commit(self, consumer: str, holder: str, position: int) -> None:
        """Notes the position. Raises LeaseLost unless holder has the lease, EventLogError."""
        statement = "UPDATE consumers SET position = ? WHERE stream = ? AND name = ? AND holder = ?"
        with self._transaction() as writer:
            if writer.execute(statement, (position, self._stream, consumer, holder)).rowcount != 1:
                raise LeaseLost(f"Another process consumes {self._stream} for {consumer} now.")

    def close(self) -> None:
        """Closes the file."""
        with self._lock, self._reading:
            self._writer.close()
            self._reader.close()

    def _connect(self, path: str) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            (journal,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise EventLogRefused(f"The event log {path} cannot be opened: {error}.") from error
        if journal != "wal":
            raise EventLogRefused(f"The event log {path} is on a file system without write-ahead log ({journal}).")
        return connection

    def _select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._reading:
                return self._reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise EventLogError("The event log could not be read.") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Committed, and so on the disk, when the block ends; undone when it fails."""
        with self._lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                except BaseException:
                    self._writer.execute("ROLLBACK")
                    raise
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                if self._writer.in_transaction:  # a failed commit, of a full disk for one, leaves it open
                    self._writer.execute("ROLLBACK")
                raise EventLogError("The event log could not be written.") from error
