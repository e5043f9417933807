"""From a user id to a list: features, retrieval, ranking, in one process and one thread."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from contracts import encoding
from contracts import features as names
from contracts.api import (
    AlsoBought,
    BundleCard,
    Companion,
    DegradedLevel,
    History,
    ImpressionRecord,
    PurchasedItem,
    RankingRequest,
    Reason,
    RecommendationRequest,
    Recommendations,
    RecommendedItem,
    RetrievalRequest,
    ScoredItems,
)
from contracts.candidates import BASKETS_COLUMN, POPULAR, Shortlist, UserSide, shortlist, shortlist_of, source_names
from contracts.errors import InvalidInput
from contracts.features import HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from contracts.ranking import Floats, Rows, UserHistory, user_history
from contracts.vocabulary import OUT_OF_VOCABULARY
from serving.bundle import LoadedBundle
from serving.features import FeatureLookup, OnlineStoreError, UserFeatures
from serving.impressions import ImpressionSink
from serving.metrics import Metrics

REFERENCE_LENGTH = 10  # scores of the first items are logged, as many as the bundle's reference sample has

Now = Callable[[], tuple[float, int, int]]
"""(Unix seconds, local hour or HOUR_UNKNOWN, local weekday or WEEKDAY_UNKNOWN)."""


class UnknownUser(InvalidInput):
    """A user id without any features, where an answer needs some."""

    http_status = 404


class Recommender:
    """Answers requests with one bundle. Collaborators are passed in; nothing here knows Feast or HTTP."""

    def __init__(
        self, bundle: LoadedBundle, lookup: FeatureLookup, impressions: ImpressionSink, metrics: Metrics, now: Now
    ) -> None:
        self._bundle = bundle
        self._lookup = lookup
        self._impressions = impressions
        self._metrics = metrics
        self._now = now
        metrics.serves(bundle.manifest.bundle_version)

    def recommend(self, request: RecommendationRequest) -> Recommendations:
        """The user's list, best first; popular items for a user nobody has met or while the online store is down."""
        try:
            features = self._features(request.user_id)
        except OnlineStoreError:
            return self._popular(request, Reason.ONLINE_STORE)
        if features is None:
            return self._popular(request, Reason.UNKNOWN_USER)
        user = self._user_side(request.user_id, features)
        with self._metrics.stage("retrieval"):
            nearest, _ = self._bundle.nearest(user.query[np.newaxis], self._bundle.plan.num_nearest)
        with self._metrics.stage("candidates"):
            candidates = shortlist(user, nearest[0], self._bundle.items, self._bundle.plan)
        scores, order = self._ranked(candidates)
        top = order[: request.n]
        answer = Recommendations(
            user_id=request.user_id,
            request_id=str(uuid.uuid4()),
            bundle_version=self._bundle.manifest.bundle_version,
            degraded_level=DegradedLevel.FULL,
            items=[
                self._item(int(candidates.rows[at]), float(scores[at]), source_names(int(candidates.sources[at])))
                for at in top
            ],
        )
        self._record(answer, _logged_features(features, scores[order[:REFERENCE_LENGTH]]))
        return answer

    def retrieve(self, request: RetrievalRequest) -> ScoredItems:
        """The k nearest items of the user's query embedding.

        Raises UnknownUser, or OnlineStoreError while features cannot be read.
        """
        user = self._user_side(request.user_id, self._known_features(request.user_id))
        with self._metrics.stage("retrieval"):
            rows, scores = self._bundle.nearest(user.query[np.newaxis], request.k)
        found = rows[0] >= 0
        return self._scored(request.user_id, rows[0][found], scores[0][found])

    def rank(self, request: RankingRequest) -> ScoredItems:
        """The given items, best first.

        Raises InvalidInput naming items the catalogue lacks, UnknownUser, or OnlineStoreError.
        """
        codes = self._bundle.vocabularies[names.ITEM_ID].encode(request.item_ids)
        if not np.all(codes != OUT_OF_VOCABULARY):
            missing = [item for item, code in zip(request.item_ids, codes, strict=True) if code == OUT_OF_VOCABULARY]
            raise InvalidInput(
                f"{len(missing)} of {len(codes)} item_ids are not in the catalogue of bundle "
                f"{self._bundle.manifest.bundle_version}, the first is {missing[0]!r}."
            )
        user = self._user_side(request.user_id, self._known_features(request.user_id))
        candidates = shortlist_of(user, np.unique(codes.astype(np.int64)) - 1, self._bundle.items)
        scores, order = self._ranked(candidates)
        return self._scored(request.user_id, candidates.rows[order], scores[order])

    def history(self, user_id: str, n: int) -> History:
        """The user's n latest distinct purchases. Raises UnknownUser or OnlineStoreError."""
        history = self._history(self._known_features(user_id))
        items = [
            PurchasedItem(
                item_id=self._bundle.item_ids[row],
                title=self._bundle.titles[row],
                department=self._bundle.departments[row],
                count=int(history.counts[at]),
                last_purchased_at=datetime.fromtimestamp(history.last[at], UTC).isoformat(),
            )
            for at, row in enumerate(history.item_rows[:n])
        ]
        return History(user_id=user_id, items=items)

    def also_bought(self, item_id: str) -> AlsoBought:
        """What was bought together with an item. Raises OnlineStoreError.

        A companion that this bundle's catalogue lacks is left out: it could not be shown.
        """
        with self._metrics.stage("features"):
            companions = self._lookup.companions(item_id)
        codes = self._bundle.vocabularies[names.ITEM_ID].encode(companion for companion, _ in companions)
        items = [
            Companion(
                item_id=companion,
                title=self._bundle.titles[code - 1],
                department=self._bundle.departments[code - 1],
                baskets=baskets,
            )
            for (companion, baskets), code in zip(companions, codes, strict=True)
            if code != OUT_OF_VOCABULARY
        ]
        return AlsoBought(item_id=item_id, items=items)

    def card(self) -> BundleCard:
        """What serves right now."""
        manifest = self._bundle.manifest
        return BundleCard(
            bundle_version=manifest.bundle_version,
            created_at=manifest.created_at,
            data_end=datetime.fromtimestamp(manifest.data_end_timestamp, UTC).isoformat(),
            num_items=manifest.num_items,
            metrics=manifest.metrics,
            example_user_ids=manifest.example_user_ids,
        )

    def _features(self, user_id: str) -> UserFeatures | None:
        with self._metrics.stage("features"):
            return self._lookup.user(user_id)

    def _known_features(self, user_id: str) -> UserFeatures:
        features = self._features(user_id)
        if features is None:
            raise UnknownUser(f"User {user_id!r} is not in the online store. Ids are those of the event log.")
        return features

    def _history(self, features: UserFeatures) -> UserHistory:
        return user_history({name: features[name] for name in names.HISTORY}, self._bundle.vocabularies[names.ITEM_ID])

    def _user_side(self, user_id: str, features: UserFeatures) -> UserSide:
        seconds, hour, weekday = self._now()
        with self._metrics.stage("query"):
            inputs = encoding.query_inputs(
                [user_id],
                {name: [value] for name, value in features.items()},
                self._bundle.vocabularies,
                np.array([hour], np.int32),
                np.array([weekday], np.int32),
            )
            query = self._bundle.embed(inputs)[0]
            statistics = inputs[encoding.STATISTICS][0]
            return UserSide(query, self._history(features), statistics, float(statistics[BASKETS_COLUMN]), seconds)

    def _ranked(self, candidates: Shortlist) -> tuple[Floats, Rows]:
        """([k] score of each candidate, [k] positions best first)."""
        with self._metrics.stage("ranking"):
            scores = self._bundle.rank(candidates.inputs)
            return scores, np.argsort(-scores, kind="stable")

    def _popular(self, request: RecommendationRequest, reason: Reason) -> Recommendations:
        self._metrics.degraded(DegradedLevel.POPULARITY, reason)
        popularity = self._bundle.items.popularity
        answer = Recommendations(
            user_id=request.user_id,
            request_id=str(uuid.uuid4()),
            bundle_version=self._bundle.manifest.bundle_version,
            degraded_level=DegradedLevel.POPULARITY,
            degraded_reason=reason,
            items=[
                self._item(int(row), float(popularity[row]), POPULAR) for row in self._bundle.items.popular[: request.n]
            ],
        )
        self._record(answer, {})
        return answer

    def _item(self, row: int, score: float, source: str) -> RecommendedItem:
        bundle = self._bundle
        return RecommendedItem(
            item_id=bundle.item_ids[row],
            score=score,
            title=bundle.titles[row],
            department=bundle.departments[row],
            source=source,
        )

    def _scored(self, user_id: str, rows: Rows, scores: Floats) -> ScoredItems:
        return ScoredItems(
            user_id=user_id,
            bundle_version=self._bundle.manifest.bundle_version,
            item_ids=[self._bundle.item_ids[row] for row in rows],
            scores=[float(score) for score in scores],
        )

    def _record(self, answer: Recommendations, features: dict[str, float | str]) -> None:
        record = ImpressionRecord(
            request_id=answer.request_id,
            served_at=datetime.now(UTC).isoformat(),
            user_id=answer.user_id,
            bundle_version=answer.bundle_version,
            degraded_level=answer.degraded_level,
            item_ids=[item.item_id for item in answer.items],
            scores=[item.score for item in answer.items],
            features=features,
        )
        with self._metrics.stage("impression"):
            try:
                self._impressions.write(record)
                self._metrics.impression("written")
            except OSError:  # a full disk must not take recommendations down; the loss is counted and alerted on
                self._metrics.impression("lost")


def _logged_features(features: UserFeatures, scores: Floats) -> dict[str, float | str]:
    """What the bundle's reference sample has, as served."""
    logged: dict[str, float | str] = {name: str(features[name]) for name in names.USER_PROFILE}
    logged |= {name: float(features[name] or 0.0) for name in names.USER_STATISTICS}
    return logged | {names.TOP_SCORE: float(scores.max()), names.MEAN_SCORE: float(scores.mean())}


def wall_clock(time_zone: str) -> Now:
    """Now, with hour and weekday in the shop's time zone."""
    zone = ZoneInfo(time_zone)

    def now() -> tuple[float, int, int]:
        seconds = time.time()
        local = datetime.fromtimestamp(seconds, zone)
        return seconds, local.hour, local.weekday()

    return now


def frozen_clock(seconds: float) -> Now:
    """Always the same moment, without a visit's hour: historical data, shown as it was on its last day."""
    return lambda: (seconds, HOUR_UNKNOWN, WEEKDAY_UNKNOWN)
