"""When a failing dependency is asked, and when not."""

import pytest

from serving.resilience.breaker import Breaker, BreakerOpen


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Dependency:
    """Works or not; counts how often it is asked."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.works = False
        self.asked = 0

    def ask(self) -> str:
        with self._breaker.guard():
            self.asked += 1
            if not self.works:
                raise OSError("down")
            return "answer"


def outcome(dependency: Dependency) -> str:
    try:
        return dependency.ask()
    except (OSError, BreakerOpen) as error:
        return type(error).__name__


def test_after_three_failures_it_is_asked_once_a_second_and_closes_when_that_works() -> None:
    clock, turns = Clock(), list[bool]()
    dependency = Dependency(Breaker(3, 1.0, turns.append, clock))
    assert [outcome(dependency) for _ in range(5)] == ["OSError"] * 3 + ["BreakerOpen"] * 2
    clock.now = 1.0
    assert [outcome(dependency) for _ in range(3)] == ["OSError", "BreakerOpen", "BreakerOpen"]
    clock.now, dependency.works = 1.9, True
    assert outcome(dependency) == "BreakerOpen"
    clock.now = 2.0
    assert [outcome(dependency) for _ in range(2)] == ["answer", "answer"]
    assert dependency.asked == 3 + 1 + 2
    assert turns == [True, False]


def test_failures_with_successes_between_do_not_open_it() -> None:
    dependency = Dependency(Breaker(2, 1.0, seconds=Clock()))
    for _ in range(5):
        dependency.works = not dependency.works
        outcome(dependency)
    assert dependency.asked == 5


def test_what_fails_is_told_as_it_is() -> None:
    with pytest.raises(OSError, match="down"):
        Dependency(Breaker(1, 1.0)).ask()
