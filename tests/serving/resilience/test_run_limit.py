"""A model that never ends on one input: its run is ended, and the next one answers."""

import threading
from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from serving.resilience.run_limit import LOOKS, PATIENCE, ModelTookTooLong, RunLimit, without_limit
from tests.support.bundles.broken_models import looping_for

LIMIT_SECONDS = 0.2
WIDTH = 3


@pytest.fixture
def limit() -> Iterator[RunLimit]:
    """One that is watched."""
    limit, stop = RunLimit(LIMIT_SECONDS), threading.Event()
    thread = threading.Thread(target=limit.watch, args=(stop,))
    thread.start()
    yield limit
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    """Sums the features of each candidate, and never ends where the first one is above 99."""
    return onnxruntime.InferenceSession(looping_for(WIDTH, above=99), providers=["CPUExecutionProvider"])


def of(first: float) -> dict[str, np.ndarray]:
    return {"inputs": np.array([[[first, 2, 3], [4, 5, 6]]], np.float32)}


def test_a_run_that_never_ends_is_ended_and_the_next_one_answers(
    limit: RunLimit, session: onnxruntime.InferenceSession
) -> None:
    for _ in range(2):
        with pytest.raises(ModelTookTooLong, match=r"longer than 0\.2 s and was ended") as raised:
            limit.run(session, of(100))
        assert raised.value.seconds == PATIENCE * LIMIT_SECONDS
        (scores,) = limit.run(session, of(1))
        assert scores.tolist() == [[6, 15]]  # 1 + 2 + 3 and 4 + 5 + 6


def test_what_a_model_raises_by_itself_is_raised(limit: RunLimit, session: onnxruntime.InferenceSession) -> None:
    with pytest.raises(Exception, match="Got invalid dimensions"):
        limit.run(session, {"inputs": np.zeros((1, 2, WIDTH + 1), np.float32)})


def test_looks_are_counted_and_no_clock_is_read(session: onnxruntime.InferenceSession) -> None:
    """A machine that stood still for an hour has made one look."""
    looks = Looks(LOOKS)
    limit, outcome = RunLimit(3600), list[object]()

    def run() -> None:
        try:
            outcome.append(limit.run(session, of(100)))
        except ModelTookTooLong as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not limit.running:
        pass
    limit.watch(looks)
    assert limit.running == 1 and not outcome  # after LOOKS looks, an hour by the clock of the limit
    limit.watch(Looks(1))
    thread.join()
    assert isinstance(outcome[0], ModelTookTooLong)


class Looks(threading.Event):
    """Lets a number of looks be made, at once."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._left = number

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        return self._left < 0


def test_without_a_limit_a_session_answers_the_same(session: onnxruntime.InferenceSession) -> None:
    assert without_limit(session, of(1))[0].tolist() == [[6, 15]]
