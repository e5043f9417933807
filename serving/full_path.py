"""The full path: query tower, nearest items, candidates of all sources, ranker, rules."""

import numpy as np

from contracts import features as names
from contracts.api import RecommendationRequest
from contracts.candidates import FRESH, Shortlist, UserSide, shortlist
from contracts.ranking import Floats, Rows
from serving.bundle import LoadedBundle
from serving.clock import Now
from serving.draft import Draft
from serving.features import UserFeatures
from serving.metrics import Metrics
from serving.query import user_side

REFERENCE_LENGTH = 10  # scores of the first items are logged, as many as the bundle's reference sample has

NUM_FRESH = 20  # candidates among items that are newer than the bundle: no statistics speak for them yet


class FullPath:
    """One request through every stage of one bundle."""

    def __init__(self, metrics: Metrics, now: Now) -> None:
        self._metrics = metrics
        self._now = now

    def draft(self, request: RecommendationRequest, bundle: LoadedBundle, features: UserFeatures) -> Draft:
        """The user's list."""
        user = self.user(bundle, request.user_id, features)
        nearest = self._nearest(bundle, user)
        with self._metrics.stage("candidates"):
            also = {FRESH: bundle.later(user.query, NUM_FRESH)}
            candidates = shortlist(user, nearest, bundle.items, bundle.plan, also)
        scores, order = self.ranked(bundle, candidates)
        shown = order[: request.n]
        return Draft(
            rows=candidates.rows[shown],
            scores=scores[shown],
            sources=candidates.sources[shown],
            features=logged_features(features, scores[order[:REFERENCE_LENGTH]]),
        )

    def user(self, bundle: LoadedBundle, user_id: str, features: UserFeatures) -> UserSide:
        """The user as the bundle sees them."""
        with self._metrics.stage("query"):
            return user_side(bundle, user_id, features, self._now)

    def ranked(self, bundle: LoadedBundle, candidates: Shortlist) -> tuple[Floats, Rows]:
        """([k] score of each candidate, [k] positions best first)."""
        with self._metrics.stage("ranking"):
            scores = bundle.rank(candidates.inputs)
            return scores, np.argsort(-scores, kind="stable")

    def _nearest(self, bundle: LoadedBundle, user: UserSide) -> Rows:
        with self._metrics.stage("retrieval"):
            (rows,), _ = bundle.nearest(user.query[np.newaxis], bundle.plan.num_nearest)
            nearest: Rows = rows
            return nearest


def logged_features(features: UserFeatures, scores: Floats) -> dict[str, float | str]:
    """What the bundle's reference sample has, as served."""
    logged: dict[str, float | str] = {name: str(features[name]) for name in names.USER_PROFILE}
    logged |= {name: float(features[name] or 0.0) for name in names.USER_STATISTICS}
    return logged | {names.TOP_SCORE: float(scores.max()), names.MEAN_SCORE: float(scores.mean())}
