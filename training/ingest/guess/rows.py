"""What the rows of a file are, as lines of its mapping: lists, orders of several lines, days that only paths say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from training.ingest.adapters.follow_ups import FILL, KEY
from training.ingest.files.delimited import looks_like_a_row
from training.ingest.guess.sample import PHP, UNSURE, Sample, quoted
from training.ingest.guess.times import DAYS
from training.ingest.report import FIXES

SEPARATORS: Final = "|;"
"""Between several items, or several categories, in one cell."""
ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def unread_lines(one: Sample) -> Iterator[str]:
    """Which parts of the file are not a row or a value, and why."""
    for reason, rows in one.faults.items():
        first = f"{rows:,} of the first {one.rows.num_rows:,} rows"
        yield f"{UNSURE}{first} of {one.path.name} are {reason}. {FIXES.get(reason, '')}".rstrip()
    if looks_like_a_row(one.columns):
        yield (
            f"{UNSURE}the first line of {one.path.name} looks like a row. If it has no names of columns, say them as "
            'they would stand there, below `file:`, as in header: "user_id::item_id::at"'
        )
    for name in one.columns:
        if any(PHP.match(str(value)) for value in one.values(name)):
            yield (
                f"{UNSURE}{quoted(name)} of {one.path.name} is written by PHP's serialize(), which is not read. Export "
                f"it by json_encode(); then `rows: {quoted(name)}` makes a row of each entry"
            )


def list_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """The column of which each entry is a row."""
    if one.rows_of:
        yield f"  rows: {quoted(one.rows_of)}  {UNSURE}is each entry of this list a row?"
    elif (separator := separator_in(one, found.get("item_id", ""))) is not None:
        yield (
            f"  rows: {{column: {quoted(found['item_id'])}, separator: {quoted(separator)}}}  "
            f"{UNSURE}several in one cell: is each entry a row?"
        )


def separator_in(one: Sample, column: str) -> str | None:
    """What stands between several values in one cell."""
    if column not in one.columns:
        return None
    return next((sign for sign in SEPARATORS if any(sign in str(value) for value in one.values(column))), None)


def order_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """Whether the further lines of an order leave its user blank."""
    if "user_id" in found and "basket_id" in found:
        users, orders = (one.rows.column(found[name]).to_pylist() for name in ("user_id", "basket_id"))
        if _lines_to_fill(users, orders):
            yield f"{KEY}: {FILL}  {UNSURE}some lines leave the user blank that other lines of their order name"


def identity_lines(one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    """A line where a column is called event_id and does not tell rows apart."""
    if "event_id" in one.columns and "event_id" not in found.values():
        ids = one.rows.column("event_id").to_pylist()
        if len(set(ids)) < len(ids):
            yield f'  event_id: {{value: ""}}  {UNSURE}"event_id" names several rows: map what names one, if any does'


def path_of_days(one: Sample) -> str | None:
    """The pattern by which the folders or the names of the parts say the day; None where they say none."""
    parts = sorted(path for path in one.path.rglob("*") if path.is_file()) if one.path.is_dir() else []
    *folders, name = parts[0].relative_to(one.path).parts if parts else (one.parts or (one.path.name,))[:1]
    keys = {key: value for key, sign, value in (one.partition("=") for one in folders) if sign}
    if {"year", "month", "day"} <= keys.keys():
        return "year=*/month=*/day=*"
    if day := next((key for key, value in keys.items() if _is_day(value)), None):
        return f"{day}=*"
    if days := [one for one in folders if _is_day(one)]:
        return "*" if days == folders[:1] else None
    found = ISO_DAY.search(name) or DAYS.search(name)
    return name.replace(found[0], "*") if found else None


def _is_day(value: Any) -> bool:
    return bool(ISO_DAY.fullmatch(value) or DAYS.fullmatch(value))


def _lines_to_fill(users: Sequence[Any], orders: Sequence[Any]) -> bool:
    """Whether some of the lines leave their user blank, and are of orders that name it elsewhere."""
    blank = {order for user, order in zip(users, orders, strict=True) if user in (None, "") and order not in (None, "")}
    return any(order in blank for user, order in zip(users, orders, strict=True) if user not in (None, ""))
