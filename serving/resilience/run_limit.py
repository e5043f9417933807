"""A time limit on one run of a model: a graph can loop for ever on one input and answer on every other.

The thread that computes lists waits for the run, so another thread looks. It counts its own looks and reads no clock:
a machine that stood still for a minute has not made a model slow.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import onnxruntime

from serving.resilience.breaker import HeldUp

LOOKS: Final = 4
"""Looks at a run within its limit. The next one ends it, after 1 to 1.25 times the limit."""
PATIENCE: Final = 10
"""How many times the limit a model is left alone after a run that was ended."""

Run = Callable[[onnxruntime.InferenceSession, dict[str, Any]], list[Any]]
"""The outputs of a session for named inputs."""


class ModelTookTooLong(HeldUp):
    """A run that was ended; meanwhile no other list was made."""

    http_status = 503


def without_limit(session: onnxruntime.InferenceSession, inputs: dict[str, Any]) -> list[Any]:
    """The session's outputs, however long they take."""
    outputs: list[Any] = session.run(None, inputs)
    return outputs


@dataclass
class _Running:
    options: onnxruntime.RunOptions
    looks: int = 0


class RunLimit:
    """Runs sessions, and ends each run that takes too long once `watch` runs in a thread of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._runs: dict[int, _Running] = {}  # by thread: each has one run at a time

    def run(self, session: onnxruntime.InferenceSession, inputs: dict[str, Any]) -> list[Any]:
        """The session's outputs. Raises ModelTookTooLong where the run was ended."""
        running = _Running(onnxruntime.RunOptions())
        self._runs[threading.get_ident()] = running
        try:
            outputs: list[Any] = session.run(None, inputs, running.options)
        except Exception as error:
            if running.options.terminate:
                raise ModelTookTooLong(
                    f"A model took longer than {self._seconds:g} s and was ended (TANDEM_MODEL_RUN_SECONDS).",
                    PATIENCE * self._seconds,
                ) from error
            raise
        finally:
            self._runs.pop(threading.get_ident(), None)
        return outputs

    @property
    def running(self) -> int:
        """Runs that go on."""
        return len(self._runs)

    def watch(self, stop: threading.Event) -> None:
        """Looks at what runs until stop is set."""
        while not stop.wait(self._seconds / LOOKS):
            for running in list(self._runs.values()):
                running.looks += 1
                if running.looks > LOOKS:
                    running.options.terminate = True
