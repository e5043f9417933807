"""Single cells: how each is spelt, and what it must be read as; BAD where it says nothing that can be used."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

Draw = Callable[..., Any]
"""Hypothesis' `draw`, of a strategy or of `data()`."""
BAD = "BAD"
"""Stands for a cell that costs its row."""
ODD = "\"',;\t|[]{}\\/#?%&=+-_. \nabcxyzABC0123456789äßéÑ日本\u200d\U0001f389\u0130"


@dataclass(frozen=True)
class Cell:
    """What the file holds and what is right."""

    written: Any
    right: Any


def texts(longest: int = 12) -> st.SearchStrategy[str]:
    """Anything that a shop might call something; no half of a character, which only JSON can spell."""
    return st.text(
        st.one_of(st.sampled_from(ODD), st.characters(codec="utf-8", exclude_characters="\x00\r")), max_size=longest
    )


def _id_of(text: str) -> Any:
    """A whole number that was a float is the number; nothing is null, and neither are blanks alone."""
    return _text_of(re.sub(r"^([+-]?[0-9]+)\.0+$", r"\1", text))


def _text_of(text: str) -> Any:
    return text if text.strip(" \t\n\r\v\f") else None


ids = texts().map(lambda text: Cell(text or None, _id_of(text)))
plain_ids = st.one_of(st.integers(0, 10**6).map(str), st.sampled_from(["13085.0", "0.5", "a-b", "b-c", "a", "c"]))
ids = st.one_of(ids, plain_ids.map(lambda text: Cell(text, _id_of(text))))
free_texts = texts(30).map(lambda text: Cell(text or None, _text_of(text)))

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2025, 12, 31))


COMPACT = "%Y%m%d %H%M %z"
"""The format that a mapping says of moments in which nothing keeps the digits apart."""


@st.composite
def moments(draw: st.DrawFn, *, compact: bool = False) -> Cell:
    """With a zone, without one (which is bad where the mapping names none), or no moment at all.

    compact: the mapping says COMPACT; an hour that has lost its nought is bad.
    """
    at = draw(MOMENTS)
    spellings = ["Z", "z", "utc", "offset", "seconds", "bare", "day", "short year", "zone", "none", "word"]
    spelling = draw(st.sampled_from([*spellings, *(["compact", "lost nought"] if compact else [])]))
    if spelling == "compact" or (spelling == "lost nought" and at.hour > 9):
        return Cell(f"{at:%Y%m%d %H%M} +0000", at.replace(second=0, microsecond=0, tzinfo=UTC))
    if spelling in ("Z", "z"):
        return Cell(at.isoformat() + spelling, at.replace(tzinfo=UTC))
    if spelling == "utc":
        return Cell(f"{at:%Y-%m-%d %H:%M:%S} UTC", at.replace(microsecond=0, tzinfo=UTC))
    if spelling in ("offset", "seconds"):
        ahead = timedelta(minutes=draw(st.integers(-720, 840)), seconds=30 if spelling == "seconds" else 0)
        local = at.replace(tzinfo=timezone(ahead))
        return Cell(local.isoformat(" "), local.astimezone(UTC))
    wrong = {
        "bare": at.isoformat(" "),
        "day": f"{at:%Y-%m-%d}",
        "short year": f"{at:%y-%m-%d %H:%M}",
        "zone": f"{at:%Y-%m-%d %H:%M:%S} EST",
        "word": "soon",
        "lost nought": f"{at:%Y%m%d} {at.hour}{at:%M} +0000",
    }
    return Cell(wrong[spelling], BAD) if spelling in wrong else Cell(None, None)


quantities = st.one_of(
    st.integers(-5, 10**6).map(lambda number: Cell(str(number), number)),
    st.sampled_from([Cell(None, 1), Cell("1.5", BAD), Cell("two", BAD), Cell("1e400", BAD), Cell("3.0", 3)]),
    st.just(Cell("9" * 5000, BAD)),
)
prices = st.one_of(
    st.floats(0, 1e9, allow_nan=False).map(lambda number: Cell(repr(number), number)),
    st.sampled_from([Cell(None, None), Cell("1,5", BAD), Cell("nan", BAD), Cell("0x1F", BAD), Cell("1_0", BAD)]),
)


class Real(float):
    """A number that is one in JSON and Parquet; where the mapping says a decimal comma, text has it with one."""


comma_prices = st.one_of(
    st.floats(0, 1e9, allow_nan=False).map(lambda number: Cell(Real(number), number)),
    st.sampled_from([Cell(None, None), Cell("1.234", 1234.0), Cell("1,5", 1.5), Cell("1.5", BAD), Cell("nan", BAD)]),
)
"""Of a shop whose mapping says a decimal comma."""
event_types = st.sampled_from(
    [Cell("purchase", "purchase"), Cell("View", "view"), Cell("add_to_cart", "cart_add"), Cell("teleport", "teleport"),
     Cell("\u0130NCELE ", "view"), Cell("\u03b1\u03b3\u03bf\u03c1\u03b1\u03c2", "purchase"), Cell("Column", "like")]
)  # fmt: skip
EVENT_NAMES = {
    "event_types.\u0130ncele": "view",
    "event_types.\u0391\u0393\u039f\u03a1\u0391\u03a3": "purchase",
    "event_types.column": "like",
}
"""What the mapping says of the names that are not ours: capitals of Turkish and Greek, and a word of mappings."""
deep = st.integers(101, 3000).map(lambda depth: "[" * depth + "]" * depth)
"""JSON that nests deeper than anybody reads."""


def _several(entries: list[str | None]) -> Cell:
    parts = [part for entry in entries if (part := (entry or "").strip(" \t\n\r\v\f"))]
    return Cell(entries, " | ".join(parts) or None)


categories = st.one_of(st.lists(st.one_of(st.none(), texts()), max_size=4).map(_several), st.just(Cell(None, None)))
"""Of several values in a list."""
