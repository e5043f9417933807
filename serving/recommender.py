"""From a request to an answer: one snapshot, one list, one impression record, in one thread."""

import time
import uuid
from datetime import UTC, datetime

import numpy as np

from contracts import features as names
from contracts.api import (
    ImpressionRecord,
    RankingRequest,
    RecommendationRequest,
    Recommendations,
    RecommendedItem,
    RetrievalRequest,
    ScoredItems,
)
from contracts.candidates import shortlist_of, source_names
from contracts.errors import InvalidInput
from contracts.ranking import Floats, Rows
from contracts.vocabulary import OUT_OF_VOCABULARY
from serving.bundle import LoadedBundle
from serving.clock import Now
from serving.draft import Draft
from serving.features import FeatureLookup
from serving.full_path import FullPath
from serving.impressions import ImpressionSink
from serving.ladder import Ladder
from serving.metrics import Metrics
from serving.releases import Assigned, Releases
from serving.users import Users


class Recommender:
    """Answers requests. Collaborators are passed in; nothing here knows Feast or HTTP."""

    def __init__(
        self, releases: Releases, lookup: FeatureLookup, impressions: ImpressionSink, metrics: Metrics, now: Now
    ) -> None:
        self._releases = releases
        self._impressions = impressions
        self._metrics = metrics
        self._users = Users(releases, lookup, metrics)
        self._path = FullPath(metrics, now)
        self._ladder = Ladder(self._path, lookup, metrics)

    def recommend(self, request: RecommendationRequest) -> Recommendations:
        """The user's list, best first; the answer says at which level of the ladder it was made."""
        started = time.perf_counter()
        assigned = self._releases.assigned(request.user_id, request.variant)
        draft = self._ladder.draft(request, assigned.bundle)
        answer = _answer(request, assigned, draft)
        self._record(answer, assigned, draft)
        self._metrics.answered(assigned.variant, draft.level, len(draft.rows), time.perf_counter() - started)
        return answer

    def retrieve(self, request: RetrievalRequest) -> ScoredItems:
        """The k nearest items of the user's query embedding.

        Raises UnknownUser, or OnlineStoreError while features cannot be read.
        """
        bundle = self._releases.assigned(request.user_id).bundle
        user = self._path.user(bundle, request.user_id, self._users.features(request.user_id))
        with self._metrics.stage("retrieval"):
            rows, scores = bundle.nearest(user.query[np.newaxis], request.k)
        found = rows[0] >= 0
        return _scored(request.user_id, bundle, rows[0][found], scores[0][found])

    def rank(self, request: RankingRequest) -> ScoredItems:
        """The given items, best first.

        Raises InvalidInput naming items the catalogue lacks, UnknownUser, or OnlineStoreError.
        """
        bundle = self._releases.assigned(request.user_id).bundle
        rows = _rows_of(request.item_ids, bundle)
        user = self._path.user(bundle, request.user_id, self._users.features(request.user_id))
        candidates = shortlist_of(user, rows, bundle.items)
        scores, order = self._path.ranked(bundle, candidates)
        return _scored(request.user_id, bundle, candidates.rows[order], scores[order])

    def _record(self, answer: Recommendations, assigned: Assigned, draft: Draft) -> None:
        record = ImpressionRecord(
            request_id=answer.request_id,
            served_at=datetime.now(UTC).isoformat(),
            user_id=answer.user_id,
            bundle_version=answer.bundle_version,
            variant=assigned.variant,
            propensity=assigned.propensity,
            forced=assigned.forced,
            degraded_level=answer.degraded_level,
            item_ids=[item.item_id for item in answer.items],
            scores=[item.score for item in answer.items],
            features=dict(draft.features),
        )
        with self._metrics.stage("impression"):
            try:
                self._impressions.write(record)
                self._metrics.impression("written")
            except OSError:  # a full disk must not take recommendations down; the loss is counted and alerted on
                self._metrics.impression("lost")


def new_request_id(variant: str) -> str:
    """Unique, and ends in the variant: an interaction that comes with it is attributed without a lookup."""
    return f"{uuid.uuid4().hex}-{variant}"


def _answer(request: RecommendationRequest, assigned: Assigned, draft: Draft) -> Recommendations:
    bundle = assigned.bundle
    return Recommendations(
        user_id=request.user_id,
        request_id=new_request_id(assigned.variant),
        bundle_version=bundle.manifest.bundle_version,
        variant=assigned.variant,
        degraded_level=draft.level,
        degraded_reason=draft.reason,
        items=[
            RecommendedItem(
                item_id=bundle.item_ids[row],
                score=score,
                title=bundle.titles[row],
                department=bundle.departments[row],
                source=source_names(mask),
            )
            for row, score, mask in zip(draft.rows.tolist(), draft.scores.tolist(), draft.sources.tolist(), strict=True)
        ],
    )


def _rows_of(item_ids: list[str], bundle: LoadedBundle) -> Rows:
    """Distinct catalogue rows. Raises InvalidInput naming the first that the catalogue lacks."""
    codes = bundle.vocabularies[names.ITEM_ID].encode(item_ids)
    if (codes == OUT_OF_VOCABULARY).any():
        missing = [item for item, code in zip(item_ids, codes, strict=True) if code == OUT_OF_VOCABULARY]
        raise InvalidInput(
            f"{len(missing)} of {len(codes)} item_ids are not in the catalogue of bundle "
            f"{bundle.manifest.bundle_version}, the first is {missing[0]!r}."
        )
    return np.unique(codes.astype(np.int64)) - 1


def _scored(user_id: str, bundle: LoadedBundle, rows: Rows, scores: Floats) -> ScoredItems:
    return ScoredItems(
        user_id=user_id,
        bundle_version=bundle.manifest.bundle_version,
        item_ids=[bundle.item_ids[row] for row in rows.tolist()],
        scores=scores.tolist(),
    )
