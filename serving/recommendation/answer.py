"""Ranked candidates, arranged by the rules, as the answer that a client reads."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from contracts.api.answers import Recommendations, RecommendedItem
from contracts.api.explanations import Explanation
from contracts.arrays import Rows
from contracts.ranking.candidates import NO_ROWS, Mask, source_names
from serving.bundles.bundle import LoadedBundle
from serving.recommendation.page_token import page_token
from serving.recommendation.ranked_candidates import RankedCandidates, tie_order
from serving.recommendation.scope import RequestScope, notes
from serving.rules.arrangement import Arrangement, arrange

_ITEMS: Final = TypeAdapter(list[RecommendedItem])


@dataclass(frozen=True)
class Listed:
    """A list without words, for comparing it with another. Row i of rows and rules_of_items is item_ids[i]."""

    item_ids: list[str]
    rows: list[int]
    rules_of_items: list[list[str]]
    rules_in_force: list[str]
    passed_over: Mapping[str, int]  # candidates that each cap left out
    denied: Mapping[str, Mask]  # rows that each rule denies


@dataclass(frozen=True)
class ArrangedList:
    """Ranked candidates with what the rules in force make of them."""

    scope: RequestScope
    ranked: RankedCandidates
    arrangement: Arrangement

    @property
    def propensities(self) -> list[float]:
        """The probability of each shown item at its place; empty where nothing was left to chance."""
        chances = self.arrangement.propensities
        return [chances.get(at, 1.0) for at in self.arrangement.positions] if chances else []

    def listed(self) -> Listed:
        """What is shown, and which rules moved it."""
        arrangement = self.arrangement
        rows = [int(self.ranked.rows[at]) for at in arrangement.positions]
        return Listed(
            item_ids=[self.scope.bundle.item_ids[row] for row in rows],
            rows=rows,
            rules_of_items=[list(arrangement.acted.get(at, ())) for at in arrangement.positions],
            rules_in_force=[rule.name for rule in self.scope.active],
            passed_over=Counter(arrangement.left_out.values()),
            denied=self.scope.without.denied or {},
        )

    def answer(self, request_id: str, explanations: Sequence[Explanation] | None = None) -> Recommendations:
        """The list as a client reads it. Row i of explanations belongs to the i-th shown item."""
        reasons: Sequence[Explanation | None] = explanations or [None] * len(self.arrangement.positions)
        return _answer(request_id, self.scope, self.ranked, self.arrangement, reasons)


def arranged(scope: RequestScope, ranked: RankedCandidates) -> ArrangedList:
    """What to show of the candidates, by the rules in force."""
    request, order = scope.request, tie_order(ranked, scope.request.seed)
    arrangement = arrange(ranked.rows, ranked.likelihoods, order, request.n, scope.active, scope.offset, request.seed)
    return ArrangedList(scope, ranked, arrangement)


def again(given: Recommendations, request_id: str) -> Recommendations:
    """The same list as an answer of its own."""
    return given.model_copy(update={"request_id": request_id})


def _answer(
    request_id: str,
    scope: RequestScope,
    ranked: RankedCandidates,
    arrangement: Arrangement,
    explanations: Sequence[Explanation | None],
) -> Recommendations:
    request, shown = scope.request, np.array(arrangement.positions, np.int64)
    rows = ranked.rows[shown].tolist()
    item_ids = scope.bundle.item_ids
    items = _items(scope.bundle, rows, ranked.scores[shown].tolist(), ranked.sources[shown].tolist(), explanations)
    shortfall = request.n - len(items)
    return Recommendations(
        user_id=request.user_id,
        request_id=request_id,
        bundle_version=scope.bundle.manifest.bundle_version,
        variant=scope.assigned.variant,
        degraded_level=ranked.level,
        degraded_reason=ranked.reason,
        rules_version=scope.rules.rules_version,
        shortfall=shortfall,
        shortfall_reason=shortfall_reason(scope, ranked, arrangement) if shortfall else None,
        notes=notes(
            request, scope.bundle, history_known=ranked.trace is not None, older_known=scope.left_out.older is not None
        ),
        next_page=None if shortfall else page_token(scope.shown, [item_ids[row] for row in rows]),
        items=items,
    )


def prices_of(bundle: LoadedBundle, rows: Sequence[int] | Rows) -> list[float | None]:
    """What a page shows for each row; None where no price is known."""
    prices = bundle.items.prices.take(np.asarray(rows, np.int64)).tolist()
    return [None if math.isnan(price) else round(price, 2) for price in prices]


def _items(
    bundle: LoadedBundle,
    rows: Sequence[int],
    scores: Sequence[float],
    sources: Sequence[int],
    explanations: Sequence[Explanation | None],
) -> list[RecommendedItem]:
    """Line i is of rows[i]. Validated in one go: twenty calls of the model cost twice as much."""
    item_ids, titles, departments = bundle.item_ids, bundle.titles, bundle.departments
    return _ITEMS.validate_python(
        [
            {
                "item_id": item_ids[row],
                "score": score,
                "title": titles[row],
                "department": departments[row],
                "source": source_names(mask),
                "price": price,
                "explanation": explanation,
            }
            for row, score, mask, price, explanation in zip(
                rows, scores, sources, prices_of(bundle, rows), explanations, strict=True
            )
        ]
    )


def shortfall_reason(scope: RequestScope, ranked: RankedCandidates, arrangement: Arrangement) -> str:
    """Which rule or which filters left fewer items than asked for."""
    if arrangement.left_out:
        caps = ", ".join(sorted(set(arrangement.left_out.values())))
        return f"The rules {caps} leave out {len(arrangement.left_out)} of {len(ranked.rows)} candidates."
    bought = ranked.trace.history.item_rows if ranked.trace else NO_ROWS
    names = [name for name, _ in scope.filtered(bought).conditions]
    candidates, items = len(ranked.rows), len(scope.bundle.item_ids)
    if names:
        filters = f"the filter{'s' if len(names) > 1 else ''} {', '.join(names)}"
        if candidates < 2:
            return f"{'Only 1' if candidates else 'No'} item passes {filters}."
        return f"Only {candidates} items pass {filters}."
    counted = "1 item" if items == 1 else f"{items} items"
    if candidates == items:
        return f"The catalogue has {counted}."
    are = "1 is a candidate" if candidates == 1 else f"{candidates} are candidates"
    return f"Of the {counted} of the catalogue {are} for this list."
