"""How the times of a file are written, as lines of its mapping."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from training.ingest.guess.columns import FORMATS, all_match, all_read, formats_of
from training.ingest.guess.sample import UNSURE, Sample, quoted
from training.ingest.values.moment_text import OR, WRONG, ZONELESS, Reading, reader

CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
DAY: Final = "%Y%m%d"
DAYS: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
"""20240131, in a column that is called a date: by their size alone such numbers may be seconds of 1970."""
EPOCHS: Final = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
"""The least number of each unit that is a moment after 1973."""
OF_THE_SHOP: Final = "the shop's zone, for hours and weekdays: an IANA name like Europe/Paris"
OF_THE_TIMES: Final = "the times carry none: in which zone are they? An IANA name like Europe/Paris"


def clock_of(one: Sample, found: Mapping[str, str]) -> str | None:
    """A column of clocks, where the column of days has none."""
    days = one.values(found["event_timestamp"]) if "event_timestamp" in found else []
    if not days or any(isinstance(day, datetime) or ":" in str(day) for day in days):
        return None
    free = [column for column in one.columns if column not in found.values()]
    return next((column for column in free if all_match(CLOCK, one.values(column))), None)


def time_lines(one: Sample, found: Mapping[str, str], clock: str | None) -> Iterator[str]:
    """The format, the unit and the zone; nothing where no column has times."""
    if "event_timestamp" not in found:
        return
    values = one.values(found["event_timestamp"])
    if clock is not None:
        values = [f"{value} {one.values(clock)[0]}" for value in values]
    texts = [str(value) for value in values if isinstance(value, str)]
    written = [str(value) for value in values]
    if values and all(DAYS.fullmatch(text) for text in written):
        yield f"date_format: {quoted(DAY)}"
        yield f"time_zone: UTC  {UNSURE}{OF_THE_TIMES}"
    elif values and not texts:
        yield from _numbers(values)
    elif texts and all(re.fullmatch(r"\d+(\.\d+)?", text) for text in texts):
        yield from _numbers([float(text) for text in texts])
    elif texts:
        yield from _clocks(texts)


def _numbers(values: Sequence[Any]) -> Iterator[str]:
    if isinstance(values[0], int | float):
        unit = next((unit for least, unit in EPOCHS if min(values) >= least), None)
        yield f"epoch_unit: {unit or 's  ' + UNSURE + 'no unit makes recent moments of these numbers'}"
        yield f"time_zone: UTC  {UNSURE}{OF_THE_SHOP}"
    else:
        zoneless = getattr(values[0], "tzinfo", None) is None
        yield f"time_zone: UTC  {UNSURE}{OF_THE_TIMES if zoneless else OF_THE_SHOP}"


def _clocks(texts: Sequence[str]) -> Iterator[str]:
    found = {reader(Reading())(text) for text in texts}
    chosen = formats_of(texts) if WRONG in found else ()
    if chosen:
        yield f"date_format: {quoted(OR.join(chosen))}{_doubt(chosen, texts)}"
    elif WRONG in found:
        like = "like %m/%d/%Y %H:%M, with months as numbers or in English"
        yield f"{UNSURE}date_format: how is {texts[0]!r} written? {like}"
    yield f"time_zone: UTC  {UNSURE}{OF_THE_TIMES if ZONELESS in found or chosen else OF_THE_SHOP}"


def _doubt(chosen: Sequence[str], texts: Sequence[str]) -> str:
    """What a person must look at."""
    if len(chosen) > 1:
        odd = next(text for text in texts if not all_read(chosen[0], [text]))
        return f"  {UNSURE}{texts[0]} and {odd} are written in two ways: is the month or the day first in each?"
    twin = next((one for one in FORMATS if one != chosen[0] and all_read(one, texts)), None)
    return f"  {UNSURE}{twin} would fit as well: is the month or the day first?" if twin else ""
