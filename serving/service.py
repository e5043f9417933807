"""Everything that routes answer with, built once and passed along."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from serving.cache import Cache, NoCache
from serving.intake import Intake
from serving.items import Items
from serving.lists import Lists
from serving.live import LiveReleases
from serving.metrics import Metrics
from serving.recommender import Recommender
from serving.settings import ServingSettings
from serving.users import Users
from serving.worker import call

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Service:
    """The collaborators of one process."""

    settings: ServingSettings
    metrics: Metrics
    releases: LiveReleases
    recommender: Recommender
    users: Users
    items: Items
    worker: Executor
    lists: Lists
    seconds: Callable[[], float]  # the moment of a request, Unix
    intake: Intake | None = None  # None without an event log
    cache: Cache = field(default_factory=NoCache)

    def forget(self, user_id: str) -> None:
        """The user did something: no answer from before is given again."""
        self.cache.forget(user_id)

    def variants(self) -> tuple[str, ...]:
        """Variants whose answers an interaction can have followed."""
        return self.releases.variants()

    async def computed(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result, computed beside the event loop."""
        return await call(self.worker, function, *args, **kwargs)
