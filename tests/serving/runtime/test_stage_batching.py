"""Work that is done side by side comes out as if each had been alone."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from serving.runtime.stage_batching import MOST, MOST_OF_BATCHES, StageBatching, Stages, alone, stage_batching


@pytest.fixture
def worker() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def counting(name: str, stages: int, seen: list[str]) -> Stages[str]:
    for stage in range(stages):
        seen.append(f"{name}{stage}")
        yield
    return name


def failing(after: int) -> Stages[str]:
    for _ in range(after):
        yield
    raise ValueError("no")


def test_each_takes_a_stage_before_any_takes_the_next() -> None:
    seen: list[str] = []
    assert stage_batching([counting("a", 3, seen), counting("b", 2, seen)]) == ["a", "b"]
    assert seen == ["a0", "b0", "a1", "b1", "a2"]


def test_what_fails_does_so_alone() -> None:
    one, failed, other = stage_batching([counting("a", 1, []), failing(1), counting("b", 3, [])])
    assert (one, other) == ("a", "b")
    assert isinstance(failed, ValueError)
    with pytest.raises(ValueError, match="no"):
        alone(failing(0))


def test_everybody_gets_an_own_result_in_order(worker: Executor) -> None:
    async def ask() -> list[str]:
        together: StageBatching[str] = StageBatching(worker)
        return await together.results(counting(str(number), number % 4, []) for number in range(3 * MOST + 1))

    assert asyncio.run(ask()) == [str(number) for number in range(3 * MOST + 1)]


def test_a_failure_reaches_who_waits_for_it_and_nobody_else(worker: Executor) -> None:
    async def ask() -> list[object]:
        together: StageBatching[str] = StageBatching(worker)
        asked = [together.result(steps) for steps in (counting("a", 2, []), failing(1), counting("b", 1, []))]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    one, failed, other = asyncio.run(ask())
    assert (one, other) == ("a", "b")
    assert isinstance(failed, ValueError)


def test_who_goes_away_leaves_the_others_their_results(worker: Executor) -> None:
    async def ask() -> str:
        together: StageBatching[str] = StageBatching(worker)
        gone = asyncio.create_task(together.result(counting("gone", 2, [])))
        stays = asyncio.create_task(together.result(counting("stays", 2, [])))
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(ask()) == "stays"


def test_a_long_batch_lets_others_in_between(worker: Executor) -> None:
    async def ask() -> list[str]:
        together: StageBatching[str] = StageBatching(worker)
        order: list[str] = []

        async def batch() -> None:
            await together.results(counting("batch", 1, []) for _ in range(5 * MOST))
            order.append("batch")

        async def single() -> None:
            await together.result(counting("single", 1, []))
            order.append("single")

        await asyncio.gather(batch(), single())
        return order

    assert asyncio.run(ask()) == ["single", "batch"]


def test_one_list_waits_for_no_more_than_one_turn_of_the_long_batches(worker: Executor) -> None:
    """Four batches of 64 and ten who ask for one list each, one after the other."""
    seen: list[str] = []

    async def ask() -> None:
        together: StageBatching[str] = StageBatching(worker)

        async def batch(name: str) -> None:
            await together.results(counting(name, 1, seen) for _ in range(64))

        async def single() -> None:
            for _ in range(10):
                before = len(seen)
                await together.result(counting("single", 1, seen))
                between = seen[before:]
                assert between.count("single0") == 1
                assert len(between) <= 2 * MOST_OF_BATCHES + 1, between  # of a turn that had begun, and of one more

        await asyncio.gather(*(batch(f"batch{number}-") for number in range(4)), single())

    asyncio.run(ask())
    assert len(seen) == 4 * 64 + 10
