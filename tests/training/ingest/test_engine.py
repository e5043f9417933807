"""The embedded engine and scikit-learn keep to their limits."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info, threadpool_limits

from contracts.errors import InvalidInput
from training.engine import connect_duckdb
from training.settings import DuckDBSettings
from training.threads import one_thread


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
    with pytest.raises(InvalidInput, match=r"duckdb\.spill_folder is .*/none', which is not a folder"):
        connect_duckdb(DuckDBSettings(spill_folder=str(tmp_path / "none")))


def test_scikit_learn_is_kept_to_one_thread_and_let_go() -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}

    with threadpool_limits(2, user_api="openmp"):
        KMeans(2, n_init=1).fit(np.arange(8.0).reshape(-1, 1))  # loads OpenMP
        before = threads()
        with one_thread():
            assert threads() == {1}
        assert threads() == before
