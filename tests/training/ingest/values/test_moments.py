"""Columns of moments: a clock is the same moment whatever the type of its column."""

from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest

from training.engine import connect_duckdb
from training.ingest.values.moment_text import Reading
from training.ingest.values.moments import moments


def read(column: pa.Array, reading: Reading) -> list[Any]:
    """Of each value the moment in UTC, or why there is none."""
    table = ibis.memtable(pa.table({"at": column, "place": range(len(column))}))
    found = moments(table.at, reading)
    rows: pa.Table = connect_duckdb().to_pyarrow(
        table.select("place", utc=found.utc, wrong=found.unreadable).order_by("place")
    )
    return [
        "wrong" if row["wrong"] else row["utc"] and row["utc"].astimezone(UTC).replace(tzinfo=None)
        for row in rows.to_pylist()
    ]


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_clock_without_a_zone_is_one_moment_as_text_and_as_a_timestamp(zone: str, unit: str) -> None:
    """Each half hour around the changes of 2024, of which some are there twice and some never."""
    starts = [datetime(2024, *day) for day in ((3, 10), (3, 31), (4, 6), (10, 5), (10, 27), (11, 3), (7, 1))]
    clocks = [start + timedelta(minutes=30 * at) for start in starts for at in range(-4, 96)]
    reading = Reading(time_zone=zone)
    as_text = read(pa.array([str(clock) for clock in clocks]), reading)
    assert read(pa.array(clocks, pa.timestamp(unit)), reading) == as_text
    assert all(as_text)


def test_the_hour_that_is_there_twice_is_the_first_and_the_one_that_is_not_counts_from_before() -> None:
    clocks = [datetime(2024, 10, 27, 2, 30), datetime(2024, 3, 31, 2, 30), datetime(2024, 7, 5, 12, 0, 0, 5), None]
    assert read(pa.array(clocks, pa.timestamp("us")), Reading(time_zone="Europe/Paris")) == [
        datetime(2024, 10, 27, 0, 30), datetime(2024, 3, 31, 1, 30), datetime(2024, 7, 5, 10, 0, 0, 5), None,
    ]  # fmt: skip


def test_what_is_finer_than_a_microsecond_is_cut_off_as_in_texts() -> None:
    clocks = ["2024-01-05 10:00:00.123456789", "2024-10-27 02:30:00.999999999"]
    as_text = pa.array(clocks)
    reading = Reading(time_zone="Europe/Paris")
    assert read(as_text.cast(pa.timestamp("ns")), reading) == read(as_text, reading)


def test_clocks_at_the_ends_of_time_stop_nothing() -> None:
    ends = pa.array([-(2**63) + 1, 2**63 - 1, 253402300799_000000], pa.int64()).cast(pa.timestamp("us"))
    assert read(ends, Reading(time_zone="Europe/Paris")) == ["wrong", "wrong", datetime(9999, 12, 31, 22, 59, 59)]


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.decimal128(21, 0), pa.decimal128(23, 2)]
)
def test_a_number_is_what_its_digits_say_in_a_format(kind: pa.DataType) -> None:
    reading = Reading(time_zone="Europe/Paris", date_format="%Y%m%d")
    found = read(pa.array([20240105, None, 202411, 2024]).cast(pa.decimal128(21, 0)).cast(kind), reading)
    assert found == [datetime(2024, 1, 4, 23), None, "wrong", "wrong"]


def test_a_number_in_no_format_is_one_since_1970_where_a_unit_is_said() -> None:
    reading = Reading(time_zone="UTC", date_format="%d.%m.%Y", epoch_unit="s")
    assert read(pa.array([1704448800, 1704448800.5, float("nan"), 1e300]), reading) == [
        datetime(2024, 1, 5, 10), datetime(2024, 1, 5, 10, 0, 0, 500000), None, "wrong",
    ]  # fmt: skip
