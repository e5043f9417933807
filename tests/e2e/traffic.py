"""Requests through the gateway, one after the other or at a steady rate, and what became of them."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Answer:
    """One request's end; status 0 where no answer came."""

    status: int
    seconds: float
    variant: str = ""
    bundle_version: str = ""
    item_ids: tuple[str, ...] = ()
    fault: str = ""

    @property
    def harmed(self) -> bool:
        """Whether the client got less than a list."""
        return self.status != 200 or not self.item_ids


@dataclass
class Traffic:
    """Answers of one run, in the order in which they came."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def failed(self) -> list[Answer]:
        """Answers that are not 200."""
        return [answer for answer in self.answers if answer.status != 200]

    @property
    def harmed(self) -> int:
        """Clients that got an error or an empty list."""
        return sum(answer.harmed for answer in self.answers)

    def by_variant(self) -> Counter[str]:
        """Answers of each slot."""
        return Counter(answer.variant for answer in self.answers)

    def milliseconds(self, quantile: float) -> float:
        """Latency at a quantile, as the client sees it."""
        ordered = sorted(answer.seconds for answer in self.answers)
        return 1000 * ordered[min(int(quantile * len(ordered)), len(ordered) - 1)]

    def faults(self) -> str:
        """The first failures, for the message."""
        return "; ".join(sorted({f"{answer.status} {answer.fault}" for answer in self.failed})[:3])


class Gateway:
    """The way in, as a client outside of the cluster has it."""

    def __init__(self, url: str, host: str, key: Mapping[str, str]) -> None:
        """key: header of a surface's server, as lists are closed to callers without one."""
        self._url = url
        self._host = host
        self._key = key
        self._of_thread = threading.local()

    @property
    def client(self) -> httpx.Client:
        """This thread's own: in a pool that threads share, one may close an idle connection that another has taken."""
        if not hasattr(self._of_thread, "client"):
            self._of_thread.client = httpx.Client(base_url=self._url, headers={"host": self._host}, timeout=15)
        client: httpx.Client = self._of_thread.client
        return client

    def recommend(self, user_id: str, n: int = 10, slot: str = "") -> Answer:
        """The list of one user; with a slot, that slot's."""
        headers = {**self._key, "x-tandem-slot": slot} if slot else dict(self._key)
        started = time.perf_counter()
        try:
            response = self.client.get(f"/recommendations/{user_id}", params={"n": n}, headers=headers)
            body: Any = response.json() if response.status_code == 200 else {}
        except (httpx.HTTPError, ValueError) as error:
            return Answer(0, time.perf_counter() - started, fault=f"{type(error).__name__}: {error}")
        return _answer(response, body, time.perf_counter() - started)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """One POST of JSON."""
        return self.client.post(path, json=body, headers=dict(headers or {}))

    @contextmanager
    def under_load(self, user_ids: Sequence[str], per_second: float, slot: str = "") -> Iterator[Traffic]:
        """Steady requests while the block runs; the traffic is complete when the block has ended."""
        traffic, stop = Traffic(), threading.Event()
        users = itertools.cycle(user_ids)
        with ThreadPoolExecutor(max_workers=16) as pool:

            def one() -> None:
                traffic.answers.append(self.recommend(next(users), slot=slot))

            def pace() -> None:
                due = time.monotonic()
                while not stop.is_set():
                    pool.submit(one)
                    due += 1 / per_second
                    stop.wait(max(due - time.monotonic(), 0))

            pacing = threading.Thread(target=pace)
            pacing.start()
            try:
                yield traffic
            finally:
                stop.set()
                pacing.join()


def _answer(response: httpx.Response, body: Any, seconds: float) -> Answer:
    return Answer(
        status=response.status_code,
        seconds=seconds,
        variant=body.get("variant", ""),
        bundle_version=body.get("bundle_version", ""),
        item_ids=tuple(item["item_id"] for item in body.get("items", [])),
        fault="" if body else response.text[:200],
    )
