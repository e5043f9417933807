"""Moments of any export as UTC: ISO 8601, whole numbers since 1970, or a format that the mapping says.

A text is read only where all of it is understood. What an engine makes of the rest differs: DuckDB takes the year 24 for
a year, and `EST` for nothing at all.
"""

import re
from dataclasses import dataclass
from typing import Any

import ibis

from contracts.errors import InvalidInput

TIMESTAMP = "timestamp('UTC', 6)"
EPOCH_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # per second
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 to 9999

DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
CLOCK = r"[T ]\d{1,2}:\d{2}(?::\d{1,2}(?:[.,]\d{1,6})?)?"
LONG_CLOCK = r"[T ]\d{1,2}:\d{2}:\d{1,2}[.,]\d{6}"
UTC_NAMES = r"[Zz]|[Uu][Tt][Cc]?|[Gg][Mm][Tt]|[Zz][Uu][Ll][Uu]"
OFFSET = r"[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?"
# An abbreviation such as EST or CST is one of several zones: it is not understood.
PLACE = r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+"
ZONE = rf"(?:{UTC_NAMES}|(?:{UTC_NAMES})?{OFFSET}|{PLACE})"
# Group 1: the local clock; group 2: the zone, empty where there is none. A day alone has no offset: -02 is a day.
ISO = rf"^\s*({DAY}(?:{CLOCK})?)()\s*$"
ISO_ZONED = rf"^\s*({DAY}{CLOCK})\s*({ZONE})\s*$"
LONG_ISO = rf"^\s*({DAY}{LONG_CLOCK})\d{{1,3}}()\s*$"
LONG_ISO_ZONED = rf"^\s*({DAY}{LONG_CLOCK})\d{{1,3}}\s*({ZONE})\s*$"
WHOLE_NUMBER = r"^\s*[+-]?\d{1,19}\s*$"
NUMBER = r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$"

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DIRECTIVES = {
    "Y": r"(\d{4})",
    "y": r"(\d{2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "b": r"([A-Za-z]{3,9})",
    "B": r"([A-Za-z]{3,9})",
    "H": r"(\d{1,2})",
    "I": r"(\d{1,2})",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "f": r"(\d{1,6})",
    "p": r"([AaPp]\.?[Mm]\.?)",
    "z": rf"({UTC_NAMES}|{OFFSET})",
    "a": r"([A-Za-z]+)",
    "A": r"([A-Za-z]+)",
}
"""Of strftime; %a and %A, names of weekdays, are passed over."""
WHOLE = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "e": "%d"}


@dataclass(frozen=True)
class Reading:
    """What the mapping says of one column of moments."""

    time_zone: str = ""  # IANA name, of clocks without a zone
    epoch_unit: str = ""  # of numbers
    date_format: str = ""  # of texts that are no ISO 8601

    def __post_init__(self) -> None:
        """Raises InvalidInput for a unit or a directive that there is not."""
        if self.epoch_unit and self.epoch_unit not in EPOCH_UNITS:
            raise InvalidInput(f"epoch_unit is {self.epoch_unit!r}, expected one of {', '.join(EPOCH_UNITS)}.")
        if self.date_format:
            _groups(self.date_format)


@dataclass(frozen=True)
class Moments:
    """Expressions of a column: the moment in UTC (null where it cannot be had) and the two faults."""

    utc: Any
    unreadable: Any
    without_zone: Any


