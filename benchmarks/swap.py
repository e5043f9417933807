"""Changes a running server's bundle back and forth while something else loads it: how long each change takes."""

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Swaps:
    """What the changes cost; what they did to the load is for who loads to say."""

    seconds: list[float]  # of each change, from the request to the answer that the other bundle serves
    failed: int


def swap_until(
    stop: threading.Event, url: str, versions: Sequence[str], api_key: str = "", pause_seconds: float = 1.0
) -> Swaps:
    """Serves each version in turn, pause_seconds apart, until stop is set."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    seconds, failed = [], 0
    with httpx.Client(base_url=url, headers=headers, timeout=60) as admin:
        for version in itertools.cycle(versions):
            if stop.wait(pause_seconds):
                break
            started = time.perf_counter()
            answer = admin.post("/admin/bundle", json={"version": version})
            seconds.append(time.perf_counter() - started)
            failed += not answer.is_success or answer.json()["bundle_version"] != version
    return Swaps(seconds, failed)
