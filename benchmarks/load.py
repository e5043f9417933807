"""A load generator that costs little itself: raw HTTP/1.1 over kept-alive loopback sockets, one thread, one selector.

Closed loop: each client sends its next request when the last one is answered, so a server that is slower
gets fewer requests; at a given rate, requests go out when they are due. httpx costs 0.6 ms of CPU a request, this 0.05.
"""

import math
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

READ_BYTES = 65_536
TIMEOUT_SECONDS = 10.0


@dataclass
class Load:
    """What one run measured."""

    clients: int
    seconds: float = 0.0  # from the first request to the last answer
    milliseconds: list[float] = field(default_factory=list)  # one an answer, in the order of answers
    failures: list[bytes] = field(default_factory=list)  # beginnings of answers that were not as expected

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, percent: float) -> float:
        """Milliseconds within which the given percentage of the requests were answered."""
        return float(np.percentile(self.milliseconds, percent))


class _Client:
    """One connection."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._received = b""
        self._started = 0.0

    def send(self) -> None:
        """The next request."""
        self._received = b""
        self._started = time.perf_counter()
        self.socket.sendall(next(self._requests))

    def receive(self) -> bytes | None:
        """The whole answer, or None while more is to come. Raises ConnectionError when the server hung up."""
        received = self.socket.recv(READ_BYTES)
        if not received:
            raise ConnectionError("the server closed the connection")
        self._received += received
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        return self._received if len(body) >= _content_length(head) else None

    def waited_ms(self) -> float:
        """Since the request was sent."""
        return (time.perf_counter() - self._started) * 1000


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


Check = Callable[[bytes], bool]
"""Whether an answer, from its status line on, is what was asked for."""


def run(
    port: int, requests: Iterable[bytes], clients: int, seconds: float, good: Check, rate: float | None = None
) -> Load:
    """Repeats the requests for that many seconds, at most rate a second."""
    load, stream, selector = Load(clients), cycle(requests), selectors.DefaultSelector()
    idle = deque(_Client(port, stream) for _ in range(clients))
    for client in idle:
        selector.register(client.socket, selectors.EVENT_READ, client)
    started, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds or len(idle) < clients:
        if passed < seconds:
            sent += _send_due(idle, math.inf if rate is None else passed * rate - sent)
        until_due = TIMEOUT_SECONDS if rate is None or not idle or passed >= seconds else sent / rate - passed
        ready = selector.select(max(until_due, 0.0))
        if not ready and until_due == TIMEOUT_SECONDS:
            load.failures.append(b"no answer within the time limit")
            break
        idle.extend(key.data for key, _ in ready if _answered(key.data, load, good))
    load.seconds = time.perf_counter() - started
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    return load


def _send_due(idle: deque[_Client], due: float) -> int:
    """How many requests were sent: those that are due, as far as clients are idle."""
    sent = 0
    while idle and sent <= due:
        idle.popleft().send()
        sent += 1
    return sent


def _answered(client: _Client, load: Load, good: Check) -> bool:
    """Whether the client is idle again. Raises ConnectionError when the server hung up: then no figure counts."""
    answer = client.receive()
    if answer is None:
        return False
    load.milliseconds.append(client.waited_ms())
    if not answer.startswith(b"HTTP/1.1 200") or not good(answer):
        load.failures.append(answer[:300])
    return True


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body
