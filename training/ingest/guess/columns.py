"""Which of a file's columns is which of ours, by its name and its values."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from training.ingest.guess.sample import Sample, is_nested
from training.ingest.guess.words import MAIL, NUMBERED, ends_in, has_word, is_called, is_key_of, is_of_an_item, plain
from training.ingest.values.moment_text import WRONG, Reading, reader
from training.ingest.values.numbers import amount

EVENTS: Final = ("user_id", "item_id", "event_timestamp", "event_type", "basket_id", "quantity", "price")
PRODUCTS: Final = ("item_id", "title", "category", "subcategory", "department", "brand", "price")
USERS: Final = ("user_id", "age_band", "gender", "region")
UNITS: Final = ("quantity",)
NUMBERS: Final = (*UNITS, "price")
FORMATS: Final = (
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%Y %H:%M", "%m-%d-%Y %H:%M",
    "%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%d-%b-%Y", "%d-%b-%Y %H:%M", "%d %b %Y", "%d %b %Y %H:%M",
    "%b %d, %Y", "%b %d, %Y %H:%M", "%b %d, %Y %I:%M %p", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S", "%Y.%m.%d",
    "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S", "%Y年%m月%d日", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H時%M分", "%Y年%m月%d日 %H時%M分%S秒", "%a %b %d %H:%M:%S %z %Y",
)  # fmt: skip
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
    yield "event_timestamp", lambda column: _may_be("event_timestamp", one, column) or _are_times(one, column)
    yield "event_timestamp", partial(has_word, "event_timestamp")
    yield from ((name, partial(_may_be, name, one)) for name in ours)
    yield "user_id", lambda column: plain(column) in MAIL
    yield "basket_id", lambda column: all_match(ORDER_NAME, one.values(column))


def all_read(date_format: str, texts: Sequence[str]) -> bool:
    """Whether each text is a moment in the format."""
    read = reader(Reading(time_zone="UTC", date_format=date_format))
    return all(read(text) != WRONG for text in texts)


def _holds_nested(one: Sample, column: str) -> bool:
    return any(is_nested(value) for value in one.values(column))


def _is_called_and_may_be(ours: str, one: Sample, column: str) -> bool:
    """An event's name is a type of event where some value says what was done."""
    doubtful = ours == "event_type" and plain(column).endswith("name")
    return is_called(ours, column) and (not doubtful or _are_events(one.values(column)))


def _may_be(ours: str, one: Sample, column: str) -> bool:
    """Whether a word of ours is in the column's name; a country, which has no numbers, is not a count."""
    values = one.values(column)
    if not has_word(ours, column):
        return False
    if ours in NUMBERS:
        return _are_numbers(values) and not _are_moments(values[:100])
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
    return _are_moments(one.values(column)[:100])


def _are_moments(values: Sequence[Any]) -> bool:
    """Whether all of them are dates by their type or by how they are written, whatever their column is called."""
    if values and all(isinstance(value, date) for value in values):  # a datetime is one, too
        return True
    texts = [value for value in values if isinstance(value, str) and re.search(r"\d\D+\d", value)]
    if not texts or len(texts) < len(values):
        return False
    return all_read("", texts) or any(all_read(date_format, texts) for date_format in FORMATS)


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
