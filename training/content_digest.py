"""What a table holds, whichever order its rows are written in: two ingests of one source are the same data."""

from pathlib import Path

import duckdb


def content_digest(path: Path) -> str:
    """Number of rows and 32 hex digits, of a Parquet file or of a folder of them.

    The digits are the sum over rows of the MD5 of each row's text, so neither order nor files matter. It finds other
    data, and nobody who forges some: that is for the signature of the bundle.
    """
    files = str(path / "**" / "*.parquet") if path.is_dir() else str(path)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")  # or a timestamp's text is the machine's
        row = connection.execute(
            "SELECT count(*), sum(md5_number_upper(CAST(t AS VARCHAR))::HUGEINT), "
            "sum(md5_number_lower(CAST(t AS VARCHAR))::HUGEINT) FROM read_parquet(?) AS t",
            [files],
        ).fetchone()
    rows, upper, lower = (int(value or 0) for value in row or (0, 0, 0))
    return f"{rows} rows {upper % 2**64:016x}{lower % 2**64:016x}"
