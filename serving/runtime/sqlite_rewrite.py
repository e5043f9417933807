"""A SQLite file without what was deleted from it."""

import sqlite3


def rewrite(connection: sqlite3.Connection) -> None:
    """Writes the file anew and empties its write-ahead log: deleted rows stay readable in free pages until then.

    The connection must be outside of a transaction. Raises sqlite3.Error, also where a reader held the log for longer
    than the connection's time limit.
    """
    connection.execute("VACUUM")
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("the write-ahead log is being read")
