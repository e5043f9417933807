"""A mapping file guessed from names and samples; what is unsure is marked for the reader."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from training.ingest.adapters.event_names import EVENT_NAMES
from training.ingest.column_names import (
    EVENTS,
    FORMATS,
    NUMBERS,
    PRODUCTS,
    UNITS,
    USERS,
    all_read,
    columns_of,
    is_called,
)
from training.ingest.report import FIXES
from training.ingest.sample import Sample
from training.ingest.values.moment_text import WRONG, ZONELESS, Reading, reader
from training.ingest.values.numbers import amount, currencies_in

UNSURE: Final = "# ? "
NEEDED: Final = {"interactions": EVENTS[:4], "products": PRODUCTS[:1], "users": USERS[:1]}
"""What a table must have; the rest is as good as the file."""
CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
DAY: Final = "%Y%m%d"
DAYS: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
"""20240131, in a column that is called a date: by their size alone such numbers may be seconds of 1970."""
EPOCHS: Final = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
"""The least number of each unit that is a moment after 1973."""
SEPARATORS: Final = "|;"
"""Between several categories in one cell."""
OF_THE_SHOP: Final = "the shop's zone, for hours and weekdays: an IANA name like Europe/Paris"
OF_THE_TIMES: Final = "the times carry none: in which zone are they? An IANA name like Europe/Paris"


@dataclass(frozen=True)
class Roles:
    """The file of each table; products and users may be in the file of the events."""

    interactions: Sample
    products: Sample
    users: Sample | None


def guessed_mapping(samples: Sequence[Sample]) -> str:
    """The text of a mapping file for the ecommerce adapter; `# ?` marks what a person must look at."""
    roles = _roles(samples)
    shared = roles.products is roles.interactions
    of_events = columns_of(roles.interactions, EVENTS)
    alone = [of_events[name] for name in EVENTS if name in of_events and name not in PRODUCTS] if shared else []
    of_products = columns_of(roles.products, PRODUCTS, alone)
    lines = [
        "# Guessed from the first rows. Lines marked with `# ?` are unsure: read them, then try",
        "# `tandem ingest --dry-run`.",
        *(line for one in samples for line in _unread(one)),
        *_times(roles.interactions, of_events, clock := _clock(roles.interactions, of_events)),
        *_returns(roles.interactions, of_events),
        *_section(
            "interactions", roles.interactions, of_events, elsewhere=of_products.values() if shared else (), clock=clock
        ),
        *_section("products", roles.products, of_products, shared=shared),
    ]
    if roles.users is not None:
        lines += _section("users", roles.users, columns_of(roles.users, USERS))
    used = (roles.interactions, roles.products, roles.users)
    lines += [
        f"{UNSURE}{one.path.name} is not used: parts of one table belong in a folder"
        for one in samples
        if one not in used
    ]
    return "\n".join(lines) + "\n"


def _roles(samples: Sequence[Sample]) -> Roles:
    def score(one: Sample) -> tuple[int, int]:
        return len(set(EVENTS[:3]) & columns_of(one, EVENTS).keys()), one.rows.num_rows

    interactions = max(samples, key=score)
    others = [one for one in samples if one is not interactions]
    products = [one for one in others if "item_id" in columns_of(one, PRODUCTS) and not _has_key(one, "user_id")]
    free = [one for one in others if not _has_key(one, "item_id") and all(one is not other for other in products)]
    users = [one for one in free if "user_id" in columns_of(one, USERS)]
    return Roles(interactions, products[0] if products else interactions, users[0] if users else None)


def _has_key(one: Sample, ours: str) -> bool:
    """Whether a column is called so; a file with users and items has events, and is no list of either."""
    return any(is_called(ours, column) for column in one.columns)


def _unread(one: Sample) -> Iterator[str]:
    """How many of the first rows are none, and why."""
    for reason, rows in one.faults.items():
        first = f"{rows:,} of the first {one.rows.num_rows:,} rows"
        yield f"{UNSURE}{first} of {one.path.name} are {reason}. {FIXES.get(reason, '')}".rstrip()


def _clock(one: Sample, found: dict[str, str]) -> str | None:
    """A column of clocks, where the column of days has none."""
    days = one.values(found["event_timestamp"]) if "event_timestamp" in found else []
    if not days or any(isinstance(day, datetime) or ":" in str(day) for day in days):
        return None
    free = [column for column in one.columns if column not in found.values()]
    return next((column for column in free if _all_match(CLOCK, one.values(column))), None)


def _all_match(pattern: "re.Pattern[str]", values: Sequence[Any]) -> bool:
    return bool(values) and all(pattern.fullmatch(str(value).strip()) for value in values)


def _times(one: Sample, found: dict[str, str], clock: str | None) -> Iterator[str]:
    if "event_timestamp" not in found:
        return
    values = one.values(found["event_timestamp"])[:100]
    if clock is not None:
        values = [f"{value} {one.values(clock)[0]}" for value in values]
    texts = [str(value) for value in values if isinstance(value, str)]
    written = [str(value) for value in values]
    if values and all(DAYS.fullmatch(text) for text in written):
        yield f"date_format: {json.dumps(DAY)}"
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
    chosen = next((one for one in FORMATS if all_read(one, texts)), None) if WRONG in found else None
    if chosen is not None:
        twin = next((one for one in FORMATS if one != chosen and all_read(one, texts)), None)
        doubt = f"  {UNSURE}{twin} would fit as well: is the month or the day first?" if twin else ""
        yield f"date_format: {json.dumps(chosen)}{doubt}"
    elif WRONG in found:
        yield f"{UNSURE}date_format: how is {texts[0]!r} written? like %m/%d/%Y %H:%M"
    yield f"time_zone: UTC  {UNSURE}{OF_THE_TIMES if ZONELESS in found or chosen else OF_THE_SHOP}"


def _section(
    table: str,
    one: Sample,
    found: dict[str, str],
    *,
    shared: bool = False,
    elsewhere: Collection[str] = (),
    clock: str | None = None,
) -> Iterator[str]:
    """elsewhere: columns of the file that another table is read from. clock: the column next to that of the days."""
    ours = {"interactions": EVENTS, "products": PRODUCTS, "users": USERS}[table]
    decimal, column = _decimal(one)
    yield from _head(table, one, shared=shared)
    if decimal:
        yield f"  decimal: {json.dumps(decimal)}  # as in {json.dumps(column, ensure_ascii=False)}: {one.shown(column)}"
    for name in ours:
        if name in found:
            yield _line(name, found[name], one, decimal, clock)
        elif name in NEEDED[table]:
            yield from _missing(name)
    unused = [column for column in one.columns if column not in (*found.values(), clock)]
    if not shared:
        nowhere = [column for column in unused if column not in elsewhere]
        yield from (f"  # not used: {json.dumps(name, ensure_ascii=False)}  # {one.shown(name)}" for name in nowhere)
    if unused and (free := [name for name in ours if name not in found and name not in NEEDED[table]]):
        yield f"  # a column may be named for each of these, too: {', '.join(free)}"
    if table == "interactions" and "event_type" in found:
        yield from _event_types(one.values(found["event_type"]))


def _head(table: str, one: Sample, *, shared: bool) -> Iterator[str]:
    """What is said of the table as a whole."""
    yield f"{table}:"
    yield f"  file: {json.dumps(one.path.name, ensure_ascii=False)}"
    if one.encoding:
        yield f"  encoding: {one.encoding}  {UNSURE}it is not UTF-8; are the texts below right?"
    if one.rows_of:
        yield f"  rows: {json.dumps(one.rows_of, ensure_ascii=False)}  {UNSURE}is each entry of this list a row?"
    if shared:
        yield f"  repeated: most_frequent  {UNSURE}or `latest` with `latest_by: <a column>`: the file names them often"


def _line(ours: str, column: str, one: Sample, decimal: str, clock: str | None) -> str:
    """Our column's line; in a comment where its values cannot be read, so that the others can."""
    named, shown = json.dumps(column, ensure_ascii=False), one.shown(column)
    if ours in NUMBERS and (odd := _no_number(one.values(column), decimal, money=ours not in UNITS)):
        return f"  {UNSURE}{ours}: {named} would be it, but {odd}: export it like 1234.50, or say `decimal`"
    if ours in NUMBERS and len(several := _currencies(one.values(column), decimal)) > 1:
        return (
            f"  {UNSURE}{ours}: {named} would be it, but it is in {' and '.join(several)}: convert it to one currency"
        )
    if ours == "event_timestamp" and clock is not None:
        return (
            f"  {ours}: {{column: {named}, time: {json.dumps(clock, ensure_ascii=False)}}}  {UNSURE.strip()}  # {shown}"
        )
    separator = next((sign for sign in SEPARATORS if any(sign in str(value) for value in one.values(column))), None)
    if ours == "category" and separator is not None:
        doubt = f"  {UNSURE}several in one cell?"
        return f"  {ours}: {{column: {named}, separator: {json.dumps(separator)}}}{doubt}  # {shown}"
    return f"  {ours}: {named}{'' if is_called(ours, column) else f'  {UNSURE.strip()}'}  # {shown}"


