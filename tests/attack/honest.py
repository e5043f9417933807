"""A client that asks for one list after the other, and remembers how long the slowest took."""

import threading
import time
from types import TracebackType

import httpx


class Honest:
    """Asks while the block runs."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers = self.failures = 0
        self.worst_seconds = 0.0

    def __enter__(self) -> "Honest":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._stop.is_set():
                started = time.perf_counter()
                try:
                    is_right = client.get("/recommendations/1").status_code == httpx.codes.OK
                except httpx.HTTPError:
                    is_right = False
                self.worst_seconds = max(self.worst_seconds, time.perf_counter() - started)
                self.answers += 1
                self.failures += not is_right
                self._stop.wait(0.02)
