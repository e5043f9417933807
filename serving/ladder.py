"""How far down an answer goes: the full path where it can be gone, else the best list that can still be made."""

from contracts.api import Reason, RecommendationRequest
from serving.bundle import LoadedBundle
from serving.draft import Draft
from serving.fallbacks import popular
from serving.features import FeatureLookup, OnlineStoreError
from serving.full_path import FullPath
from serving.metrics import Metrics


class Ladder:
    """Always a list; every step below the full path is counted with its reason."""

    def __init__(self, path: FullPath, lookup: FeatureLookup, metrics: Metrics) -> None:
        self._path = path
        self._lookup = lookup
        self._metrics = metrics

    def draft(self, request: RecommendationRequest, bundle: LoadedBundle) -> Draft:
        """The best list that can be made now."""
        draft = self._draft(request, bundle)
        if draft.reason is not None:
            self._metrics.degraded(draft.level, draft.reason)
        return draft

    def _draft(self, request: RecommendationRequest, bundle: LoadedBundle) -> Draft:
        try:
            with self._metrics.stage("features"):
                features = self._lookup.user(request.user_id)
        except OnlineStoreError:
            return popular(request, bundle, Reason.ONLINE_STORE)
        if features is None:
            return popular(request, bundle, Reason.UNKNOWN_USER)
        return self._path.draft(request, bundle, features)
