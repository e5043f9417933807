"""Columns of moments as UTC, whatever their type."""

from dataclasses import dataclass
from typing import Any

import ibis

from training.ingest.values.moment_text import EPOCH_UNITS, WRONG, ZONELESS, Reading, reader
from training.ingest.values.text_function import text_function
from training.ingest.values.texts import as_text

TIMESTAMP = "timestamp('UTC', 6)"
FIRST_SECOND, LAST_SECOND = -30_610_224_000, 253_402_300_799  # of the years 1000 to 9999


@dataclass(frozen=True)
class Moments:
    """Expressions of a column: the moment in UTC (null where it cannot be had) and the two faults."""

    utc: Any
    unreadable: Any
    without_zone: Any


def moments(value: Any, reading: Reading) -> Moments:
    """The column's moments.

    A number is one since 1970 where a unit is said; with a format it is what its digits say, as 20240131. A clock
    without a zone is in the mapping's zone.
    """
    kind = value.type()
    is_number = kind.is_numeric() and not kind.is_boolean()
    if is_number and not reading.date_format:
        utc = _from_number(value, reading.epoch_unit) if reading.epoch_unit else ibis.null(TIMESTAMP)
        missing = value.isnull()
        if kind.is_floating():
            missing = missing | value.isnan()  # as pandas writes what is missing
        return Moments(utc, ~missing & utc.isnull(), ibis.literal(False))
    if kind.is_timestamp():
        return _typed(value, reading)
    read = text_reader(reading)(as_text(value) if is_number else value.cast("string"))
    return Moments(read.try_cast(TIMESTAMP), (read == WRONG).fill_null(False), (read == ZONELESS).fill_null(False))


def text_reader(reading: Reading) -> Any:
    """A function of the engine from texts to their moments, spelt in UTC, or to WRONG or ZONELESS."""
    return text_function(reader(reading))


def _typed(value: Any, reading: Reading) -> Moments:
    inside = value.year().between(1000, 9999)
    if value.type().timezone is not None:
        return Moments(ibis.ifelse(inside, value.cast(TIMESTAMP), None), value.notnull() & ~inside, ibis.literal(False))
    if not reading.time_zone:
        return Moments(ibis.null(TIMESTAMP), ibis.literal(False), value.notnull())
    # By way of text, which is cut off behind microseconds as texts are: DuckDB rounds nanoseconds.
    fine = value if (value.type().scale or 0) <= 6 else value.cast("string")
    utc = _in_zone(ibis.ifelse(inside, fine.cast("timestamp(6)"), None), reading)
    return Moments(utc, value.notnull() & utc.isnull(), ibis.literal(False))


def _in_zone(clock: Any, reading: Reading) -> Any:
    """The moments of clocks in the mapping's zone.

    A clock within a day of a change may be there twice, or never. Engines differ in what they make of it, so these few
    are read as texts are.
    """
    day = ibis.interval(days=1)
    # A zone's name behind the text is understood by DuckDB and Spark alike, and knows daylight saving.
    before, behind = (
        (other.cast("string") + f" {reading.time_zone}").try_cast(TIMESTAMP) for other in (clock - day, clock + day)
    )
    same = (before + day == behind - day).fill_null(False)
    return ibis.ifelse(same, before + day, text_reader(reading)(clock.cast("string")).try_cast(TIMESTAMP))


def _from_number(number: Any, unit: str) -> Any:
    per_second = EPOCH_UNITS[unit]
    first, last = FIRST_SECOND * per_second, LAST_SECOND * per_second
    if number.type().is_integer():
        whole = number.try_cast("int64")
        # In nanoseconds 64 bits end with the year 2262.
        inside = ibis.ifelse(whole.between(max(first, -(2**63)), min(last, 2**63 - 1)), whole, None)
        rest = inside % per_second
        seconds = ((inside - rest) / per_second).round().cast("int64")  # exact: a multiple
        micros = (rest * (1_000_000 / per_second)).floor().cast("int64")
    else:
        exact = number.try_cast("float64")
        inside = ibis.ifelse(exact.between(float(first), float(last)), exact, None)
        seconds = (inside / per_second).floor().cast("int64")
        micros = ((inside / per_second - seconds) * 1_000_000).round().cast("int64")
    return (seconds.as_timestamp("s") + micros.as_interval("us")).cast(TIMESTAMP)
