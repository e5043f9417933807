"""The shop's clock in Ibis, as integer arithmetic: engines disagree on what a timestamp with a zone is."""

from zoneinfo import ZoneInfo

import ibis
import pandas as pd
from ibis import _

QUARTER_SECONDS = 900
"""Clocks change on quarter hours of UTC, and local midnights lie on them."""


def local_seconds(first: int, last: int, time_zone: str) -> ibis.Value:
    """The local clock at the column `seconds` (Unix, between first and last), as if it were UTC."""
    return (_.seconds + _offset(zone_offsets(first, last, time_zone))).cast("int64")


def zone_offsets(first: int, last: int, time_zone: str) -> list[tuple[int, int]]:
    """(start in Unix seconds, seconds ahead of UTC) of each stretch with one offset; the first starts at `first`.

    Clocks change on quarter hours of UTC, so looking at each of them finds every change.
    """
    moments = pd.date_range(
        pd.Timestamp(first // QUARTER_SECONDS * QUARTER_SECONDS, unit="s", tz="UTC"),
        pd.Timestamp(last, unit="s", tz="UTC"),
        freq=f"{QUARTER_SECONDS}s",
    )
    local = moments.tz_convert(ZoneInfo(time_zone)).tz_localize(None)
    offsets = pd.Series((local - moments.tz_localize(None)).total_seconds().astype("int64"))
    starts = (moments.tz_localize(None) - pd.Timestamp(0)).total_seconds().astype("int64")
    changed = offsets.ne(offsets.shift()).to_numpy()
    return [(int(start), int(offset)) for start, offset in zip(starts[changed], offsets[changed], strict=True)]


def _offset(stretches: list[tuple[int, int]]) -> ibis.Value:
    """The offset at `seconds`, as an expression."""
    if len(stretches) == 1:
        return ibis.literal(stretches[0][1])
    later = reversed(stretches[1:])
    return ibis.cases(*((_.seconds >= start, offset) for start, offset in later), else_=stretches[0][1])
