"""Background threads of the server: here posted events take effect."""

import threading
from collections.abc import Callable


class Background:
    """Runs loops until it is closed; each is asked to stop, and waited for."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Callable[[threading.Event], None]) -> None:
        """Runs the loop in a thread of its own; it must end soon after the event is set."""
        thread = threading.Thread(target=loop, args=(self._stop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self, seconds: float = 10.0) -> None:
        """Returns when every loop has ended, or after the given seconds each."""
        self._stop.set()
        for thread in self._threads:
            thread.join(seconds)
