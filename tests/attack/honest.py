"""A client that asks for one list after the other, and remembers how long the slowest took."""

import threading
import time
from types import TracebackType

import httpx


class Honest:
    """Asks while the block runs."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {key}"}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers = self.failures = 0
        self.seconds: list[float] = []

    def __enter__(self) -> "Honest":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __str__(self) -> str:
        """Its figures."""
        ordered = sorted(self.seconds) or [0.0]
        median, worst = ordered[len(ordered) // 2] * 1000, ordered[-1] * 1000
        answered = f"{self.answers:,} answers, {self.failures} failures"
        return f"honest client: {answered}, median {median:.0f} ms, worst {worst:.0f} ms"

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as client:
            while not self._stop.is_set():
                started = time.perf_counter()
                try:
                    is_right = client.get("/recommendations/1").status_code == httpx.codes.OK
                except httpx.HTTPError:
                    is_right = False
                self.seconds.append(time.perf_counter() - started)
                self.answers += 1
                self.failures += not is_right
                self._stop.wait(0.1)
