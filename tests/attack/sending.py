"""Sends what an attack has drawn, and counts what was not answered as it must be: 5xx, or no answer at all."""

import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import httpx

from tests.attack.server import KEY, Attacked

WITH_KEY = {"authorization": f"Bearer {KEY}"}
Asked = tuple[str, str, dict[str, str], Any]
"""(method, path, headers, body), the body as bytes or as what JSON is made of."""


class Outcome(NamedTuple):
    """Result of one attack."""

    inputs: int
    failures: int


def asked(server: Attacked, requests: Iterable[Asked]) -> Outcome:
    """Sends them one after the other on one connection."""
    failures = inputs = 0
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for method, path, headers, body in requests:
            inputs += 1
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                given = {"content-type": "application/json", **headers}
                answer = client.request(method, path, content=content, headers=given)
                failures += answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or len(answer.content) > 2**21
            except httpx.RemoteProtocolError:  # refused before the request was whole
                continue
            except httpx.HTTPError:
                failures += 1
    return Outcome(inputs, failures)


def said(server: Attacked, conversations: list[list[bytes]], *, leave: bool = False) -> Outcome:
    """Sends each on a connection of its own, part by part. leave: without waiting for an answer."""
    failures = 0
    for parts in conversations:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            with suppress(OSError):  # refused while it is sent
                for part in parts:
                    connection.sendall(part)
            if leave:
                continue
            with suppress(OSError):
                failures += connection.recv(100).startswith(b"HTTP/1.1 5")
    return Outcome(len(conversations), failures)
