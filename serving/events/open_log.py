"""Opens the event log behind a URL: SQLite on one machine, Redis on a cluster."""

from contracts.events.log import sqlite_path
from serving.events.log import (
    ConsumedLog,
)


def open_log(url: str, stream: str, *, vouched: bool = False) -> ConsumedLog:
    """The log of a stream behind a URL.

    vouched: the operator answers for a Redis that cannot be checked.
    Raises InvalidInput for another kind of URL, EventLogRefused for a store that is not durable, EventLogError.
    """
    from serving.events.log_redis import RedisLog
    from serving.events.log_sqlite import SqliteLog

    path = sqlite_path(url)
    return SqliteLog(path, stream) if path else RedisLog(url, stream, vouched=vouched)
