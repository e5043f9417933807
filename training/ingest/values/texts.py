"""Texts, ids and numbers out of columns of any type, with the value that was written."""

from typing import Any

import ibis

POINT_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
COMMA_NUMBER = r"^\s*[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d+)?\s*$"
EXACT = 2**53
"""Whole numbers up to here are exact in a float64."""


def as_text(value: Any) -> Any:
    """The column as strings, empty as null; a float that is a whole number loses its `.0`, which pandas has added."""
    kind = value.type()
    if kind.is_floating():
        text = ibis.ifelse(is_whole(value), value.try_cast("int64").cast("string"), value.cast("string"))
        return ibis.ifelse(value.isnan(), None, text)
    text = value.cast("string")
    if kind.is_decimal():
        return _whole(text)
    return text.nullif("")


def as_id(value: Any) -> Any:
    """Texts; `13085.0` is 13085 in a text file too: a column of whole numbers with a gap is written so."""
    text = as_text(value)
    return _whole(text) if value.type().is_string() else text


def _whole(text: Any) -> Any:
    return ibis.ifelse(text.re_search(r"^[+-]?\d+\.0+$"), text.split(".")[0], text)


def is_whole(number: Any) -> Any:
    """Whether a float is a whole number that it holds exactly; null for null.

    Only of these the floor is taken: engines make it a 64-bit number, and stop where one is too large for that.
    """
    inside = number.abs() < float(EXACT)
    return (inside & (ibis.ifelse(inside, number, 0.0).floor() == number)).fill_null(False)


def as_number(value: Any, decimal: str) -> Any:
    """The column as float64; null for a null, an infinite number, and a text that is not a number."""
    kind = value.type()
    if kind.is_numeric() and not kind.is_boolean():
        number = value.try_cast("float64")
    else:
        text = value.cast("string").strip()
        if decimal == ",":
            readable = text.re_search(COMMA_NUMBER) & text.re_search(r"\d")
            text = text.replace(".", "").replace(",", ".")
        else:
            readable = text.re_search(POINT_NUMBER)
        number = ibis.ifelse(readable, text.try_cast("float64"), None)
    return ibis.ifelse(number.isnan() | number.isinf(), None, number)
