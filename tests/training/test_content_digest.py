"""The same rows are the same data, in any order and in any number of files; another value is other data."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.content_digest import content_digest

ROWS: dict[str, list[object]] = {
    "user_id": ["u1", "u2", "u2"],
    "price": [1.5, None, 2.0],
    "at": [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)],
}


def written(path: Path, rows: dict[str, list[object]], order: list[int]) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({name: [values[row] for row in order] for name, values in rows.items()}), path)
    return path


def test_order_and_files_do_not_matter(tmp_path: Path) -> None:
    whole = content_digest(written(tmp_path / "whole.parquet", ROWS, [0, 1, 2]))
    assert whole == content_digest(written(tmp_path / "turned.parquet", ROWS, [2, 0, 1]))
    written(tmp_path / "parts" / "a.parquet", ROWS, [1, 0])
    written(tmp_path / "parts" / "b.parquet", ROWS, [2])
    assert whole == content_digest(tmp_path / "parts")
    assert whole.startswith("3 rows ")


@pytest.mark.parametrize(
    ("column", "values"), [("user_id", ["u1", "u2", "u3"]), ("price", [1.5, 0.0, 2.0]), ("price", [1.5, None, 2.0001])]
)
def test_another_value_is_other_data(tmp_path: Path, column: str, values: list[object]) -> None:
    before = content_digest(written(tmp_path / "before.parquet", ROWS, [0, 1, 2]))
    assert before != content_digest(written(tmp_path / "after.parquet", ROWS | {column: values}, [0, 1, 2]))
    assert before != content_digest(written(tmp_path / "twice.parquet", ROWS, [0, 1, 1, 2]))


def test_the_digits_are_the_md5_of_the_rows_text_and_zero_of_no_rows(tmp_path: Path) -> None:
    digest = hashlib.md5(b"{'u': a}", usedforsecurity=False).digest()
    halves = [int.from_bytes(half, "little") for half in (digest[:8], digest[8:])]  # as DuckDB reads them
    one = written(tmp_path / "one.parquet", {"u": ["a"]}, [0])
    assert content_digest(one) == f"1 rows {halves[0]:016x}{halves[1]:016x}"
    pq.write_table(pa.table({"u": pa.array([], pa.string())}), tmp_path / "none.parquet")
    assert content_digest(tmp_path / "none.parquet") == f"0 rows {0:032x}"
