"""What became of one item in one user's list: the last stage it reached, and the numbers that decided there."""

from typing import Any

import numpy as np

from contracts.api.explanations import ItemOutcome, Stage
from contracts.arrays import Rows
from contracts.ranking.candidates import NO_ROWS
from serving.explanations.why import proposals, retrieval_score, sources_in
from serving.recommendation.answer import arranged
from serving.recommendation.ranked_candidates import RankedCandidates
from serving.recommendation.scope import RequestScope
from serving.retrieval.filters import known_rows
from serving.rules.arrangement import Arrangement


def why_not(item_id: str, scope: RequestScope, ranked: RankedCandidates) -> ItemOutcome:
    """Where the item is in the list that this draft makes, or where it was lost."""
    found = known_rows([item_id], scope.bundle.vocabularies)
    if len(found) == 0:
        version = scope.bundle.manifest.bundle_version
        return _outcome(item_id, scope, ranked, Stage.UNKNOWN_ITEM, f"Not in the catalogue of bundle {version}.")
    row = int(found[0])
    if kept_out_by := scope.filtered(_bought(ranked)).kept_out_by(row):
        text = f"Kept out by: {', '.join(kept_out_by)}."
        return _outcome(item_id, scope, ranked, Stage.FILTERED, text, kept_out_by=kept_out_by)
    (at,) = np.flatnonzero(ranked.rows == row).tolist() or (None,)
    if at is None:
        return _not_retrieved(item_id, row, scope, ranked)
    return _ranked(item_id, row, at, scope, ranked)


def _not_retrieved(item_id: str, row: int, scope: RequestScope, ranked: RankedCandidates) -> ItemOutcome:
    rank, plan = _nearest_rank(row, scope, ranked), scope.bundle.plan
    if rank is None:
        text = f"Not among the {len(ranked.rows)} most popular items that may be in this list."
        return _outcome(item_id, scope, ranked, Stage.NOT_RETRIEVED, text)
    text = f"Place {rank:,} of the nearest, of which {plan.num_nearest} are looked at"
    if row in _bought(ranked):
        text = f"Bought before, but not among the {plan.num_repeat} likeliest repeats"
    elif ranked.trace and row in ranked.trace.nearest:
        text = f"Place {rank:,} of the nearest, and the {len(ranked.rows)} candidates were full before it"
    elif rank <= plan.num_nearest:
        text = f"Place {rank:,} of the nearest by brute force, and the index missed it"
    text += "; no other source proposed it."
    return _outcome(item_id, scope, ranked, Stage.NOT_RETRIEVED, text, **_retrieval(row, rank, scope, ranked))


def _ranked(item_id: str, row: int, at: int, scope: RequestScope, ranked: RankedCandidates) -> ItemOutcome:
    arrangement = arranged(scope, ranked).arrangement
    place, n, total = arrangement.order.index(at) + 1, scope.request.n, len(ranked.rows)
    numbers: dict[str, Any] = {
        **_retrieval(row, _nearest_rank(row, scope, ranked), scope, ranked),
        "proposals": proposals(row, sources_in(int(ranked.sources[at])), ranked, scope.bundle),
        "ranking_score": float(ranked.scores[at]),
        "ranked": place,
        "candidates": total,
    }
    if at in arrangement.positions:
        position, rules = arrangement.positions.index(at) + 1, list(arrangement.acted.get(at, ()))
        text = f"Shown at position {position}; ranked {place} of {total} candidates."
        return _outcome(item_id, scope, ranked, Stage.SHOWN, text, position=position, rules=rules, **numbers)
    if place <= n:
        rules = _responsible(at, arrangement, scope)
        text = f"Ranked {place} of {total} candidates and left out by {', '.join(rules)}."
        return _outcome(item_id, scope, ranked, Stage.LEFT_OUT_BY_RULE, text, rules=rules, **numbers)
    text = f"Ranked {place} of {total} candidates; the list ends at {n}."
    rules = arrangement.touched.get(at, [])
    return _outcome(item_id, scope, ranked, Stage.RANKED_BELOW, text, rules=rules, **numbers)


def _responsible(at: int, arrangement: Arrangement, scope: RequestScope) -> list[str]:
    """The cap that passed it over or the rules that sank it; else the rules that brought others before it."""
    if at in arrangement.left_out:
        return [arrangement.left_out[at]]
    own = arrangement.touched.get(at, [])
    return own or sorted({rule for rules in arrangement.acted.values() for rule in rules})


def _retrieval(row: int, rank: int | None, scope: RequestScope, ranked: RankedCandidates) -> dict[str, Any]:
    if rank is None:
        return {}
    return {
        "nearest_rank": rank,
        "nearest_cutoff": scope.bundle.plan.num_nearest,
        "retrieval_score": retrieval_score(row, ranked, scope.bundle),
    }


def _nearest_rank(row: int, scope: RequestScope, ranked: RankedCandidates) -> int | None:
    """Place by brute force among what is allowed; None where there was no query."""
    if ranked.trace is None:
        return None
    scores = scope.bundle.items.embeddings @ ranked.trace.user.query
    better = scores > scores[row]
    return int(np.count_nonzero(better if ranked.trace.allowed is None else better & ranked.trace.allowed)) + 1


def _bought(ranked: RankedCandidates) -> Rows:
    return ranked.trace.history.item_rows if ranked.trace else NO_ROWS


def _outcome(
    item_id: str, scope: RequestScope, ranked: RankedCandidates, stage: Stage, text: str, /, **numbers: Any
) -> ItemOutcome:
    return ItemOutcome(
        user_id=scope.request.user_id,
        item_id=item_id,
        bundle_version=scope.bundle.manifest.bundle_version,
        variant=scope.assigned.variant,
        degraded_level=ranked.level,
        stage=stage,
        text=text,
        **numbers,
    )
