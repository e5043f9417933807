"""Which name was meant by one that is not there: names that are spelled nearly like it, as a question."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final
from unicodedata import normalize

MAX_NAME: Final = 100
"""Characters of a name that are compared: a comparison takes the square of its length."""
MOST_COMPARED: Final = 1000
ALIKE: Final = 0.75


def meant(name: str, there: Sequence[str], least: float = ALIKE) -> str:
    """The name that is spelled most like it, as a question in brackets; empty where none is.

    least: how alike two names must be, from 0 to 1. One that looks the same, as é may be one character or an e and an
    accent, is named by its characters.
    """
    wanted = normalize("NFC", name)
    if twins := [known for known in there if known != name and normalize("NFC", known) == wanted]:
        return f" (did you mean {twins[0]!a}? It looks the same and {name!a} is asked for: copy the name)"
    return did_you_mean(alike(name, there, 1, least))


def did_you_mean(names: Sequence[str]) -> str:
    """A question in brackets, to stand behind the name that is not there; empty without names."""
    if not names:
        return ""
    *others, last = map(repr, names)
    return f" (did you mean {' or '.join([', '.join(others), last] if others else [last])}?)"


def alike(name: str, there: Sequence[str], most: int, least: float) -> list[str]:
    """The names that are spelled nearly like this one in any case, nearest first.

    Each comparison costs 30 µs, so of many names only MOST_COMPARED are compared: names of about the same length, and
    of these the ones with the same first letter before the others.
    """
    wanted = name[:MAX_NAME].casefold()
    spellings = {known.casefold(): known for known in reversed(there)}
    if len(spellings) > MOST_COMPARED:
        near = [one for one in spellings if abs(len(one) - len(wanted)) <= max(2, len(wanted) // 3)]
        near.sort(key=lambda one: one[:1] != wanted[:1])
        spellings = {one: spellings[one] for one in near[:MOST_COMPARED]}
    return [spellings[one] for one in get_close_matches(wanted, spellings, n=most, cutoff=least)]
