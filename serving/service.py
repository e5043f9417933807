"""Everything that routes answer with, built once and passed along."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from time import monotonic
from typing import ParamSpec, TypeVar

from contracts.api.answers import Recommendations
from contracts.api.requests import RecommendationRequest
from contracts.audit.audit_log import Audit, NoAudit
from contracts.erasure.suppression import SuppressionList
from serving.bundles.live_releases import LiveReleases
from serving.erasure.server_erasure import Stores
from serving.events.intake import Intake
from serving.metrics import Metrics
from serving.recommendation.answer_cache import Cache, NoCache
from serving.recommender import Recommender
from serving.related_items import RelatedItems
from serving.resilience.run_limit import RunLimit
from serving.runtime.list_ids import ListIds
from serving.runtime.stage_batching import StageBatching
from serving.runtime.worker import call
from serving.settings import ServingSettings
from serving.users import Users

P = ParamSpec("P")
R = TypeVar("R")


class Lists:
    """The recommender's lists; those that are asked for at the same time are made side by side."""

    def __init__(self, recommender: Recommender, worker: Executor) -> None:
        self._recommender = recommender
        self._waiting: StageBatching[Recommendations] = StageBatching(worker)

    async def answer(
        self, request: RecommendationRequest, *, shown: bool = True, compared: bool = True
    ) -> Recommendations:
        """The user's list. shown: whether somebody will see it. compared: whether it counts in a comparison of slots.

        Raises TandemError.
        """
        return await self._waiting.result(self._recommender.steps(request, monotonic(), shown=shown, compared=compared))

    async def answers(
        self, requests: Sequence[RecommendationRequest], *, shown: bool = True, compared: bool = True
    ) -> list[Recommendations]:
        """A list for each, in order; others are answered in between. Raises TandemError."""
        if len(requests) == 1:  # a single request, whatever the protocol wraps it in
            return [await self.answer(requests[0], shown=shown, compared=compared)]
        return await self._waiting.results(
            self._recommender.steps(request, monotonic(), shown=shown, compared=compared) for request in requests
        )


@dataclass(frozen=True)
class Service:
    """The collaborators of one process."""

    settings: ServingSettings
    metrics: Metrics
    releases: LiveReleases
    recommender: Recommender
    users: Users
    related_items: RelatedItems
    worker: Executor
    lists: Lists
    seconds: Callable[[], float]  # the moment of a request, Unix
    limit: RunLimit  # of the models' runs
    list_ids: ListIds = field(default_factory=ListIds)
    intake: Intake | None = None  # None without an event log
    cache: Cache = field(default_factory=NoCache)
    suppressed: SuppressionList | None = None  # None where nobody can be erased
    stores: Stores | None = None  # what an erasure goes through
    audit: Audit = field(default_factory=NoAudit)

    def is_erased(self, user_id: str) -> bool:
        """Whether the user was erased: nothing of them may be written."""
        return self.suppressed is not None and user_id in self.suppressed

    def forget(self, user_id: str) -> None:
        """The user did something: no answer from before is given again."""
        self.cache.forget(user_id)

    def variants(self) -> tuple[str, ...]:
        """Variants whose answers an interaction can have followed."""
        return self.releases.variants()

    async def computed(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result, computed outside the event loop."""
        return await call(self.worker, function, *args, **kwargs)
