"""The full path: query tower, nearest items, candidates of all sources, ranker."""

from dataclasses import replace

import numpy as np

from contracts.api.answers import Reason
from contracts.api.limits import MAX_ITEMS
from contracts.arrays import Floats, Rows
from contracts.features import names
from contracts.features.history import UserHistory
from contracts.features.names import REFERENCE_LENGTH
from contracts.ranking.candidates import CONTEXT, FRESH, RULE, CandidatePlan, Mask, Shortlist, UserSide, shortlist
from contracts.ranking.related import Near
from serving.bundles.bundle import LoadedBundle
from serving.features.lookup import FeatureLookup, UserFeatures
from serving.metrics import Metrics
from serving.recommendation.context import ContextCandidates, context_candidates, features_in_context
from serving.recommendation.query import user_side
from serving.recommendation.ranked_candidates import RankedCandidates, Trace
from serving.recommendation.scope import RequestScope
from serving.resilience.circuit_breakers import CircuitBreakers
from serving.retrieval.index_recall import IndexRecall
from serving.rules.candidates import proposed_by_rules
from serving.runtime.clock import Now
from serving.runtime.stage_batching import Stages

NUM_FRESH = 20  # candidates among items that are newer than the bundle: no statistics speak for them yet


class FullPath:
    """One request through every stage of one bundle."""

    def __init__(
        self, metrics: Metrics, now: Now, lookup: FeatureLookup, recall: IndexRecall, guard: CircuitBreakers
    ) -> None:
        self._metrics = metrics
        self._guard = guard
        self._now = now
        self._lookup = lookup
        self._recall = recall

    def seconds(self) -> float:
        """Now, Unix."""
        return self._now()[0]

    def retrieved(
        self, scope: RequestScope, features: UserFeatures, history: UserHistory, allowed: Mask | None
    ) -> Stages[Trace]:
        """The user's candidates. Raises PartFailed."""
        user = self.user(scope.bundle, scope.request.user_id, features, scope.context, history)
        yield
        with self._guard.part(Reason.INDEX, scope.bundle.manifest.bundle_version):
            nearest = self._nearest(scope, user, allowed)
            yield
            context = self._context(scope, allowed)
            with self._metrics.stage("candidates"):
                also = {
                    FRESH: scope.bundle.later(user.query, NUM_FRESH, allowed),
                    CONTEXT: context.rows,
                    RULE: self._asked_by_rules(scope, user, allowed),
                }
                candidates = shortlist(user, nearest, scope.bundle.items, _plan(scope, allowed), allowed, also)
        yield
        return Trace(user, history, allowed, nearest, candidates, context)

    def ranked_candidates(self, scope: RequestScope, features: UserFeatures, trace: Trace) -> Stages[RankedCandidates]:
        """The candidates in the ranker's order. Raises PartFailed."""
        candidates = trace.candidates
        scores, order = self.ranked(scope.bundle, candidates, include_seen=scope.request.include_seen)
        # As the ranker gave them: the reference sample that they are compared with is of lists without a context.
        logged = logged_features(features, trace.user.statistics, scores[order[:REFERENCE_LENGTH]])
        if trace.context.near is not None:
            scores, order = in_context(scores, candidates.rows, trace.context.near)
        yield
        return RankedCandidates(
            rows=candidates.rows[order],
            scores=scores[order],
            sources=candidates.sources[order],
            features=logged,
            trace=trace,
        )

    def user(
        self, bundle: LoadedBundle, user_id: str, features: UserFeatures, context: Rows, history: UserHistory
    ) -> UserSide:
        """The user as the bundle sees them, as if the context items had just been bought. Raises PartFailed."""
        history = history.and_now(context, self.seconds())
        with self._guard.part(Reason.QUERY_TOWER, bundle.manifest.bundle_version), self._metrics.stage("query"):
            user = user_side(bundle, user_id, features_in_context(features, context, bundle), history, self._now)
            require_finite(user.query)
        return user

    def nearest(self, bundle: LoadedBundle, user: UserSide, k: int, allowed: Mask | None) -> tuple[Rows, Floats]:
        """([m] rows, [m] inner products) of the k nearest allowed items, best first. Raises PartFailed."""
        with self._guard.part(Reason.INDEX, bundle.manifest.bundle_version), self._metrics.stage("retrieval"):
            return bundle.nearest(user.query, k, allowed)

    def ranked(self, bundle: LoadedBundle, candidates: Shortlist, *, include_seen: bool = True) -> tuple[Floats, Rows]:
        """([k] score of each candidate, [k] positions best first); include_seen is the request's. Raises PartFailed."""
        if len(candidates.rows) == 0:  # nothing is allowed
            return np.zeros(0, np.float32), np.zeros(0, np.int64)
        with self._guard.part(Reason.RANKER, bundle.manifest.bundle_version), self._metrics.stage("ranking"):
            scores = bundle.rank(candidates.inputs, include_seen=include_seen)
            require_finite(scores)
        return scores, np.argsort(-scores, kind="stable")

    def _nearest(self, scope: RequestScope, user: UserSide, allowed: Mask | None) -> Rows:
        bundle, k = scope.bundle, scope.bundle.plan.num_nearest
        with self._metrics.stage("retrieval"):
            rows, _ = bundle.nearest(user.query, k, allowed)
        self._recall.offer(scope.assigned.variant, bundle.items.embeddings, user.query, rows, k, allowed)
        return rows

    def _context(self, scope: RequestScope, allowed: Mask | None) -> ContextCandidates:
        if len(scope.context) == 0:
            return ContextCandidates()
        with self._metrics.stage("context"):
            found = context_candidates(scope.bundle, scope.context, allowed, self._lookup)
        if not found.companions_read:
            self._metrics.context_lost()
        return found

    def _asked_by_rules(self, scope: RequestScope, user: UserSide, allowed: Mask | None) -> Rows:
        return proposed_by_rules(
            scope.active, allowed, lambda k, members: scope.bundle.nearest(user.query, k, members)[0]
        )


