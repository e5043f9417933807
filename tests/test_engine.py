"""The embedded engine keeps to its limits."""

from pathlib import Path

import pytest

from contracts.errors import InvalidInput
from training.engine import connect_duckdb
from training.settings import DuckDBSettings


def test_memory_threads_and_spill_folder_are_what_the_settings_say(tmp_path: Path) -> None:
    connection = connect_duckdb(DuckDBSettings(memory_gb=0.5, spill_folder=str(tmp_path), threads=1))
    (row,) = connection.raw_sql(
        "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory'), "
        "current_setting('TimeZone')"
    ).fetchall()
    memory, threads, folder, zone = row
    assert (memory, threads, zone) == ("476.8 MiB", 1, "UTC")  # half a billion bytes
    assert Path(folder).parent == tmp_path


def test_what_does_not_fit_is_spilled_and_removed(tmp_path: Path) -> None:
    """Four million distinct rows sorted in 100 MB; nothing stays on the disk."""
    connection = connect_duckdb(DuckDBSettings(memory_gb=0.1, spill_folder=str(tmp_path)))
    sql = "SELECT count(*), max(p) FROM (SELECT hash(i) h, i p FROM range(4000000) t(i) ORDER BY h)"
    assert connection.raw_sql(sql).fetchone()[0] == 4_000_000
    connection.disconnect()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_spill_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"duckdb\.spill_folder is .*/none', which is no folder"):
        connect_duckdb(DuckDBSettings(spill_folder=str(tmp_path / "none")))
