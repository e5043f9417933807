"""Texts and ids out of columns of any type, with the value that was written."""

from typing import Any

import ibis

from contracts.events.schema import LIST_SEPARATOR
from training.ingest.files.json_lines import as_text as json_text
from training.ingest.files.literals import nested_value
from training.ingest.values.text_function import text_function

BLANKS = " \t\n\r\v\f"
"""What the engine strips."""
EXACT = 2**53
"""Whole numbers up to here are exact in a float64."""


def is_given(value: Any) -> Any:
    """Whether each value says anything: null, blanks alone and NaN, as pandas writes what is missing, do not."""
    if value.type().is_string():
        return (value.strip() != "").fill_null(False)
    return (value.notnull() & ~value.isnan()) if value.type().is_floating() else value.notnull()


def as_text(value: Any) -> Any:
    """The column as strings. Empty ones and blanks alone are null: else all guests were one user with the name " ".

    A float that is a whole number loses its `.0`, which pandas has added.
    """
    kind = value.type()
    if kind.is_floating():
        text = ibis.ifelse(is_whole(value), value.try_cast("int64").cast("string"), value.cast("string"))
        return ibis.ifelse(is_given(value), text, None)
    text = value.cast("string")
    if kind.is_decimal():
        return _whole(text)
    return ibis.ifelse(text.strip() == "", None, text)


def as_terms(value: Any, separator: str = "") -> Any:
    """The column as texts in which several values stand in the contract's form, whatever the file lists them by.

    They may be an array, a list as JSON or Python writes one, or stand apart by the separator.
    """
    kind = value.type()
    if kind.is_array() and not kind.value_type.is_nested():
        parts = value.map(as_text).filter(lambda part: part.notnull()).map(lambda part: part.strip())
        return parts.join(LIST_SEPARATOR).nullif("")
    text = as_text(value)
    apart = _joined(text.split(separator)) if separator else text
    return ibis.ifelse(text.strip().startswith("["), _list_reader(separator)(text), apart).nullif("")


def _joined(parts: Any) -> Any:
    return parts.map(lambda part: part.strip()).filter(lambda part: part != "").join(LIST_SEPARATOR)


def _list_reader(separator: str) -> Any:
    return text_function(lambda text: LIST_SEPARATOR.join(_terms(text, separator)))


def _terms(text: str, separator: str) -> list[str]:
    """The entries of a list of plain values; of any other text, like one that only begins with a bracket, its parts."""
    try:
        found = nested_value(text)
    except ValueError:
        found = None
    if isinstance(found, list) and all(one is None or isinstance(one, str | bool) for one in found):
        entries = [json_text(one) or "" for one in found]
    else:
        entries = text.split(separator) if separator else [text]
    return [part for entry in entries if (part := entry.strip(BLANKS))]


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
