"""What became of one item in one user's list: the last stage it reached, and the numbers that decided there."""

from typing import Any

import numpy as np

from contracts.api.explanations import Fate, Stage
from contracts.api.requests import RecommendationRequest
from contracts.arrays import Rows
from contracts.ranking.candidates import NO_ROWS
from serving.explanations.why import proposals, retrieval_score, sources_in
from serving.recommendation.answer import arranged
from serving.recommendation.ranked_candidates import Draft
from serving.recommendation.scope import Scope
from serving.retrieval.filters import known_rows
from serving.rules.arrangement import Arrangement


def fate(item_id: str, scope: Scope, draft: Draft) -> Fate:
    """Where the item is in the list that this draft makes, or where it was lost."""
    found = known_rows([item_id], scope.bundle.vocabularies)
    if len(found) == 0:
        version = scope.bundle.manifest.bundle_version
        return _told(item_id, scope, draft, Stage.UNKNOWN_ITEM, f"Not in the catalogue of bundle {version}.")
    row = int(found[0])
    if kept_out_by := scope.kept_out_by(row, _bought(draft)):
        text = f"Kept out by: {', '.join(kept_out_by)}."
        return _told(item_id, scope, draft, Stage.FILTERED, text, kept_out_by=kept_out_by)
    (at,) = np.flatnonzero(draft.rows == row).tolist() or (None,)
    if at is None:
        return _not_retrieved(item_id, row, scope, draft)
    return _ranked(item_id, row, at, scope, draft)


def _not_retrieved(item_id: str, row: int, scope: Scope, draft: Draft) -> Fate:
    rank, plan = _nearest_rank(row, scope, draft), scope.bundle.plan
    if rank is None:
        text = f"Not among the {len(draft.rows)} most popular items that pass the filters."
        return _told(item_id, scope, draft, Stage.NOT_RETRIEVED, text)
    text = f"Place {rank:,} of the nearest, of which {plan.num_nearest} are looked at"
    if row in _bought(draft):
        text = f"Bought before, but not among the {plan.num_repeat} likeliest repeats"
    elif draft.trace and row in draft.trace.nearest:
        text = f"Place {rank:,} of the nearest, and the {len(draft.rows)} candidates were full before it"
    elif rank <= plan.num_nearest:
        text = f"Place {rank:,} of the nearest by brute force, and the index missed it"
    text += "; no other source proposed it."
    return _told(item_id, scope, draft, Stage.NOT_RETRIEVED, text, **_retrieval(row, rank, scope, draft))


def _ranked(item_id: str, row: int, at: int, scope: Scope, draft: Draft) -> Fate:
    arrangement = arranged(scope, draft)
    place, n, total = arrangement.order.index(at) + 1, scope.request.n, len(draft.rows)
    numbers: dict[str, Any] = {
        **_retrieval(row, _nearest_rank(row, scope, draft), scope, draft),
        "proposals": proposals(row, sources_in(int(draft.sources[at])), draft, scope.bundle),
        "ranking_score": float(draft.scores[at]),
        "ranked": place,
        "candidates": total,
    }
    if at in arrangement.positions:
        position, rules = arrangement.positions.index(at) + 1, list(arrangement.acted.get(at, ()))
        text = f"Shown at position {position}; ranked {place} of {total} candidates."
        return _told(item_id, scope, draft, Stage.SHOWN, text, position=position, rules=rules, **numbers)
    if place <= n:
        rules = _responsible(at, arrangement, scope)
        text = f"Ranked {place} of {total} candidates and left out by {', '.join(rules)}."
        return _told(item_id, scope, draft, Stage.LEFT_OUT_BY_RULE, text, rules=rules, **numbers)
    text = f"Ranked {place} of {total} candidates; the list ends at {n}."
    rules = arrangement.touched.get(at, [])
    return _told(item_id, scope, draft, Stage.RANKED_BELOW, text, rules=rules, **numbers)


def _responsible(at: int, arrangement: Arrangement, scope: Scope) -> list[str]:
    """The cap that passed it over or the rules that sank it; else the rules that brought others before it."""
    if at in arrangement.left_out:
        return [arrangement.left_out[at]]
    own = arrangement.touched.get(at, [])
    return own or sorted({rule for rules in arrangement.acted.values() for rule in rules})


def _retrieval(row: int, rank: int | None, scope: Scope, draft: Draft) -> dict[str, Any]:
    if rank is None:
        return {}
    return {
        "nearest_rank": rank,
        "nearest_cutoff": scope.bundle.plan.num_nearest,
        "retrieval_score": retrieval_score(row, draft, scope.bundle),
    }


def _nearest_rank(row: int, scope: Scope, draft: Draft) -> int | None:
    """Place by brute force among what is allowed; None where there was no query."""
    if draft.trace is None:
        return None
    scores = scope.bundle.items.embeddings @ draft.trace.user.query
    better = scores > scores[row]
    return int(np.count_nonzero(better if draft.trace.allowed is None else better & draft.trace.allowed)) + 1


def _bought(draft: Draft) -> Rows:
    return draft.trace.user.history.item_rows if draft.trace else NO_ROWS


def _told(item_id: str, scope: Scope, draft: Draft, stage: Stage, text: str, **numbers: Any) -> Fate:
    request: RecommendationRequest = scope.request
    return Fate(
        user_id=request.user_id,
        item_id=item_id,
        bundle_version=scope.bundle.manifest.bundle_version,
        variant=scope.assigned.variant,
        degraded_level=draft.level,
        stage=stage,
        text=text,
        **numbers,
    )