def in_context(scores: Floats, rows: Rows, near: Near) -> tuple[Floats, Rows]:
    """([k] log-odds of each catalogue row, [k] positions best first), near: to the items of the request's context.

    An item is wanted for the user's sake, with the ranker's probability p, or for the context's, with
    1 - exp(-nearness), and neither knows of the other (noisy or: Pearl, Probabilistic Reasoning in Intelligent Systems,
    1988, section 4.3). So -log(1 - p) and nearness add up.
    """
    sought = np.logaddexp(0, scores.astype(np.float64)) + near.of(rows)
    sought = np.maximum(sought, np.finfo(np.float64).tiny)
    both: Floats = (sought + np.log(-np.expm1(-sought))).astype(np.float32)
    return both, np.argsort(-both, kind="stable")


def require_finite(values: Floats) -> None:
    """Raises FloatingPointError for what a model must not give: NaN sorts anywhere and no client can read it."""
    if not np.isfinite(values).all():
        raise FloatingPointError("the model gives NaN or infinity")


def _plan(scope: RequestScope, allowed: Mask | None) -> CandidatePlan:
    """Under a filter, enough popular items for the longest list, whatever the others propose.

    Not by the n of the request: a longer list begins like a shorter one.
    """
    plan = scope.bundle.plan if scope.request.include_seen else scope.bundle.plan.of_unseen
    return plan if allowed is None else replace(plan, num_popular=max(plan.num_popular, MAX_ITEMS))


def logged_features(features: UserFeatures, statistics: Floats, scores: Floats) -> dict[str, float | str]:
    """What the bundle's reference sample has, as served; statistics are [len(USER_STATISTICS)] of the same user."""
    logged: dict[str, float | str] = {name: str(features[name]) for name in names.USER_PROFILE}
    logged.update(zip(names.USER_STATISTICS, statistics.tolist(), strict=True))
    if len(scores) == 0:
        return logged
    return logged | {names.TOP_SCORE: float(scores.max()), names.MEAN_SCORE: float(scores.mean())}
