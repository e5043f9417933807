"""One text to one moment in UTC: ISO 8601, a number since 1970, or a format that the mapping says.

A text is read only where all of it is understood. Engines guess: DuckDB takes 24-01-05 for the year 24, and a zone that
it does not know for none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from contracts.errors import InvalidInput

EPOCH_UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}  # per second
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WRONG, ZONELESS = "wrong", "zoneless"
"""What stands in place of a moment."""
OR = " | "
"""Between the formats of a column that was written in several ways."""

UTC_NAMES = r"[Zz]|[Uu][Tt][Cc]?|[Gg][Mm][Tt]|[Zz][Uu][Ll][Uu]"
# An abbreviation such as EST or CST is one of several zones: it is not understood.
ZONE = rf"(?:{UTC_NAMES})?(?P<sign>[+-])(?P<oh>\d{{2}})(?::?(?P<om>\d{{2}})(?::?(?P<os>\d{{2}}))?)?"
ZONE = rf"(?:{ZONE}|(?P<utc>{UTC_NAMES})|(?P<place>[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+))"
ISO = re.compile(
    r"(?P<Y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
    rf"(?:[T ](?P<H>\d{{1,2}}):(?P<M>\d{{2}})(?::(?P<S>\d{{1,2}})(?:[.,](?P<f>\d{{1,9}}))?)?\s*{ZONE}?)?"
)
NUMBER = re.compile(r"[+-]?(?:\d{1,20}\.?\d{0,12}|\.\d{1,12})(?:[eE][+-]?\d{1,2})?")

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
MONTH_OF = {name[:letters]: at for at, name in enumerate(MONTHS, 1) for letters in (3, len(name))} | {"sept": 9}
"""By whole names and usual abbreviations alone: marraskuu is November in Finnish, and no March."""
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3,9})",
    "B": r"(?P<b>[A-Za-z]{3,9})",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "z": ZONE,
    "a": r"[A-Za-z]+",
    "A": r"[A-Za-z]+",
}
"""Of strftime; %a and %A, names of weekdays, are passed over."""
FULL_WIDTH = {name: f"(?P<{name}>\\d{{{width}}})" for name, width in {**dict.fromkeys("mdHIMS", 2), "f": 6}.items()}
"""Of directives with a digit next to them: 1012024 may be the first of October, or the tenth of January."""
WHOLE = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "e": "%d"}


@dataclass(frozen=True)
class Reading:
    """What the mapping says of one column of moments."""

    time_zone: str = ""  # IANA name, of clocks without a zone
    epoch_unit: str = ""  # of numbers
    date_format: str = ""  # of texts that are no ISO 8601; several with OR between them

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, in the order in which they are tried."""
        return tuple(self.date_format.split(OR)) if self.date_format else ()

    def __post_init__(self) -> None:
        """Raises InvalidInput for an unknown zone, unit or directive."""
        if self.epoch_unit and self.epoch_unit not in EPOCH_UNITS:
            raise InvalidInput(f"epoch_unit is {self.epoch_unit!r}, expected one of {', '.join(EPOCH_UNITS)}.")
        if self.time_zone and place(self.time_zone) is None:
            raise InvalidInput(f"time_zone is {self.time_zone!r}, expected an IANA name like Europe/Paris or UTC.")
        for one in self.formats:
            pattern_of(one)


def reader(reading: Reading) -> Callable[[str], str]:
    """`moment_in_utc` of one column, which can be sent to another process."""
    return partial(moment_in_utc, reading)


@lru_cache(maxsize=200_000)  # logs have days, or many events a second
def moment_in_utc(reading: Reading, text: str) -> str:
    """A text's moment, spelt in UTC, or WRONG or ZONELESS; empty for a text without content."""
    stripped = text.strip()
    if not stripped:
        return ""
    shop = place(reading.time_zone) if reading.time_zone else None
    matches = [match for pattern in (*map(pattern_of, reading.formats), ISO) if (match := pattern.fullmatch(stripped))]
    if matches:
        found = (_moment(match.groupdict(), shop) for match in matches)
        return next((moment for moment in found if moment != WRONG), WRONG)
    if reading.epoch_unit and NUMBER.fullmatch(stripped):
        return _since_1970(Decimal(stripped), reading.epoch_unit)
    return WRONG


