"""What one request may be answered with: its bundle, the rules in force, and the rows that are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import numpy as np

from contracts.api.requests import ListOptions, RecommendationRequest
from contracts.arrays import Rows
from contracts.errors import InvalidInput
from contracts.features import names
from contracts.features.names import HISTORY_LENGTH, USER_PROFILE, WINDOWS_DAYS
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary
from contracts.ranking.candidates import NO_ROWS, Mask
from contracts.rules.selection import Filters
from serving.bundles.bundle import LoadedBundle
from serving.bundles.release import Assigned
from serving.recommendation.page_token import Shown, rows_shown, shown_before
from serving.retrieval import filters
from serving.rules.compile import CompiledRules, denied
from serving.rules.compiled_rule import CompiledRule

FILTERING: Final = frozenset(Filters.model_fields) | {"context"}
"""Fields of a request that leave items out."""


@dataclass
class LeftOut:
    """Rows that the online store keeps out of the user's lists, once it has been asked."""

    hidden: Rows = field(default_factory=lambda: NO_ROWS)
    older: Rows | None = field(default_factory=lambda: NO_ROWS)  # bought, and not in the history; None: not known


@dataclass(frozen=True)
class RequestScope:
    """One request over one snapshot; every stage of the path looks here for what is asked and what is allowed."""

    request: RecommendationRequest
    assigned: Assigned
    rules: CompiledRules
    active: tuple[CompiledRule, ...]  # of the rules, those for this surface and moment
    shown: Shown  # on earlier pages
    context: Rows  # latest first
    left_out: LeftOut = field(default_factory=LeftOut, repr=False, compare=False)
    _filtered: dict[bytes, filters.Filtered] = field(default_factory=dict, repr=False, compare=False)

    @property
    def bundle(self) -> LoadedBundle:
        """The snapshot's bundle."""
        return self.assigned.bundle

    @property
    def offset(self) -> int:
        """Items on earlier pages."""
        return len(self.shown)

    @cached_property
    def without(self) -> filters.Exclusions:
        """Rows that are left out in addition to the filters."""
        items = self.bundle.vocabularies[names.ITEM_ID]
        shown, context = rows_shown(self.shown, items), np.sort(self.context)
        return filters.Exclusions(shown, context, denied(self.active), self.left_out.hidden)

    def leave_out_hidden(self, features: Mapping[str, Any] | None) -> None:
        """Leaves out what this user has hidden. Call it once, before the first filter."""
        self.left_out.hidden = hidden_rows(features, self.bundle)

    def filtered(self, bought: Rows) -> filters.Filtered:
        """The request's filters over the catalogue, built once. bought: the user's own rows.

        Raises InvalidInput for a filter that the catalogue does not know.
        """
        if self.request.include_seen:
            bought = NO_ROWS
        elif self.left_out.older is not None and len(self.left_out.older):
            bought = np.concatenate([bought, self.left_out.older])
        key = bought.tobytes()
        if key not in self._filtered:
            bundle = self.bundle
            built = filters.filtered(self.request, bundle.items, bundle.vocabularies, bought, self.without)
            self._filtered[key] = built
        return self._filtered[key]

    def allowed(self, bought: Rows) -> Mask | None:
        """[num_items] whether a row may be in the list; None where all may. bought: the user's own rows."""
        return self.filtered(bought).mask

    @cached_property
    def leaves_nothing(self) -> bool:
        """Whether the request's own filters, or pages before it, let no item pass; asked where a list is empty."""
        asked = self.request
        if asked.page is not None or not asked.include_seen:
            return True
        if not asked.model_fields_set & FILTERING:
            return False
        mask = self.allowed(NO_ROWS)
        return mask is not None and not mask.any()

    def segment(self) -> dict[str, int]:
        """Vocabulary codes of the profile values that the request names. Raises InvalidInput for an unknown value."""
        return profile_codes(self.request.segment, self.bundle.vocabularies)


def scope_of(request: RecommendationRequest, assigned: Assigned, compiled: CompiledRules) -> RequestScope:
    """The request over a snapshot. Raises InvalidInput for a page token that no answer gave."""
    return RequestScope(
        request=request,
        assigned=assigned,
        rules=compiled,
        active=compiled.in_force(request.surface, datetime.now(UTC)),
        shown=shown_before(request.page),
        context=context_rows(request.context, assigned.bundle),
    )


def hidden_rows(features: Mapping[str, Any] | None, bundle: LoadedBundle) -> Rows:
    """Catalogue rows of the items that this user has hidden."""
    hidden = (features or {}).get(names.HIDDEN_ITEMS)
    return filters.known_rows(list(hidden), bundle.vocabularies) if hidden else NO_ROWS


def context_rows(item_ids: Sequence[str], bundle: LoadedBundle) -> Rows:
    """Distinct catalogue rows of context items, in their order; unknown ones are left out and named in notes."""
    return filters.known_rows(list(dict.fromkeys(item_ids)), bundle.vocabularies) if item_ids else NO_ROWS


def notes(options: ListOptions, bundle: LoadedBundle, *, history_known: bool, older_known: bool = True) -> list[str]:
    """One sentence for each part of the request that the answer does not keep."""
    items = bundle.vocabularies[names.ITEM_ID]
    notes = []
    for name, asked in (("context", options.context), ("only", options.only)):
        if lacking := int(np.count_nonzero(items.encode(asked) == OUT_OF_VOCABULARY)) if asked else 0:
            notes.append(f"{lacking} of {len(asked)} items of {name} are not in the catalogue.")
    if not options.include_seen and not history_known:
        notes.append("include_seen=false: the user's purchases are not known, so some may be in the list.")
    elif not options.include_seen and not older_known:
        notes.append(
            f"include_seen=false: what the user bought more than {max(WINDOWS_DAYS)} days ago, or before the latest "
            f"{HISTORY_LENGTH:,} items, is not known, so some of it may be in the list."
        )
    return notes


def profile_codes(named: Sequence[str], vocabularies: Mapping[str, Vocabulary]) -> dict[str, int]:
    """Vocabulary code by profile column, of texts like age_band=35-44.

    Raises InvalidInput for a column or a value that there is not, with those that there are.
    """
    codes = {}
    for text in named:
        column, _, value = text.partition("=")
        if column not in USER_PROFILE:
            columns = ", ".join(USER_PROFILE)
            raise InvalidInput(f"segment={text!r}: there is no profile column {column!r}; there is {columns}.")
        (code,) = vocabularies[column].encode([value]).tolist()
        if not code:
            known = ", ".join(map(repr, vocabularies[column].terms[:20]))
            raise InvalidInput(f"segment={text!r}: {column} has no value {value!r}; there is {known}.")
        codes[column] = code
    return codes
