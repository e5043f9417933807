"""Threads behind the server: one that fails begins again, and all of them end."""

import logging
import threading

import pytest

from serving.runtime import background as module
from serving.runtime.background import Background


def test_a_loop_that_fails_is_logged_and_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    begun, again = list[str](), threading.Event()

    def loop(stop: threading.Event) -> None:
        begun.append(threading.current_thread().name)
        if len(begun) == 1:
            raise RuntimeError("a store says something new")
        again.set()
        stop.wait()

    background = Background()
    with caplog.at_level(logging.ERROR):
        background.start("follower", loop)
        assert again.wait(10)
    background.close()
    assert begun == ["follower", "follower"]
    assert "follower has failed, and begins again" in caplog.text and "a store says something new" in caplog.text


def test_a_loop_that_ends_does_not_begin_again() -> None:
    begun = list[int]()
    background = Background()
    background.start("once", lambda _: begun.append(1))
    background.close()
    assert begun == [1]