@lru_cache(maxsize=1000)
def place(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; None for an unknown name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        return None


def _moment(found: dict[str, str | None], shop: tzinfo | None) -> str:
    """A clock that is there twice, as summer time ends, is the first of the two.

    One that is there never, as it begins, is as long after the change as it says: 02:30 is 03:30.
    """
    try:
        zone = _zone(found)
        hour = _hour(found)
        micros = int((found.get("f") or "0")[:6].ljust(6, "0"))
        day = (_year(found), _month(found), int(found["d"] or 0))
        clock = datetime(*day, hour, int(found.get("M") or 0), int(found.get("S") or 0), micros)
        if zone is None and shop is None:
            return ZONELESS
        return _spelt(clock.replace(tzinfo=zone or shop).astimezone(UTC))
    except (ValueError, OverflowError):
        return WRONG


def _zone(found: dict[str, str | None]) -> tzinfo | None:
    """The zone that a text names, or None. Raises ValueError for an unknown zone."""
    if found.get("utc"):
        return UTC
    if name := found.get("place"):
        zone = place(name)
        if zone is None:
            raise ValueError(name)
        return zone
    if not found.get("sign"):
        return None
    hours, minutes, seconds = (int(found.get(part) or 0) for part in ("oh", "om", "os"))
    if minutes > 59 or seconds > 59:
        raise ValueError(f"offset of {minutes} minutes")
    ahead = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-ahead if found["sign"] == "-" else ahead)


def _year(found: dict[str, str | None]) -> int:
    if found.get("Y"):
        return int(found["Y"] or 0)
    short = int(found["y"] or 0)  # as POSIX has it: 69 is 1969, 68 is 2068
    return short + (1900 if short >= 69 else 2000)


def _month(found: dict[str, str | None]) -> int:
    name = found.get("b")
    if not name:
        return int(found["m"] or 0)
    if name.lower() not in MONTH_OF:
        raise ValueError(name)
    return MONTH_OF[name.lower()]


def _hour(found: dict[str, str | None]) -> int:
    """The hour of 24. Raises ValueError where it is none of the half of the day that stands next to it."""
    hour, half = int(found.get("I") or found.get("H") or 0), (found.get("p") or "")[:1].lower()
    if not half:
        return hour
    later = 12 if half == "p" else 0
    if 1 <= hour <= 12:  # of %H as well: 1:30 PM says what it is
        return hour % 12 + later
    if found.get("I") or hour // 12 * 12 != later:
        raise ValueError(f"hour {hour} {half}m")
    return hour


def _since_1970(number: Decimal, unit: str) -> str:
    try:
        return _spelt(EPOCH + timedelta(microseconds=int(number * 1_000_000 / EPOCH_UNITS[unit] // 1)))
    except (ArithmeticError, ValueError):  # of Decimal, too, beyond its 28 digits
        return WRONG


def _spelt(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}+00:00" if moment.year >= 1000 else WRONG


@lru_cache(maxsize=200)
def pattern_of(date_format: str) -> "re.Pattern[str]":
    """The pattern of a whole text.

    Raises InvalidInput for a directive that is not known or comes twice, or a format without year, month and day.
    """
    for short, long in WHOLE.items():
        date_format = date_format.replace(f"%{short}", long)
    pattern, used = "", []
    parts = re.findall(r"%.|[^%]+|%$", date_format)
    for part, before, behind in zip(parts, ["", *parts], [*parts[1:], ""], strict=False):
        if part.startswith("%") and part != "%%":
            if part[1:] not in DIRECTIVES or part[1:] in used:
                known = ", ".join(f"%{name}" for name in (*DIRECTIVES, *WHOLE))
                raise InvalidInput(f"date_format has {part!r}, which is none of {known}, or comes twice.")
            name = part[1:]
            # A fraction of a second lacks noughts at its end alone, where they say nothing.
            tight = _is_digit(behind, first=True) or (name != "f" and _is_digit(before, first=False))
            pattern += FULL_WIDTH[name] if tight and name in FULL_WIDTH else DIRECTIVES[name]
            used.append(name)
        else:
            pattern += re.sub(r"(\\\s)+", r"\\s+", re.escape(part.replace("%%", "%")))
    missing = [name for name, of in (("year", "Yy"), ("month", "mbB"), ("day", "d")) if not set(of) & set(used)]
    if missing:
        raise InvalidInput(f"date_format {date_format!r} has no {', '.join(missing)}: it must be like %m/%d/%Y %H:%M.")
    if "I" in used and "p" not in used:
        raise InvalidInput(
            f"date_format {date_format!r} has %I, an hour of twelve, without %p: for hours of 24 write %H."
        )
    return re.compile(pattern)


def _is_digit(part: str, *, first: bool) -> bool:
    """Whether a part of a format, a directive or text, stands for a digit at its beginning, or at its end."""
    if part.startswith("%"):
        return part[1:] in ("Y", "y", *FULL_WIDTH)
    return (part[:1] if first else part[-1:]).isdigit()
