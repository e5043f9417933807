"""How far down an answer goes: the full path if it works, else the best list that can still be made.

full        the user's features of now, towers, index, ranker
remembered  the same, from features this server read a while ago: the online store does not answer
retrieval   in the order of retrieval: the ranker failed, or it would begin too late
history     the user's own purchases: query tower or index failed, or it is too late for them
segment     what people of the same profile buy: the user has no history, or only a profile is known
popularity  what everybody buys
"""

from collections.abc import Mapping
from dataclasses import replace

from contracts.api.answers import DegradedLevel, Reason
from contracts.arrays import Rows
from contracts.features import names
from contracts.features.history import UserHistory
from serving.features.known_users import KnownUsers, LookedUp
from serving.features.lookup import OnlineStoreError, UserFeatures
from serving.metrics import Metrics
from serving.recommendation.context import nobody
from serving.recommendation.fallbacks import of_segment, own_history, popular, retrieval_order
from serving.recommendation.full_path import FullPath
from serving.recommendation.query import history_in
from serving.recommendation.ranked_candidates import RankedCandidates
from serving.recommendation.scope import RequestScope
from serving.resilience.circuit_breakers import PartFailed
from serving.resilience.deadline import Deadline
from serving.retrieval.filters import known_rows
from serving.runtime.stage_batching import Stages


class Ladder:
    """Always a list; every step below the full path is counted with its reason."""

    def __init__(self, path: FullPath, users: KnownUsers, metrics: Metrics) -> None:
        self._path = path
        self._users = users
        self._metrics = metrics

    def ranked_candidates(self, scope: RequestScope, deadline: Deadline) -> Stages[RankedCandidates]:
        """The best list that can be made now. Raises InvalidInput for a filter that the catalogue does not know."""
        known = self._users.known(scope.request.user_id)
        scope.leave_out_hidden(known.features)
        if not scope.request.include_seen and known.features is not None:
            scope.left_out.older = self._bought_before(scope)
        yield
        ranked = yield from self._with(scope, known, deadline)
        if ranked.reason is not None:
            self._metrics.degraded(ranked.level, ranked.reason)
        return ranked

    def _bought_before(self, scope: RequestScope) -> Rows | None:
        """Rows that the user's history may lack; None where that is not known."""
        try:
            older = self._users.bought_before(scope.request.user_id)
        except OnlineStoreError:  # it failed between two reads
            return None
        return None if older is None else known_rows(older, scope.bundle.vocabularies)

    def _with(self, scope: RequestScope, known: LookedUp, deadline: Deadline) -> Stages[RankedCandidates]:
        if known.features is not None:
            ranked = yield from self._for(scope, known.features, deadline)
            return ranked if known.reason is None else _remembered(ranked, known.reason)
        if known.reason is Reason.UNKNOWN_USER and len(scope.context):
            return (yield from self._for(scope, nobody(), deadline))
        return _without_history(scope, scope.segment(), known.reason or Reason.UNKNOWN_USER)

    def _for(self, scope: RequestScope, features: UserFeatures, deadline: Deadline) -> Stages[RankedCandidates]:
        """The list of a user whose features are known.

        For a profile alone the segment's list is better than the models' list: benchmarks/quality/cold_start.
        """
        if len(scope.context) == 0 and _has_done_nothing(features):
            return _without_history(scope, _profile(scope, features), Reason.UNKNOWN_USER)
        history = history_in(scope.bundle, features)
        with self._metrics.stage("filters"):
            allowed = scope.allowed(history.item_rows)
        if not deadline.allows_retrieval():
            return self._own(scope, features, history, Reason.DEADLINE)
        try:
            trace = yield from self._path.retrieved(scope, features, history, allowed)
        except PartFailed as failed:
            return self._own(scope, features, history, failed.reason)
        if not deadline.allows_ranking():
            return retrieval_order(scope, trace, Reason.DEADLINE)
        try:
            return (yield from self._path.ranked_candidates(scope, features, trace))
        except PartFailed as failed:
            return retrieval_order(scope, trace, failed.reason)

    def _own(
        self, scope: RequestScope, features: UserFeatures, history: UserHistory, reason: Reason
    ) -> RankedCandidates:
        if len(history):
            return own_history(scope, history, self._path.seconds(), reason)
        return _without_history(scope, _profile(scope, features), reason)


def _remembered(ranked: RankedCandidates, reason: Reason) -> RankedCandidates:
    """A list from remembered features; where it is degraded in another way too, that is what it says."""
    if ranked.level is not DegradedLevel.FULL:
        return ranked
    return replace(ranked, level=DegradedLevel.REMEMBERED, reason=reason)


def _has_done_nothing(features: UserFeatures) -> bool:
    """Whether nobody has ever seen the user buy or look at anything."""
    done = (features[names.SEQUENCE_ITEM_IDS], features[names.HISTORY_ITEM_IDS])
    return all(values is None or len(values) == 0 for values in done)


def _without_history(scope: RequestScope, profile: Mapping[str, int], reason: Reason) -> RankedCandidates:
    return of_segment(scope, profile, reason) if profile else popular(scope, reason)


def _profile(scope: RequestScope, features: UserFeatures) -> dict[str, int]:
    """Codes of the profile values that the bundle knows."""
    vocabularies = scope.bundle.vocabularies
    codes = {column: int(vocabularies[column].encode([features[column]])[0]) for column in names.USER_PROFILE}
    return {column: code for column, code in codes.items() if code}
