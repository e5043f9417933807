"""Lists for routes and protocols: waited for on the event loop, made in the worker."""

from collections.abc import Sequence
from concurrent.futures import Executor
from time import monotonic

from contracts.api import RecommendationRequest, Recommendations
from serving.recommender import Recommender
from serving.side_by_side import SideBySide


class Lists:
    """The recommender's lists; those that are asked for at the same time are made side by side."""

    def __init__(self, recommender: Recommender, worker: Executor) -> None:
        self._recommender = recommender
        self._waiting: SideBySide[Recommendations] = SideBySide(worker)

    async def answer(self, request: RecommendationRequest, *, shown: bool = True) -> Recommendations:
        """The user's list. shown: whether somebody will see it. Raises TandemError."""
        return await self._waiting.result(self._recommender.steps(request, monotonic(), shown=shown))

    async def answers(self, requests: Sequence[RecommendationRequest], *, shown: bool = True) -> list[Recommendations]:
        """A list for each, in order; others are answered in between. Raises TandemError."""
        return await self._waiting.results(
            self._recommender.steps(request, monotonic(), shown=shown) for request in requests
        )
