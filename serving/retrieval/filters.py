"""Which items of the catalogue a request allows, as one mask, and for one item by which filters it is kept out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from contracts.errors import InvalidInput
from contracts.features import names
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary
from contracts.ranking.candidates import NO_ROWS, ItemSide, Mask
from contracts.rules.selection import ATTRIBUTES, Filters, Selection
from contracts.spelling import alike, did_you_mean

STOCK: Final = "out_of_stock"
PRICE: Final = "price"
ONLY: Final = "only"
EXCLUDE: Final = "exclude"
SEEN: Final = "seen"
SHOWN: Final = "earlier_page"
CONTEXT: Final = "context"
HIDDEN: Final = "hidden"
SHOWN_TERMS: Final = 3

Vocabularies = Mapping[str, Vocabulary]


@dataclass(frozen=True)
class Exclusions:
    """Rows that a request leaves out in addition to its filters."""

    shown: Rows = field(default_factory=lambda: NO_ROWS)  # on earlier pages
    context: Rows = field(default_factory=lambda: NO_ROWS)  # on the page or in the basket already
    denied: Mapping[str, Mask] | None = None  # by name of the rule
    hidden: Rows = field(default_factory=lambda: NO_ROWS)  # hidden by the user, for good or for a while


@dataclass(frozen=True)
class Filtered:
    """The filters of one request over a catalogue: each by name, with the rows that pass it."""

    conditions: Sequence[tuple[str, Mask]]

    @cached_property
    def mask(self) -> Mask | None:
        """[num_items] whether a row may be shown; None where all may."""
        masks = [kept for _, kept in self.conditions]
        return reduce(np.logical_and, masks) if masks else None

    def kept_out_by(self, row: int) -> list[str]:
        """Names of every filter that this row does not pass."""
        return [name for name, kept in self.conditions if not kept[row]]


def filtered(
    filters: Filters, items: ItemSide, vocabularies: Vocabularies, bought: Rows, without: Exclusions
) -> Filtered:
    """The request's filters, built once. bought: the user's own rows.

    Raises InvalidInput for a category, department or brand that the catalogue lacks.
    """
    return Filtered(list(_conditions(filters, items, vocabularies, bought, without)))


def _conditions(
    filters: Filters, items: ItemSide, vocabularies: Vocabularies, bought: Rows, without: Exclusions
) -> Iterator[tuple[str, Mask]]:
    """Each filter that holds for the request, by name, with the rows that pass it."""
    size = len(items.in_stock)
    if not filters.include_out_of_stock and not items.all_in_stock:
        yield STOCK, items.in_stock
    for rule, denied in (without.denied or {}).items():
        yield f"rule {rule}", ~denied
    yield from selecting(filters, items, vocabularies)
    if filters.only:
        yield ONLY, _rows_mask(size, known_rows(filters.only, vocabularies))
    left_out = {
        EXCLUDE: known_rows(filters.exclude, vocabularies) if filters.exclude else NO_ROWS,
        SEEN: NO_ROWS if filters.include_seen else bought,
        SHOWN: without.shown,
        CONTEXT: without.context,
        HIDDEN: without.hidden,
    }
    for name, rows in left_out.items():
        if len(rows):
            yield name, ~_rows_mask(size, rows)


def selecting(
    selection: Selection, items: ItemSide, vocabularies: Vocabularies, *, lenient: bool = False
) -> Iterator[tuple[str, Mask]]:
    """Each field of a selection that is given, with the rows that fit it.

    lenient: a term that the catalogue lacks fits nothing. Otherwise raises InvalidInput naming what is near it.
    """
    for attribute in ATTRIBUTES:
        if terms := selection.terms(attribute):
            codes = _codes(terms, attribute, vocabularies[attribute], lenient=lenient)
            yield attribute, _with_codes(items.codes_of(attribute), codes)
    low, high = selection.price_min, selection.price_max
    if low is not None or high is not None:  # a price that is not known is NaN, and compares false
        yield PRICE, (items.prices >= (low or 0.0)) & (items.prices <= (np.inf if high is None else high))


def known_rows(item_ids: Sequence[str], vocabularies: Vocabularies) -> Rows:
    """Catalogue rows of the ids that the catalogue has; others cannot be shown and need not be kept out."""
    codes = vocabularies[names.ITEM_ID].encode(item_ids).astype(np.int64)
    rows: Rows = codes[codes != OUT_OF_VOCABULARY] - 1
    return rows


def _with_codes(column: npt.NDArray[np.int32], codes: list[int]) -> Mask:
    if len(codes) == 1:
        one: Mask = column == codes[0]
        return one
    return np.isin(column, codes)


def _rows_mask(size: int, rows: Rows) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[rows] = True
    return mask


def _codes(terms: Sequence[str], attribute: str, vocabulary: Vocabulary, *, lenient: bool) -> list[int]:
    found = {term: vocabulary.spelled(term) for term in terms}
    if not lenient and (unknown := [term for term, codes in found.items() if not codes]):
        raise InvalidInput(_nothing_called(unknown[0], attribute, vocabulary))
    return [code for codes in found.values() for code in codes]


def _nothing_called(term: str, attribute: str, vocabulary: Vocabulary) -> str:
    if not vocabulary.terms:
        return f"There is no {attribute} {term!r}: no item of the catalogue has a {attribute}."
    first = ", ".join(map(repr, vocabulary.terms[:SHOWN_TERMS]))
    rest = len(vocabulary.terms) - SHOWN_TERMS
    return (
        f"There is no {attribute} {term!r}{did_you_mean(near_terms(term, vocabulary.terms))}; "
        f"there is {first}{f' and {rest:,} more' if rest > 0 else ''}."
    )


def near_terms(term: str, terms: Sequence[str]) -> list[str]:
    """Up to three of the terms that are spelled nearly like this one, nearest first.

    Where none is, those that hold it, as 0003 holds a 3 that has lost its noughts; the shortest first.
    """
    wanted = term.casefold()
    return (
        alike(term, terms, SHOWN_TERMS, least=0.5)
        or sorted((known for known in terms if wanted and wanted in known.casefold()), key=len)[:SHOWN_TERMS]
    )
