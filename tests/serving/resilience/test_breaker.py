"""When a failing dependency is asked, and when not."""

import pytest

from serving.resilience.breaker import Breaker, BreakerOpen, HeldUp


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


def tried(breaker: Breaker, subject: str, error: Exception | None = None) -> bool:
    """Whether the block ran."""
    try:
        with breaker.guard(subject):
            if error:
                raise error
    except BreakerOpen:
        return False
    except (OSError, HeldUp):
        pass
    return True


def test_what_one_subject_failed_says_nothing_of_another() -> None:
    clock, turns = Clock(), list[bool]()
    breaker = Breaker(2, 1.0, turns.append, clock)
    assert [tried(breaker, "a", OSError()) for _ in range(3)] == [True, True, False]
    assert tried(breaker, "b") and not tried(breaker, "a")  # b works, and a has still to wait
    assert turns == [True]
    clock.now = 2.0  # 1 s after a could have been tried again, and was not
    assert tried(breaker, "b")
    assert turns == [True, False]


def test_a_failure_of_another_subject_begins_the_count_anew() -> None:
    breaker = Breaker(2, 1.0, seconds=Clock())
    assert all(tried(breaker, subject, OSError()) for subject in ("a", "b", "a", "b", "b"))
    assert not tried(breaker, "b")


def test_one_failure_that_held_everything_up_is_enough() -> None:
    clock = Clock()
    breaker = Breaker(3, 1.0, seconds=clock)
    assert tried(breaker, "a", HeldUp("a run was ended", 20.0))
    clock.now = 19.9
    assert not tried(breaker, "a") and tried(breaker, "b")
    clock.now = 20.0
    assert tried(breaker, "a")
