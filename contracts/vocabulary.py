"""String categories to row numbers, the same table in training and serving."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

OUT_OF_VOCABULARY = 0


class Vocabulary:
    """Maps known terms to 1..size and every other term to OUT_OF_VOCABULARY."""

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = tuple(terms)
        self._index = {term: position for position, term in enumerate(self.terms, start=1)}
        if len(self._index) != len(self.terms):
            raise ValueError("A vocabulary's terms must be distinct.")

    def __len__(self) -> int:
        """Rows an embedding table needs: all terms and the out-of-vocabulary row."""
        return len(self.terms) + 1

    def extended(self, terms: Sequence[str]) -> "Vocabulary":
        """A vocabulary with more terms after these; every known term keeps its row number."""
        longer = Vocabulary(terms)  # checks that they are distinct among themselves
        if known := [term for term in terms if term in self._index]:
            raise ValueError(f"{known[0]!r} is in the vocabulary already.")
        size = len(self.terms)
        longer._index = {**self._index, **{term: row + size for term, row in longer._index.items()}}
        longer.terms = (*self.terms, *terms)
        return longer

    def encode(self, values: Iterable[str | None]) -> npt.NDArray[np.int32]:
        """[n] row numbers, one per value; None counts as unknown."""
        codes = map(self._index.get, values, repeat(OUT_OF_VOCABULARY))  # type: ignore[arg-type]
        return np.fromiter(codes, dtype=np.int32)

    def spelled(self, term: str) -> list[int]:
        """Row numbers of the terms that differ from this one in upper and lower case at most."""
        return self._spellings.get(term.casefold(), [])

    @cached_property
    def checksums(self) -> npt.NDArray[np.uint32]:
        """[size] CRC-32 of each term: names an item in four bytes, whichever bundle serves."""
        return np.fromiter((zlib.crc32(term.encode()) for term in self.terms), dtype=np.uint32)

    @cached_property
    def _spellings(self) -> dict[str, list[int]]:
        spellings: dict[str, list[int]] = {}
        for row, term in enumerate(self.terms, start=1):
            spellings.setdefault(term.casefold(), []).append(row)
        return spellings


def vocabularies_from_json(payload: Mapping[str, Sequence[str]]) -> dict[str, Vocabulary]:
    """One vocabulary per column of the bundle's vocabularies.json."""
    return {column: Vocabulary(terms) for column, terms in payload.items()}
