"""From a request to an answer: one snapshot, one list, one impression record, in one thread."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from contracts.api.answers import COLD_LEVEL, Reason, Recommendations, ScoredItems
from contracts.api.explanations import ItemOutcome
from contracts.api.records import ImpressionRecord
from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.arrays import Floats, Rows
from contracts.errors import InvalidInput, TandemError
from contracts.features import names
from contracts.features.history import UserHistory
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import NO_ROWS, shortlist_of
from serving.bundles.bundle import LoadedBundle
from serving.bundles.health import Outcome, outcome_of
from serving.bundles.release import Assigned, Releases
from serving.events.impressions import ImpressionSink
from serving.explanations.why import Explainer
from serving.explanations.why_not import why_not
from serving.features.known_users import KnownUsers
from serving.features.lookup import FeatureLookup
from serving.metrics import Metrics
from serving.recommendation.answer import Listed, again, arranged
from serving.recommendation.answer_cache import CachedAnswer
from serving.recommendation.full_path import FullPath, in_context
from serving.recommendation.ladder import Ladder
from serving.recommendation.query import history_in
from serving.recommendation.safeguards import Safeguards
from serving.recommendation.scope import RequestScope, context_rows, hidden_rows, scope_of
from serving.resilience.circuit_breakers import PartFailed
from serving.resilience.deadline import NO_DEADLINE, Deadline
from serving.retrieval.filters import Exclusions, filtered, known_rows
from serving.retrieval.index_recall import IndexRecall
from serving.rules.rule_file import RuleBook
from serving.runtime.clock import Now
from serving.runtime.list_ids import ListIds
from serving.runtime.stage_batching import Stages, alone
from serving.users import Users


class ModelFailed(TandemError):
    """A part of a bundle that was asked for alone and does not answer, or has failed so lately that it is not asked."""

    http_status = 503


class Recommender:
    """Answers requests. Collaborators are passed in; nothing here knows Feast or HTTP."""

    def __init__(
        self,
        releases: Releases,
        lookup: FeatureLookup,
        impressions: ImpressionSink,
        metrics: Metrics,
        now: Now,
        rules: RuleBook,
        recall: IndexRecall,
        safeguards: Safeguards,
        list_ids: ListIds,
    ) -> None:
        self._releases = releases
        self._impressions = impressions
        self._metrics = metrics
        self._users = Users(releases, lookup, metrics)
        self._rules = rules
        self._budget = safeguards.budget
        self._path = FullPath(metrics, now, lookup, recall, safeguards.breakers)
        self._known = KnownUsers(lookup, metrics, safeguards.remembered)
        self._ladder = Ladder(self._path, self._known, metrics)
        self._cache = safeguards.cache
        self._list_ids = list_ids
        self._explainer = Explainer(lookup, now)

    def steps(
        self,
        request: RecommendationRequest,
        arrived: float | None = None,
        *,
        shown: bool = True,
        compared: bool = True,
    ) -> Stages[Recommendations]:
        """The user's list, best first; it pauses between the stages. The answer names its level of the ladder.

        arrived: when the request came, on time.monotonic's clock; it may have waited since. shown: whether somebody
        will see the list; others are not recorded. compared: whether it counts in a comparison of slots.

        Raises InvalidInput for a filter that the catalogue does not know and for a page token that no answer gave.
        """
        started = time.perf_counter()
        scope = self._scope(request)
        request_id = self._list_ids.new(scope.assigned.variant, is_counted=compared)
        if given := self._cache.get(scope):
            given = replace(given, answer=again(given.answer, request_id))
        else:
            since = time.monotonic() if arrived is None else arrived
            given = yield from self._counted(scope, request_id, Deadline(self._budget, since))
            self._cache.keep(scope, given)
        answered = given.answer
        if shown:
            self._record(given, scope)
        seconds = time.perf_counter() - started
        if compared:
            is_empty = not answered.items and not scope.leaves_nothing
            self._metrics.answered(answered.variant, counted_level(answered), seconds, is_empty=is_empty)
        else:
            self._metrics.forced_answer(answered.variant)
        return answered

    def _counted(self, scope: RequestScope, request_id: str, deadline: Deadline) -> Stages[CachedAnswer]:
        """The list, and what it says of its bundle."""
        try:
            given = yield from self._made(scope, request_id, deadline)
        except TandemError:  # the request's own fault
            raise
        except Exception:
            self._releases.answered(scope.assigned, Outcome.RAISED)
            raise
        if outcome := outcome_of(given.answer):
            self._releases.answered(scope.assigned, outcome)
        return given

    def _made(self, scope: RequestScope, request_id: str, deadline: Deadline) -> Stages[CachedAnswer]:
        ranked = yield from self._ladder.ranked_candidates(scope, deadline)
        with self._metrics.stage("rules"):
            shown = arranged(scope, ranked)
        explanations = None
        if scope.request.explain:
            with self._metrics.stage("explanations"):
                explanations = self._explainer.explanations(scope, ranked, shown.arrangement)
        return CachedAnswer(shown.answer(request_id, explanations), ranked.features, shown.propensities)

    def listed(self, request: RecommendationRequest) -> Listed:
        """The list alone and what the rules did to it, not recorded. Raises InvalidInput."""
        scope = self._scope(request)
        return arranged(scope, alone(self._ladder.ranked_candidates(scope, NO_DEADLINE))).listed()

    def why_not(self, request: RecommendationRequest, item_id: str) -> ItemOutcome:
        """What becomes of one item in this list, which is made for it and not recorded. Raises InvalidInput."""
        scope = self._scope(request)
        return why_not(item_id, scope, alone(self._ladder.ranked_candidates(scope, NO_DEADLINE)))

    def retrieve(self, request: RetrievalRequest) -> ScoredItems:
        """The k nearest items of the user's query embedding that pass the filters; fewer where fewer do.

        Raises UnknownUser, InvalidInput for a filter that the catalogue does not know, OnlineStoreError while
        features cannot be read, or ModelFailed.
        """
        assigned = self._releases.assigned(request.user_id)
        bundle = assigned.bundle
        features, context = self._users.features(request.user_id), context_rows(request.context, bundle)
        history = history_in(bundle, features)
        without = Exclusions(context=context, hidden=hidden_rows(features, bundle))
        kept = filtered(request, bundle.items, bundle.vocabularies, self._bought(request, bundle, history), without)
        with self._without_fallback(assigned):
            user = self._path.user(bundle, request.user_id, features, context, history)
            rows, scores = self._path.nearest(bundle, user, request.k, kept.mask)
        return _scored(request.user_id, bundle, rows, scores)

    def _bought(self, request: RetrievalRequest, bundle: LoadedBundle, history: UserHistory) -> Rows:
        """The user's own rows, for a list that leaves them out. Raises OnlineStoreError."""
        if request.include_seen:
            return NO_ROWS
        older = self._known.bought_before(request.user_id) or []
        return np.concatenate([history.item_rows, known_rows(older, bundle.vocabularies)])

    def rank(self, request: RankingRequest) -> ScoredItems:
        """The given items, best first.

        Raises InvalidInput naming items the catalogue lacks, UnknownUser, OnlineStoreError, or ModelFailed.
        """
        assigned = self._releases.assigned(request.user_id)
        bundle = assigned.bundle
        rows = _rows_of(request.item_ids, bundle)
        features, context = self._users.features(request.user_id), context_rows(request.context, bundle)
        with self._without_fallback(assigned):
            user = self._path.user(bundle, request.user_id, features, context, history_in(bundle, features))
            candidates = shortlist_of(user, rows, bundle.items)
            scores, order = self._path.ranked(bundle, candidates)
            if len(context) and bundle.related is not None:
                near = bundle.related.everything_near(context, bundle.items.neighbours)
                scores, order = in_context(scores, candidates.rows, near)
        return _scored(request.user_id, bundle, candidates.rows[order], scores[order])

    @contextmanager
    def _without_fallback(self, assigned: Assigned) -> Iterator[None]:
        """Counts for the bundle whether its models answered one stage alone. Raises ModelFailed where they do not."""
        try:
            yield
        except PartFailed as failed:
            self._releases.answered(assigned, Outcome.LACKING)
            part, version = failed.reason.value.replace("_", " "), assigned.bundle.manifest.bundle_version
            raise ModelFailed(
                f"The {part} of bundle {version} fails now. It is asked again by itself. "
                "The model `recommender` makes lists without it meanwhile."
            ) from failed
        self._releases.answered(assigned, Outcome.ANSWERED)

    def _scope(self, request: RecommendationRequest) -> RequestScope:
        assigned = self._releases.assigned(request.user_id, request.variant)
        return scope_of(request, assigned, self._rules.over(assigned.bundle))

    def _record(self, given: CachedAnswer, scope: RequestScope) -> None:
        answer = given.answer
        asked = scope.request.model_dump(exclude_defaults=True, exclude={"user_id", "variant", "explain", "page"})
        record = ImpressionRecord(
            request_id=answer.request_id,
            served_at=datetime.now(UTC).isoformat(),
            user_id=answer.user_id,
            bundle_version=answer.bundle_version,
            variant=answer.variant,
            propensity=scope.assigned.propensity,
            forced=scope.assigned.forced,
            degraded_level=answer.degraded_level,
            surface=scope.request.surface,
            rules_version=answer.rules_version,
            page_offset=scope.offset,
            request=asked,
            item_ids=[item.item_id for item in answer.items],
            scores=[item.score for item in answer.items],
            item_propensities=given.propensities,
            features=dict(given.features),
        )
        with self._metrics.stage("impression"):
            try:
                self._impressions.write(record)
                self._metrics.impression("written")
            except OSError:  # a full disk must not take recommendations down; the loss is counted and alerted on
                self._metrics.impression("lost")


def counted_level(answer: Recommendations) -> str:
    """The level as metrics have it: a list for an unknown user is `cold`, as no part has failed."""
    return COLD_LEVEL if answer.degraded_reason is Reason.UNKNOWN_USER else answer.degraded_level


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
