"""Why each item of one answer is in it: sources, scores, rules, and a sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from contracts.api.answers import DegradedLevel
from contracts.api.explanations import Explanation, Proposal
from contracts.arrays import Rows
from contracts.features.engagements import NO_ENGAGEMENTS
from contracts.features.history import UserHistory
from contracts.ranking.candidates import CONTEXT, NO_ROWS, POPULAR, REPEAT, SOURCES, TWO_TOWER
from serving.bundles.bundle import LoadedBundle
from serving.explanations.sentences import ReasonFacts, reason
from serving.features.lookup import FeatureLookup, OnlineStoreError
from serving.recommendation.context import companions_of
from serving.recommendation.ranked_candidates import RankedCandidates
from serving.recommendation.scope import RequestScope
from serving.rules.arrangement import Arrangement
from serving.runtime.clock import Now

EMPTY = np.zeros(0, np.float32)
NO_HISTORY = UserHistory(NO_ROWS, EMPTY, EMPTY, EMPTY, np.zeros(0), np.zeros(0))


class Explainer:
    """Reads the companions of the shown items, one online read each: for people who ask, not for every request."""

    def __init__(self, lookup: FeatureLookup, now: Now) -> None:
        self._lookup = lookup
        self._now = now

    def explanations(
        self, scope: RequestScope, ranked: RankedCandidates, arrangement: Arrangement
    ) -> list[Explanation]:
        """Row i explains the i-th shown item."""
        known = self._known(scope, ranked, arrangement)
        return [self._explanation(at, scope, ranked, arrangement, known) for at in arrangement.positions]

    def _explanation(
        self, at: int, scope: RequestScope, ranked: RankedCandidates, arrangement: Arrangement, known: ReasonFacts
    ) -> Explanation:
        row, rules = int(ranked.rows[at]), list(arrangement.acted.get(at, ()))
        sources = sources_in(int(ranked.sources[at]))
        return Explanation(
            reason=reason(row, sources, rules, known),
            proposals=proposals(row, sources, ranked, scope.bundle),
            retrieval_score=retrieval_score(row, ranked, scope.bundle),
            ranking_score=float(ranked.scores[at]) if ranked.level is DegradedLevel.FULL else None,
            position_without_rules=arrangement.order.index(at) + 1,
            rules=rules,
        )

    def _known(self, scope: RequestScope, ranked: RankedCandidates, arrangement: Arrangement) -> ReasonFacts:
        trace = ranked.trace
        known = ReasonFacts(
            items=scope.bundle.items,
            titles=scope.bundle.titles,
            history=trace.history if trace else NO_HISTORY,
            now=trace.user.now if trace else self._now()[0],
            context=scope.context,
            companions=trace.context.baskets if trace else {},
            related=scope.bundle.related,
            target=scope.bundle.target,
            engagements=(trace.user.engagements if trace else None) or NO_ENGAGEMENTS,
        )
        if trace is None:
            return known
        new = [at for at in arrangement.positions if REPEAT not in sources_in(int(ranked.sources[at]))]
        return replace(known, companions=self._companions(scope.bundle, ranked.rows[new], known.companions))

    def _companions(
        self, bundle: LoadedBundle, rows: Rows, known: Mapping[int, Mapping[int, int]]
    ) -> Mapping[int, Mapping[int, int]]:
        """What is bought with each row; what is known already where the store stops answering."""
        found = dict(known)
        try:
            for row in rows.tolist():
                found[row] = companions_of(bundle, row, self._lookup) | dict(known.get(row, {}))
        except OnlineStoreError:  # reasons are made from embeddings then
            return found
        return found


def sources_in(mask: int) -> list[str]:
    """Names of the sources in a mask."""
    return [name for bit, name in enumerate(SOURCES) if mask >> bit & 1]


def proposals(row: int, sources: Sequence[str], ranked: RankedCandidates, bundle: LoadedBundle) -> list[Proposal]:
    """Each source's own rank and score of a row."""
    listed = ranked.trace.candidates.proposed if ranked.trace else {}
    return [
        Proposal(
            source=source,
            rank=_rank(row, listed.get(source, ranked.rows)),
            score=_source_score(source, row, ranked, bundle),
        )
        for source in sources
    ]


def retrieval_score(row: int, ranked: RankedCandidates, bundle: LoadedBundle) -> float | None:
    """Inner product of the query and the item; None where there was no query."""
    return float(bundle.items.embeddings[row] @ ranked.trace.user.query) if ranked.trace else None


def _rank(row: int, rows: Rows) -> int:
    return int(np.flatnonzero(rows == row)[0]) + 1


def _source_score(source: str, row: int, ranked: RankedCandidates, bundle: LoadedBundle) -> float | None:
    if source == TWO_TOWER:
        return retrieval_score(row, ranked, bundle)
    if source == POPULAR:
        return float(bundle.items.popularity[row])
    if source == CONTEXT and ranked.trace:
        return float(sum(ranked.trace.context.baskets.get(row, {}).values()))
    return None
