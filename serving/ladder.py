"""How far down an answer goes: the full path where it can be gone, else the best list that can still be made."""

from contracts.api import Reason
from serving.context import nobody
from serving.draft import Draft
from serving.fallbacks import popular
from serving.features import FeatureLookup, OnlineStoreError
from serving.full_path import FullPath
from serving.metrics import Metrics
from serving.scope import Scope


class Ladder:
    """Always a list; every step below the full path is counted with its reason."""

    def __init__(self, path: FullPath, lookup: FeatureLookup, metrics: Metrics) -> None:
        self._path = path
        self._lookup = lookup
        self._metrics = metrics

    def draft(self, scope: Scope) -> Draft:
        """The best list that can be made now."""
        draft = self._draft(scope)
        if draft.reason is not None:
            self._metrics.degraded(draft.level, draft.reason)
        return draft

    def _draft(self, scope: Scope) -> Draft:
        try:
            with self._metrics.stage("features"):
                features = self._lookup.user(scope.request.user_id)
        except OnlineStoreError:
            return popular(scope, Reason.ONLINE_STORE)
        if features is None and len(scope.context) == 0:
            return popular(scope, Reason.UNKNOWN_USER)
        return self._path.draft(scope, nobody() if features is None else features)
