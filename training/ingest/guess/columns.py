"""Which of a file's columns is which of ours, by its name and its values."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from training.ingest.guess.sample import Sample, is_nested
from training.ingest.guess.words import (
    MAIL,
    NUMBERED,
    ends_in,
    has_word,
    is_called,
    is_key_of,
    is_of_an_item,
    plain,
    whole_names,
)
from training.ingest.values.moment_text import WRONG, Reading, reader
from training.ingest.values.numbers import amount

EVENTS: Final = ("user_id", "item_id", "event_timestamp", "event_type", "basket_id", "quantity", "price")
PRODUCTS: Final = ("item_id", "title", "category", "subcategory", "department", "brand", "price")
USERS: Final = ("user_id", "age_band", "gender", "region")
UNITS: Final = ("quantity",)
NUMBERS: Final = (*UNITS, "price")
DATES: Final = (
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y%m%d",
    "%Y.%m.%d", "%Y年%m月%d日", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%m-%d-%y", "%d-%b-%y", "%d %b %y",
)  # fmt: skip
CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S.%f")
FORMATS: Final = (
    *DATES,
    *(f"{day}{between}{clock}" for between in (" ", ", ") for clock in CLOCKS for day in DATES),
    *("%Y年%m月%d日 %H時%M分", "%Y年%m月%d日 %H時%M分%S秒"),
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z"),
)
"""How times are written that are not ISO 8601; the month comes first where both would fit."""
EVENTFUL: Final = re.compile(
    "view|click|look|purchas|buy|bought|order|sale|sold|charge|refund|return|cart|basket|like|favo|wish|visit|search|"
    "play|session|scroll|engage",
    re.IGNORECASE,
)
ORDER_NAME: Final = re.compile(r"#\s?\d+")


def columns_of(one: Sample, ours: Sequence[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Our column to the file's, found by names first and by values next; each is taken once, and none of `taken`."""
    found: dict[str, str] = {}
    plain_columns = [column for column in one.columns if column not in taken and not _holds_nested(one, column)]
    for name, fits in _ways(one, ours):
        free = [column for column in plain_columns if column not in found.values()]
        if name in ours and name not in found and (matching := [column for column in free if fits(column)]):
            found[name] = min(matching, key=partial(_doubt, name, one))
    return found


def _ways(one: Sample, ours: Sequence[str]) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """(our column, what a column of the file is like that may be it), the surest first."""
    yield from ((name, partial(is_of_an_item, name)) for name in ours)
    yield from ((name, partial(_is_called_and_may_be, name, one)) for name in ours)
    yield from ((name, partial(is_key_of, name)) for name in NUMBERED)
    yield from ((name, partial(ends_in, name)) for name in NUMBERED)
    yield from ((name, partial(_is_key_of_file, name, one)) for name in NUMBERED)
    yield "event_timestamp", lambda column: _may_be("event_timestamp", one, column) or _are_times(one, column)
    yield "event_timestamp", partial(has_word, "event_timestamp")
    yield from ((name, partial(_may_be, name, one)) for name in ours)
    yield "user_id", lambda column: plain(column) in MAIL
    yield "basket_id", lambda column: all_match(ORDER_NAME, one.values(column))


def all_read(date_format: str, texts: Sequence[str]) -> bool:
    """Whether each text is a moment in the format."""
    read = reader(Reading(time_zone="UTC", date_format=date_format))
    return all(read(text) != WRONG for text in texts)


def formats_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The fewest formats that read all texts, at most two: a shop's programs change. Empty where none do."""
    if found := next((one for one in FORMATS if all_read(one, texts)), None):
        return (found,)
    pairs = [
        (one, other)
        for one in FORMATS
        if all_read(one, texts[:1])
        for rest in [[text for text in texts if not all_read(one, [text])]]
        for other in FORMATS
        if all_read(other, rest)
    ]
    # A program that begins to write 31-12-2024 for 12/31/2024 is rarer than one that changes the sign between.
    return min(pairs, key=lambda pair: _order(pair[0]) != _order(pair[1]), default=())


def _order(date_format: str) -> tuple[bool, ...]:
    """Whether the day comes before the month, and the year before the day."""
    day = date_format.index("%d")
    month = max(date_format.find("%m"), date_format.find("%b"))
    return day < month, max(date_format.find("%Y"), date_format.find("%y")) < day


def _holds_nested(one: Sample, column: str) -> bool:
    return any(is_nested(value) for value in one.values(column))


def _is_called_and_may_be(ours: str, one: Sample, column: str) -> bool:
    """An event's name is a type of event where some value says what was done."""
    doubtful = ours == "event_type" and plain(column).endswith("name")
    return is_called(ours, column) and (not doubtful or _are_events(one.values(column)))


def _is_key_of_file(ours: str, one: Sample, column: str) -> bool:
    """Whether it is the id of a file of such things: of customers.csv who bought."""
    return any(is_called(ours, name) for name in whole_names(one.path.stem, column))


def _may_be(ours: str, one: Sample, column: str) -> bool:
    """Whether a word of ours is in the column's name; a country, which has no numbers, is not a count."""
    values = one.values(column)
    if not has_word(ours, column):
        return False
    if ours in NUMBERS:
        return _are_numbers(values) and not _are_moments(values)
    if ours == "event_timestamp":
        return _are_times(one, column)
    return ours != "event_type" or _are_events(values)


def _are_events(values: Sequence[Any]) -> bool:
    return 0 < len(values) <= 2 * sum(EVENTFUL.search(str(value)) is not None for value in values)


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(
        re.fullmatch(r"[^A-Za-z]*\d[^A-Za-z]*", str(value))
        or any(amount(str(value), sign, money=True) for sign in ".,")
        for value in values
    )


def all_match(pattern: "re.Pattern[str]", values: Sequence[Any]) -> bool:
    """Whether there are values, and each is in the pattern."""
    return bool(values) and all(pattern.fullmatch(str(value).strip()) for value in values)


def _are_times(one: Sample, column: str) -> bool:
    return _are_moments(one.values(column))


def _are_moments(values: Sequence[Any]) -> bool:
    """Whether all of them are dates by their type or by how they are written, whatever their column is called."""
    if values and all(isinstance(value, date) for value in values):  # a datetime is one, too
        return True
    texts = [value for value in values if isinstance(value, str) and re.search(r"\d\D+\d", value)]
    if not texts or len(texts) < len(values):
        return False
    return all_read("", texts) or bool(formats_of(texts))


def _doubt(ours: str, one: Sample, column: str) -> tuple[bool, bool]:
    """How doubtful the column is. Of times: (whether some are still to come, whether they are days alone)."""
    if ours != "event_timestamp":
        return ours == "title" and "desc" in plain(column), False  # a name is a better title than a description
    values = one.values(column)
    texts = [_in_utc(value) for value in values]
    ahead = any(text > f"{datetime.now(UTC):%Y-%m-%d %H:%M}" for text in texts if text != WRONG)
    return ahead, bool(values) and all(_is_day(value) for value in values)


def _in_utc(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return reader(Reading(time_zone="UTC"))(value) if isinstance(value, str) else WRONG


def _is_day(value: Any) -> bool:
    return not isinstance(value, datetime | int | float) and len(str(value)) <= len("2024-01-31")
