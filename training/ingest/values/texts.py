"""Texts and ids out of columns of any type, with the value that was written."""

from typing import Any

import ibis

EXACT = 2**53
"""Whole numbers up to here are exact in a float64."""


def as_text(value: Any) -> Any:
    """The column as strings. Empty ones and blanks alone are null: else all guests were one user with the name " ".

    A float that is a whole number loses its `.0`, which pandas has added.
    """
    kind = value.type()
    if kind.is_floating():
        text = ibis.ifelse(is_whole(value), value.try_cast("int64").cast("string"), value.cast("string"))
        return ibis.ifelse(value.isnan(), None, text)
    text = value.cast("string")
    if kind.is_decimal():
        return _whole(text)
    return ibis.ifelse(text.strip() == "", None, text)


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