def moments(value: Any, reading: Reading) -> Moments:
    """The column's moments.

    A number is one since 1970 where a unit is said. A clock without a zone is in the mapping's zone.
    """
    kind = value.type()
    if kind.is_numeric() and not kind.is_boolean():
        utc = _from_number(value, reading.epoch_unit) if reading.epoch_unit else ibis.null(TIMESTAMP)
        return _moments(value, utc, ibis.literal(False))
    if kind.is_timestamp() and kind.timezone is not None:
        return _moments(value, value.cast(TIMESTAMP), ibis.literal(False))
    text = value.cast("string")
    if kind.is_timestamp() or kind.is_date():
        clock, zone, known = text, ibis.literal(""), ibis.literal(False)
    else:
        clock, zone = _iso(text)
        if reading.date_format:
            own = _by_format(text, reading.date_format)
            clock, zone = own[0].coalesce(clock), ibis.ifelse(own[0].notnull(), own[1], zone)
        known = zone != ""
    naive = clock.try_cast("timestamp")
    bare = naive.notnull() & ~known
    local = _in_place(naive, ibis.literal(reading.time_zone)) if reading.time_zone else ibis.null(TIMESTAMP)
    utc = local if kind.is_timestamp() or kind.is_date() else ibis.ifelse(known, _zoned(naive, zone), local)
    if reading.epoch_unit and kind.is_string():
        number = ibis.ifelse(text.re_search(WHOLE_NUMBER), text.strip().try_cast("int64"), None)
        whole = _from_number(number, reading.epoch_unit)
        parts = ibis.ifelse(text.re_search(NUMBER), text.strip().try_cast("float64"), None)
        utc = utc.coalesce(whole, _from_number(parts, reading.epoch_unit))
    wrong_zone = bare if not reading.time_zone else ibis.literal(False)
    return _moments(value, utc, wrong_zone)


def _moments(value: Any, utc: Any, without_zone: Any) -> Moments:
    first, last = (ibis.timestamp(text) for text in ("0001-01-01 00:00:00+00:00", "9999-12-31 23:59:59+00:00"))
    inside = ibis.ifelse(utc.between(first, last), utc, None)
    missing = value.isnull()
    if value.type().is_string():
        missing = missing | (value.strip() == "")
    if value.type().is_floating():
        missing = missing | value.isnan()  # as pandas writes what is missing
    return Moments(inside, ~missing & inside.isnull() & ~without_zone, ~missing & without_zone)


def _iso(text: Any) -> tuple[Any, Any]:
    """(local clock, zone) of a text that is ISO 8601; null and "" of any other."""
    clock: Any = ibis.null("string")
    zone: Any = ibis.literal("")
    for pattern in (LONG_ISO_ZONED, LONG_ISO, ISO_ZONED, ISO):
        matches = text.re_search(pattern)
        clock = ibis.ifelse(matches, text.re_extract(pattern, 1), clock)
        zone = ibis.ifelse(matches, text.re_extract(pattern, 2), zone)
    return clock.replace(",", ".").replace("/", "-"), zone


def _zoned(naive: Any, zone: Any) -> Any:
    """The clock in its zone: UTC by a name, an offset, or a place."""
    upper = zone.upper()
    utc = naive.cast("string") + " UTC"
    offset = upper.re_extract(rf"({OFFSET})$", 1)
    sign = ibis.ifelse(offset.startswith("-"), -1, 1)
    digits = offset.replace(":", "")
    hours, minutes, seconds = (digits.substr(at, 2).nullif("").try_cast("int64").fill_null(0) for at in (1, 3, 5))
    ahead = sign * (hours * 3600 + minutes * 60 + seconds)
    moment = utc.try_cast(TIMESTAMP)
    fine = (hours < 24) & (minutes < 60) & (seconds < 60)
    shifted = ibis.ifelse(fine, (moment - ahead.as_interval("s")).cast(TIMESTAMP), None)
    is_place = zone.contains("/")
    return ibis.ifelse(is_place, _in_place(naive, zone), ibis.ifelse(offset != "", shifted, moment))


def _in_place(naive: Any, zone: Any) -> Any:
    # A zone's name behind the text is understood by DuckDB and Spark alike, and knows daylight saving.
    return (naive.cast("string") + " " + zone).try_cast(TIMESTAMP)


