"""Lists that are asked for at the same time are made side by side: each takes a stage before any takes the next.

Code, weights and tables of a stage have left the processor's caches when the next request comes to it. Eight requests
that take every stage together find them there, which saves a third of the CPU (`python -m benchmarks.stages`). Nothing
is vectorised over users: each request runs the same lines that it would run alone.
"""

import asyncio
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import Final, Generic, TypeVar

T = TypeVar("T")
Stages = Generator[None, None, T]
"""Work that pauses between its stages and returns its result."""
Waiting = tuple[Stages[T], "asyncio.Future[T]"]

MOST: Final = 8
"""At once. More save nothing further, and a list that has just come would wait for all of them."""
MOST_OF_BATCHES: Final = 4
"""Lists of one batch that are made at once. A caller who waits for one list waits for at most this many of a batch."""


def alone(steps: Stages[T]) -> T:
    """The result of one request's work, done alone."""
    (outcome,) = stage_batching([steps])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def stage_batching(several: Sequence[Stages[T]]) -> list[T | Exception]:
    """What each returned or raised, in order; all are advanced by one stage in turn."""
    outcomes: dict[Stages[T], T | Exception] = {}
    going = list(several)
    while going:
        for steps in going:
            try:
                next(steps)
            except StopIteration as ended:
                outcomes[steps] = ended.value
            except Exception as error:  # noqa: BLE001 - of this request alone; its caller gets the error
                outcomes[steps] = error
        going = [steps for steps in going if steps not in outcomes]
    return [outcomes[steps] for steps in several]


class StageBatching(Generic[T]):
    """Collects work on the event loop while the worker computes what came before. For one event loop."""

    def __init__(self, worker: Executor) -> None:
        self._worker = worker
        self._waiting: deque[Waiting[T]] = deque()
        self._of_batches: deque[Waiting[T]] = deque()  # take turns with the others, however many they are
        self._turn_of_batches = False
        self._computing = False

    async def result(self, steps: Stages[T]) -> T:
        """What the work returns or raises, computed outside the event loop."""
        return await self._put(self._waiting, steps)

    async def results(self, several: Iterable[Stages[T]]) -> list[T]:
        """All results, in order; MOST at a time, so others are answered in between. Raises what the first raised."""
        done: list[T] = []
        coming = iter(several)
        while batch := list(islice(coming, MOST)):
            done += await asyncio.gather(*(self._put(self._of_batches, steps) for steps in batch))
        return done

    async def _put(self, waiting: "deque[Waiting[T]]", steps: Stages[T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        waiting.append((steps, future))
        self._begin(loop)
        return await future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if (self._waiting or self._of_batches) and not self._computing:
            self._worker.submit(self._compute, loop)
            self._computing = True

    def _next(self) -> "list[Waiting[T]]":
        """What is computed next: those who wait for one list, and after each such turn some of the long batches."""
        self._turn_of_batches = bool(self._of_batches) and (self._turn_of_batches or not self._waiting)
        waiting, most = (self._of_batches, MOST_OF_BATCHES) if self._turn_of_batches else (self._waiting, MOST)
        self._turn_of_batches = not self._turn_of_batches
        return [waiting.popleft() for _ in range(min(len(waiting), most))]

    def _compute(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the worker."""
        batch = self._next()
        outcomes = stage_batching([steps for steps, _ in batch])
        loop.call_soon_threadsafe(self._deliver, loop, [future for _, future in batch], outcomes)

    def _deliver(
        self, loop: asyncio.AbstractEventLoop, futures: Sequence[asyncio.Future[T]], outcomes: Sequence[T | Exception]
    ) -> None:
        for future, outcome in zip(futures, outcomes, strict=True):
            if future.done():  # nobody waits any more
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._computing = False
        self._begin(loop)
