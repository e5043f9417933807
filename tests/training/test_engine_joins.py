"""The joins of a training set at the size at which DuckDB 2.0.0 was seen to end one with an internal error."""

from pathlib import Path

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.engine import BROKEN_OPTIMIZERS, connect_duckdb, read_parquet

ROWS, ITEMS, SNAPSHOTS = 420_000, 4_000, 60  # 414,760 rows of a real log failed, 400,000 passed
WEEK = 7 * 86_400


def moments_of(seconds: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(seconds, pa.timestamp("s", "UTC")).cast(pa.timestamp("us", "UTC"))


def test_a_training_set_of_that_size_is_joined(tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    ids = np.array([f"item {number}" for number in range(ITEMS)])
    known_at = moments_of(np.tile(np.arange(SNAPSHOTS) * WEEK, ITEMS))
    known = {"item_id": np.repeat(ids, SNAPSHOTS), "known_at": known_at, "value": np.arange(ITEMS * SNAPSHOTS)}
    pq.write_table(pa.table(known), tmp_path / "known.parquet")
    items, seconds = random.integers(ITEMS, size=ROWS), random.integers(SNAPSHOTS * WEEK, size=ROWS)
    asked = ibis.memtable(pa.table({"row": np.arange(ROWS), "item_id": ids[items], "at": moments_of(seconds)}))
    connection = connect_duckdb()
    table = read_parquet(connection, tmp_path / "known.parquet")
    rows = table.select(key="item_id", when="known_at", value="value")
    latest = asked.asof_join(table.select("item_id", "known_at"), asked.at >= table.known_at, predicates="item_id")
    found = latest.inner_join(rows, [latest.item_id == rows.key, latest.known_at == rows.when]).select("row", "value")
    joined = connection.to_pyarrow(asked.left_join(found, "row").select("row", "value")).sort_by("row")
    # Item i is known at the start of each week: its row of week w is i · 60 + w.
    np.testing.assert_array_equal(joined["value"].to_numpy(), items * SNAPSHOTS + seconds // WEEK)


def test_every_connection_leaves_the_broken_optimizer_out() -> None:
    (found,) = connect_duckdb().raw_sql("SELECT current_setting('disabled_optimizers')").fetchone()
    assert found == BROKEN_OPTIMIZERS
