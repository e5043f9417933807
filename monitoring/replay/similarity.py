"""How far two ranked lists are the same: by their items, and by their items weighted from the top."""

from collections.abc import Sequence
from typing import Final

PERSISTENCE: Final = 0.9
"""Chance that a reader goes on to the next place: the first ten places have 86 % of the weight."""


def overlap(before: Sequence[str], after: Sequence[str], k: int) -> float:
    """Share of the first k places that hold items of both lists, in any order; two empty lists are the same.

    Where both lists are shorter than k, the longer one's length stands for k.
    """
    first, second = set(before[:k]), set(after[:k])
    places = max(len(first), len(second))
    return len(first & second) / places if places else 1.0


def rank_biased_overlap(before: Sequence[str], after: Sequence[str], persistence: float = PERSISTENCE) -> float:
    """Between 0, no item in common, and 1, the same order; the agreement seen is taken to go on below the lists.

    This is RBO_ext for lists of any two lengths: Webber, Moffat and Zobel, A Similarity Measure for Indefinite
    Rankings, ACM TOIS 28(4), 2010, equation 32, https://doi.org/10.1145/1852102.1852106. The items of a list are
    distinct. Two empty lists are the same; an empty and a filled one have nothing in common.
    """
    short, long = sorted((before, after), key=len)
    if not short:
        return float(not long)
    p, s, length = persistence, len(short), len(long)
    common = _common(short, long)
    total = sum(common[d - 1] / d * p**d for d in range(1, length + 1))
    total += sum(common[s - 1] * (d - s) / (s * d) * p**d for d in range(s + 1, length + 1))
    tail = (common[-1] - common[s - 1]) / length + common[s - 1] / s
    return (1 - p) / p * total + tail * p**length


def _common(short: Sequence[str], long: Sequence[str]) -> list[int]:
    """[len(long)] number of items that the first d of both lists share, for d from 1."""
    seen_short, seen_long, common = set[str](), set[str](), list[int]()
    for place, item in enumerate(long):
        seen_long.add(item)
        if place < len(short):
            seen_short.add(short[place])
        common.append(len(seen_short & seen_long))
    return common
