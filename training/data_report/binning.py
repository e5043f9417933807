"""Counts of whole numbers, folded into few bars."""

from collections.abc import Sequence

import pandas as pd


def quantile(counts: pd.Series, share: float) -> int:
    """The smallest value that at least this share of the counted things does not exceed.

    counts: index value, how often it occurs.
    """
    ordered = counts.sort_index()
    reached = (ordered.cumsum() >= share * ordered.sum()).to_numpy()
    return int(ordered.index[int(reached.argmax())])


def up_to(counts: pd.Series, last: int, first: int = 1) -> tuple[list[str], list[int]]:
    """(names, counts) of each value from first to last; all above are one bar more."""
    names = [str(value) for value in range(first, last + 1)]
    values = [int(counts.get(value, 0)) for value in range(first, last + 1)]
    above = int(counts[counts.index > last].sum())
    return ([*names, f"{last + 1}+"], [*values, above]) if above else (names, values)


def ranges(counts: pd.Series, starts: Sequence[int]) -> tuple[list[str], list[int]]:
    """(names, counts) of the ranges that begin at starts; empty ranges above the largest value are left out."""
    names, values = [], []
    ends = (*(start - 1 for start in starts[1:]), None)
    for start, end in zip(starts, ends, strict=True):
        if start > counts.index.max():
            break
        inside = counts.index >= start if end is None else (counts.index >= start) & (counts.index <= end)
        names.append(_range_name(start, end))
        values.append(int(counts[inside].sum()))
    return names, values


def _range_name(start: int, end: int | None) -> str:
    if end is None:
        return f"{start:,}+"
    return f"{start:,}" if start == end else f"{start:,}–{end:,}"