def _from_number(number: Any, unit: str) -> Any:
    per_second = EPOCH_UNITS[unit]
    if number.type().is_integer():
        whole = number.try_cast("int64")
        inside = whole
        if per_second <= 1_000_000:  # in nanoseconds 64 bits end with the year 2262
            inside = ibis.ifelse(whole.between(FIRST_SECOND * per_second, LAST_SECOND * per_second), whole, None)
        rest = inside % per_second
        seconds = ((inside - rest) / per_second).round().cast("int64")  # exact: a multiple
        micros = rest * 1_000_000 // per_second if per_second <= 1_000_000 else (rest - rest % 1000) / 1000
    else:
        exact = number.try_cast("float64")
        inside = ibis.ifelse(exact.abs() < float(LAST_SECOND * per_second), exact, None)
        seconds = (inside / per_second).floor().cast("int64")
        micros = ((inside / per_second - seconds) * 1_000_000).round()
    seconds = ibis.ifelse(seconds.between(FIRST_SECOND, LAST_SECOND), seconds, None)
    return (seconds.as_timestamp("s") + micros.round().cast("int64").as_interval("us")).cast(TIMESTAMP)


def _groups(date_format: str) -> tuple[str, list[str]]:
    """(pattern of the whole text, directive of each of its groups).

    Raises InvalidInput for a directive that is not known, or a format without year, month and day.
    """
    for short, long in WHOLE.items():
        date_format = date_format.replace(f"%{short}", long)
    pattern, groups = "", []
    for part in re.findall(r"%.|[^%]+|%$", date_format):
        if part == "%%":
            pattern += "%"
        elif part.startswith("%"):
            if part[1:] not in DIRECTIVES:
                known = ", ".join(f"%{name}" for name in (*DIRECTIVES, *WHOLE))
                raise InvalidInput(f"date_format has {part!r}, which is none of {known}.")
            pattern += DIRECTIVES[part[1:]]
            groups.append(part[1:])
        else:
            pattern += re.sub(r"\\?\s+", r"\\s+", re.escape(part))
    missing = [
        name for name, any_of in (("year", "Yy"), ("month", "mbB"), ("day", "d")) if not set(any_of) & set(groups)
    ]
    if missing:
        raise InvalidInput(
            f"date_format {date_format!r} has no {', '.join(missing)}; like %m/%d/%Y %H:%M it must say all."
        )
    return rf"^\s*{pattern}\s*$", groups


def _by_format(text: Any, date_format: str) -> tuple[Any, Any]:
    """(local clock as ISO 8601, zone) of a text in the format; null of any other."""
    pattern, groups = _groups(date_format)
    found = {name: text.re_extract(pattern, at) for at, name in enumerate(groups, start=1)}
    year = found.get("Y")
    if year is None:  # as POSIX has it: 69 is 1969, 68 is 2068
        year = ibis.ifelse(found["y"] >= "69", "19", "20") + found["y"]
    month = found.get("m")
    if month is None:
        name = found.get("b", found.get("B")).lower().substr(0, 3)
        month = name.cases(*((short, f"{at:02}") for at, short in enumerate(MONTHS, start=1)), else_="00")
    clock = year + "-" + month + "-" + found["d"] + " " + _hour(found)
    clock = clock + ":" + found.get("M", ibis.literal("00")) + ":" + found.get("S", ibis.literal("00"))
    if "f" in found:
        clock = clock + "." + found["f"]
    matches = text.re_search(pattern)
    return ibis.ifelse(matches, clock, None), found.get("z", ibis.literal(""))


def _hour(found: dict[str, Any]) -> Any:
    if "I" not in found:
        return found.get("H", ibis.literal("00"))
    hour = found["I"].try_cast("int64")
    afternoon = found["p"].lower().startswith("p") if "p" in found else ibis.literal(False)
    counted = hour % 12 + ibis.ifelse(afternoon, 12, 0)
    return ibis.ifelse(hour.between(1, 12), counted, 99).cast("string")  # no hour of any day
