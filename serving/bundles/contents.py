"""What files of a bundle must hold before they become its parts: texts that can be written, a row for each item."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from contracts.bundle.manifest import Manifest
from contracts.errors import BundleRefused


def check_rows(manifest: Manifest, items: int, matrices: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raises BundleRefused for a matrix of items without a row for each: only a list with a missing one would show it.

    items: ids of the catalogue.
    """
    faults = [
        f"{len(matrix)} rows of {name}, {items} item ids" for name, matrix in matrices.items() if len(matrix) != items
    ]
    if faults:
        raise BundleRefused(f"Bundle {manifest.bundle_version} does not fit together: {', '.join(faults)}.")


def check_texts(manifest: Manifest, files: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
    """Raises BundleRefused for what no answer can hold: JSON can escape half a character, and a title can be a number.

    files: by name, the texts of each column.
    """
    columns = ((f"{name}: {column}", texts) for name, columns in files.items() for column, texts in columns.items())
    if faults := [fault for column, texts in columns if (fault := _not_text(column, texts))]:
        raise BundleRefused(f"Bundle {manifest.bundle_version} cannot answer: {'; '.join(faults)}.")


def _not_text(column: str, texts: Sequence[Any]) -> str:
    """The first value of the column that is not a text, in words, or nothing."""
    try:
        "".join(texts).encode()  # all at once: a catalogue has hundreds of thousands
    except (TypeError, UnicodeEncodeError):
        first, text = next(one for one in enumerate(texts) if not _is_text(one[1]))
        return f"{column} {first} is {ascii(text)[:64]}, which is no text in UTF-8"
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value))
