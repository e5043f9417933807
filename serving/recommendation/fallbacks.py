"""Lists for when the full path fails; each needs less than the one before."""

from collections.abc import Mapping

import numpy as np

from contracts.api.answers import DegradedLevel, Reason
from contracts.api.limits import MAX_ITEMS
from contracts.arrays import Floats, Rows
from contracts.features.history import UserHistory
from contracts.ranking.candidates import NO_ROWS, POPULAR, REPEAT, RULE, first_allowed, repeat_weights
from serving.recommendation.ranked_candidates import RankedCandidates, Trace, from_source
from serving.recommendation.scope import RequestScope
from serving.rules.candidates import proposed_by_rules

SPARE = 50
"""Candidates beyond the list, for caps to choose from."""
NO_SCORES = np.zeros(0, np.float32)


def retrieval_order(scope: RequestScope, trace: Trace, reason: Reason) -> RankedCandidates:
    """All candidates by their nearness to the query; needs no ranker."""
    rows = trace.candidates.rows
    scores = scope.bundle.items.embeddings[rows] @ trace.user.query
    order = np.argsort(-scores, kind="stable")
    sources = trace.candidates.sources[order]
    return RankedCandidates(rows[order], scores[order], sources, DegradedLevel.RETRIEVAL, reason, trace=trace)


def own_history(scope: RequestScope, history: UserHistory, now: float, reason: Reason) -> RankedCandidates:
    """What the user buys again and again, most and latest first; needs no models."""
    weights = repeat_weights(history, now).astype(np.float32)
    order = np.argsort(-weights, kind="stable")
    bought = history.item_rows
    return _listed(scope, bought[order], weights[order], REPEAT, DegradedLevel.HISTORY, reason, bought)


def of_segment(scope: RequestScope, profile: Mapping[str, int], reason: Reason) -> RankedCandidates:
    """What people buy who share these profile values, vocabulary codes by column; needs nobody's features."""
    rows, scores = scope.bundle.segments.likeliest(profile)
    return _listed(scope, rows, scores, POPULAR, DegradedLevel.SEGMENT, reason)


def popular(scope: RequestScope, reason: Reason) -> RankedCandidates:
    """What everybody buys; the last answer there is, it needs nothing but the bundle."""
    return _listed(scope, NO_ROWS, NO_SCORES, POPULAR, DegradedLevel.POPULARITY, reason)


def _listed(
    scope: RequestScope,
    rows: Rows,
    scores: Floats,
    source: str,
    level: DegradedLevel,
    reason: Reason,
    bought: Rows = NO_ROWS,
) -> RankedCandidates:
    """The allowed of rows, popular ones behind them until the list is long enough, and what rules ask for."""
    items, allowed = scope.bundle.items, scope.allowed(bought)
    if allowed is not None:
        rows, scores = rows[allowed[rows]], scores[allowed[rows]]
    wanted = MAX_ITEMS + SPARE
    popular_rows = first_allowed(items.popular, allowed, wanted)
    filling = popular_rows[~np.isin(popular_rows, rows)][: max(wanted - len(rows), 0)]
    asked = proposed_by_rules(scope.active, allowed, lambda k, members: first_allowed(items.popular, members, k))
    added = asked[~np.isin(asked, np.concatenate([rows, filling]))]
    behind = np.concatenate([filling, added])
    every = np.concatenate([scores, _behind(scores, items.popularity[behind], float(items.popularity.max()))])
    order = np.argsort(-every, kind="stable")
    sources = np.concatenate([from_source(source, rows), from_source(POPULAR, filling), from_source(RULE, added)])
    return RankedCandidates(np.concatenate([rows, behind])[order], every[order], sources[order], level, reason)


def _behind(scores: Floats, popularity: Floats, most: float) -> Floats:
    """Popularity on the scale of the scores and below all of them; unchanged if there are no scores."""
    if len(scores) == 0:
        return popularity
    return popularity * np.float32(float(scores.min()) / (most + 1.0))
