"""Which files are parts of one table, such as the exports of each month."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

import pyarrow as pa

from training.ingest.files.location import like
from training.ingest.guess.sample import SAMPLE_ROWS, Sample


def joined(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, with files of the same columns as one of them, which is called by a name with a star.

    Files stay apart where no such name stands for them and for no other file.
    """
    alike: dict[tuple[object, ...], list[Sample]] = {}
    for one in samples:
        apart = one.path if one.path.is_dir() else None
        alike.setdefault((apart, one.rows_of, *sorted(one.columns)), []).append(one)
    return [table for group in alike.values() for table in _as_one(group, samples)]


def _as_one(group: list[Sample], samples: Sequence[Sample]) -> list[Sample]:
    names = [one.path.name for one in group]
    others = [one.path.name for one in samples if one.path.name not in names]
    fitting = (name for name in _with_star(names) if not any(re.fullmatch(like(name), other) for other in others))
    if len(group) == 1 or (name := next(fitting, None)) is None:
        return group
    rows = [one.rows.slice(0, -(-SAMPLE_ROWS // len(group))) for one in group]
    try:
        table = pa.concat_tables(rows, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # the same names for other things
        return group
    encoding = next((one.encoding for one in group if one.encoding), "")
    return [replace(group[0], path=group[0].path.with_name(name), rows=table, encoding=encoding, parts=tuple(names))]


def _with_star(names: Sequence[str]) -> tuple[str, str]:
    """sales_*.csv of sales_2023.csv and sales_2024.csv, so that sales_2030.csv is one too; then the narrowest name."""
    before = _beginning(names)
    behind = _beginning([name[len(before) :][::-1] for name in names])[::-1]
    numbers = all(name[len(before) : len(name) - len(behind)].isdigit() for name in names)
    word = r"\d+" if numbers else r"[^\W_]+"
    return f"{re.sub(f'{word}$', '', before)}*{re.sub(f'^{word}', '', behind)}", f"{before}*{behind}"


def _beginning(names: Sequence[str]) -> str:
    """The letters with which all names begin."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike)
