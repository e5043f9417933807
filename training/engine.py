"""The engines under Ibis: DuckDB in this process, Spark when one machine is outgrown."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import ibis

from contracts.errors import InvalidInput
from training.settings import DuckDBSettings, Engine

BROKEN_OPTIMIZERS = "join_filter_pushdown"
"""DuckDB 2.0.0 ended the join that follows an ASOF join with an internal error ("narrowed column received a
non-dictionary chunk"). At 414,760 rows of one real log it passes without this optimizer; at 523,365 rows of another it
fails without it too, so asof_store.py reads the ASOF join to its end first. Rows made up at that size pass either way
(tests/training/test_engine_joins.py) and do not show when both can go: they can, once `tandem dataset` passes without
them on both logs of docs/examples."""


def is_of_the_machine(error: duckdb.Error) -> bool:
    """Whether an error is of memory, of the disk or of the engine itself, and says nothing of the data."""
    of_itself = (duckdb.OutOfMemoryException, duckdb.InternalException, duckdb.FatalException)
    return isinstance(error, of_itself) or "no space left on device" in str(error).casefold()


def connect(engine: Engine, spark_master: str, limits: DuckDBSettings | None = None) -> ibis.BaseBackend:
    """A connection whose time zone is UTC; spark_master is a Spark master URL and is used by Spark alone."""
    return connect_duckdb(limits) if engine is Engine.DUCKDB else connect_spark(spark_master)


def connect_duckdb(limits: DuckDBSettings | None = None) -> ibis.BaseBackend:
    """An embedded engine.

    Raises InvalidInput for a folder that it cannot spill to.
    """
    limits = limits or DuckDBSettings()
    options: dict[str, str | int] = {
        # Rows without an ORDER BY come in any order: what must be ordered says so, and less is held in memory.
        "preserve_insertion_order": "false",
        "temp_directory": _spill_folder(limits),
        "memory_limit": f"{limits.memory_gb}GB",
    }
    options |= {"threads": limits.threads} if limits.threads else {}
    connection = ibis.duckdb.connect(**options)
    connection.raw_sql("SET TimeZone = 'UTC'")
    connection.raw_sql("SET enable_progress_bar = false")  # commands have a line of their own
    connection.raw_sql(f"SET disabled_optimizers = '{BROKEN_OPTIMIZERS}'")
    return connection


def _spill_folder(limits: DuckDBSettings) -> str:
    """A folder of DuckDB's own: it removes what it wrote there."""
    parent = Path(limits.spill_folder or tempfile.gettempdir())
    if not parent.is_dir():
        raise InvalidInput(f"duckdb.spill_folder is {limits.spill_folder!r}, which is not a folder. Make it first.")
    return str(parent / f"tandem-duckdb-{os.getpid()}")


def connect_spark(master: str) -> ibis.BaseBackend:
    """A Spark session on a master; spark-defaults.conf and the environment set everything else.

    Raises InvalidInput where PySpark is not installed.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise InvalidInput("The engine spark needs PySpark: install Tandem with the extra `spark`.") from error
    builder = SparkSession.builder.appName("tandem").master(master)
    settings = {
        "spark.sql.session.timeZone": "UTC",
        # Spark's default writes nanoseconds in a legacy type that other readers do not know.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.ui.showConsoleProgress": "false",
        # Feast's store switches it on, and leaves it so: a name with a dot is then a pattern.
        "spark.sql.parser.quotedRegexColumnNames": "false",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    return ibis.pyspark.connect(builder.getOrCreate())


def materialized(table: ibis.Table, path: Path, connection: ibis.BaseBackend) -> ibis.Table:
    """The table written once and read back, for what several results are derived from.

    A Parquet file and not a temporary table: those do not exist on every engine.
    """
    connection.to_parquet(table, path)
    return read_parquet(connection, path)


def read_parquet(connection: ibis.BaseBackend, path: Path | str) -> ibis.Table:
    """The rows of one Parquet file, or of a folder of parts, whatever the folders above it are called.

    Engines take `[`, `*` and `?` for patterns, and a folder `brand=acme` for a column.
    """
    if connection.name != "duckdb":
        return connection.read_parquet(_literal(str(path), r"\\\g<0>"))
    pattern = _literal(str(path), r"[\g<0>]") + ("/*.parquet" if Path(path).is_dir() else "")
    return connection.read_parquet(pattern, hive_partitioning=False)


def _literal(path: str, escaped: str) -> str:
    return re.sub(r"[\[*?]", escaped, path)


def write_parts(parts: Sequence[ibis.Table], path: Path, connection: ibis.BaseBackend) -> None:
    """Writes tables of one shape as one: a file, or on DuckDB a folder with a file of each.

    DuckDB works on the branches of a union at once and holds them all in memory; a file after the other it does not.
    Spark spreads a union over its workers and writes a folder anyway.
    """
    remove(path)
    if len(parts) == 1 or connection.name != "duckdb":
        connection.to_parquet(ibis.union(*parts) if len(parts) > 1 else parts[0], path)
        return
    path.mkdir()
    for number, part in enumerate(parts):
        connection.to_parquet(part, path / f"part-{number:05}.parquet")


def replace(table: ibis.Table, path: Path, connection: ibis.BaseBackend) -> None:
    """Writes the table in place of what is there, which it may be read from."""
    unfinished = path.with_name(f".{path.name}.writing")
    remove(unfinished)
    connection.to_parquet(table, unfinished)
    remove(path)
    unfinished.rename(path)


def remove(path: Path) -> None:
    """Removes a Parquet file, or the folder of part files that Spark writes in its place, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