def _no_number(values: Sequence[Any], decimal: str, *, money: bool) -> str | None:
    """What is wrong with the first text that is none."""
    texts = (value for value in values if isinstance(value, str) and value.strip())
    odd = next((text for text in texts if amount(text, decimal, money=money) is None), None)
    if odd is None:
        return None
    either = all(amount(odd, sign, money=money) is not None for sign in ".,")
    return f"{odd!r} may be two numbers" if either else f"{odd!r} is no number that can be read"


def _returns(one: Sample, found: dict[str, str]) -> Iterator[str]:
    column = found.get("quantity")
    if column is not None and any(str(value).strip().startswith("-") for value in one.values(column)):
        named = json.dumps(column, ensure_ascii=False)
        yield f"returns: cancel  {UNSURE}{named} has negative numbers: returns? `ignore` leaves them out"


def _decimal(one: Sample) -> tuple[str, str]:
    """(the sign before decimals, where a mapping must say it; the first column whose numbers need it)."""
    for column in one.columns:
        texts = [value for value in one.values(column) if isinstance(value, str) and value.strip()]
        if len(texts) < len(one.values(column)) or not texts or _all_read(texts, ""):
            continue
        fits = [sign for sign in ".," if _all_read(texts, sign)]
        if len(fits) == 1:
            return fits[0], column
    return "", ""


def _all_read(texts: Sequence[str], decimal: str) -> bool:
    return all(amount(text, decimal, money=True) is not None for text in texts)


def _currencies(values: Sequence[Any], decimal: str) -> list[str]:
    return sorted(name for name in currencies_in(dict.fromkeys(map(str, values), 1), decimal) if name)


def _missing(name: str) -> Iterator[str]:
    if name == "event_type":
        yield f"  event_type: {{value: purchase}}  {UNSURE}no column says it: is every row a purchase?"
    else:
        yield f"  {UNSURE}{name}: no column looks like it; name yours here, as in `{name}: COLUMN`"


def _event_types(values: Sequence[Any]) -> Iterator[str]:
    own = [str(value) for value in values[:50] if str(value).lower() not in EVENT_NAMES]
    if own:
        yield "event_types:"
        yield from (f"  {json.dumps(value, ensure_ascii=False)}: view  {UNSURE}which event is it?" for value in own)
