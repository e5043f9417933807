"""A SQLite file without what was deleted from it."""

import sqlite3
import time
from typing import Final

AGAIN_SECONDS: Final = 0.02


def rewrite(connection: sqlite3.Connection, seconds: float) -> None:
    """Writes the file anew and empties its write-ahead log: deleted rows stay readable in free pages until then.

    The connection must be outside of a transaction. Emptying is tried again for these seconds: SQLite waits for readers
    by itself, and not where another connection moves the log into the file at that moment, as each does now and then.
    Raises sqlite3.Error, also where that time was too short.
    """
    connection.execute("VACUUM")
    until = time.monotonic() + seconds
    while _is_busy(connection):
        if time.monotonic() > until:
            raise sqlite3.OperationalError("the write-ahead log is being read")
        time.sleep(AGAIN_SECONDS)


def _is_busy(connection: sqlite3.Connection) -> bool:
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)
