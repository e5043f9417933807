"""The engine under Ibis."""

import ibis


def connect_duckdb() -> ibis.BaseBackend:
    """An embedded engine that thinks in UTC."""
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    return connection
