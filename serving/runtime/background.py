"""Background threads of the server: here posted events take effect."""

import logging
import threading
from collections.abc import Callable
from typing import Final

RETRY_SECONDS: Final = 1.0
"""Before a loop that has failed begins again."""


class Background:
    """Runs loops until it is closed; each is asked to stop, and waited for."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Callable[[threading.Event], None]) -> None:
        """Runs the loop in a thread of its own; it must end soon after the event is set.

        One that fails is logged and begins again: a server whose lists no longer follow the events would go unnoticed.
        """
        thread = threading.Thread(target=self._run, args=(name, loop), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, name: str, loop: Callable[[threading.Event], None]) -> None:
        while not self._stop.is_set():
            try:
                loop(self._stop)
                return
            except Exception:  # stores and runtimes raise what they like
                logging.getLogger(__name__).exception("%s has failed, and begins again", name)
                self._stop.wait(RETRY_SECONDS)

    def close(self, seconds: float = 10.0) -> None:
        """Returns when every loop has ended, or after the given seconds each."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds)
