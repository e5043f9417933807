"""Events kept durably per second, and how soon they are in the features: `python -m benchmarks.events --help`.

One core has the server, the consumer inside it and Redis where there is one; the load comes from the others. Every
request is answered only when its events are on the disk. Closed loop over loopback, on the demo's bundle.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import httpx
import numpy as np

from benchmarks.processes import ROOT, server_cpu_seconds
from contracts.bundle.files import VOCABULARIES
from tandem.server import wait_until_ready

MUST_PER_SECOND = 2000
REDIS_OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--bind", "127.0.0.1")


def user_ids(bundle: Path, count: int) -> list[str]:
    """count users of the bundle's vocabulary, spread evenly and repeated when there are fewer."""
    known = json.loads((bundle / VOCABULARIES).read_text())["user_id"]
    return list(islice(cycle(known[:: max(len(known) // count, 1)]), count))


def batches(users: list[str], items: list[str], events: int, size: int) -> list[bytes]:
    """Request bodies that together hold the given number of events, each with an id of its own."""
    run = time.monotonic_ns()
    rows = [
        {
            "event_id": f"{run}-{n}",
            "event_type": "purchase",
            "user_id": users[n % len(users)],
            "item_id": items[n % len(items)],
            "basket_id": str(n // 5),
            "price": 1.99,
        }
        for n in range(events)
    ]
    return [json.dumps({"events": rows[at : at + size]}).encode() for at in range(0, events, size)]


def post(url: str, bodies: list[bytes], clients: int) -> tuple[list[float], float]:
    """([requests] milliseconds, seconds in all). Raises AssertionError for an event that was not kept."""

    def share(own: list[bytes]) -> list[float]:
        times = []
        with httpx.Client(base_url=url, timeout=30.0) as client:
            for body in own:
                started = time.perf_counter()
                answer = client.post("/events", content=body)
                times.append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 202 and not answer.json()["rejected"], answer.text
        return times

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        shares = list(pool.map(share, [bodies[at::clients] for at in range(clients)]))
    return [one for times in shares for one in times], time.perf_counter() - started


def metric(url: str, name: str) -> float:
    """The value of a metric without labels."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


@contextmanager
def serving(port: int, log: str, core: str) -> Iterator[tuple[str, int]]:
    """(URL, process id) of a server on one core."""
    command = ["taskset", "-c", core, sys.executable, "-m", "tandem", "serve", "--historical"]
    server = subprocess.Popen([*command, "--port", str(port), "--event-log", log], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(port, server)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def event_log(store: str, port: int, core: str) -> Iterator[str]:
    """URL of an empty log, on the disk that holds the project."""
    with tempfile.TemporaryDirectory(dir=ROOT / "data") as folder:
        if store == "sqlite":
            yield f"sqlite:///{folder}/events.db"
            return
        command = ["taskset", "-c", core, "redis-server", "--port", str(port), "--dir", folder, *REDIS_OPTIONS]
        redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            redis.terminate()
            redis.wait(timeout=30)


def measure(store: str, options: argparse.Namespace) -> float:
    """Events per second in the largest batches, printed with the rest."""
    log, bundle = event_log(store, options.port + 1, options.core), ROOT / "bundles" / "current"
    users = user_ids(bundle, 2000)
    items = json.loads((bundle / VOCABULARIES).read_text())["item_id"][:5000]
    with log as address, serving(options.port, address, options.core) as (url, pid):
        post(url, batches(users, items, 500, 50), 2)  # first allocations
        for size, clients, events in ((1, 32, 2000), (100, 8, options.events), (1000, 4, options.events)):
            bodies = batches(users, items, events, size)
            cpu = server_cpu_seconds(pid)
            times, seconds = post(url, bodies, clients)
            cpu = (server_cpu_seconds(pid) - cpu) * 1e6 / events
            p50, p99 = np.percentile(times, [50, 99])
            rate = events / seconds
            print(f"{store:>7} {size:>5} {clients:>7} {rate:>9.0f} {p50:>7.1f} {p99:>7.1f} {cpu:>12.0f}", flush=True)
        _freshness(url, batches(users, items, 1, 1))
    return rate


def _freshness(url: str, one: list[bytes]) -> None:
    """Prints how far behind the consumer is, and how long a single event takes when nothing waits."""
    started = time.perf_counter()
    while metric(url, "tandem_event_lag"):
        time.sleep(0.05)
    print(f"        the consumer was done {time.perf_counter() - started:.1f} s after the last request")
    applied = metric(url, "tandem_events_applied_total")
    post(url, one, 1)
    started = time.perf_counter()
    while metric(url, "tandem_events_applied_total") == applied:
        time.sleep(0.005)
    print(f"        one event on a quiet server is in the features after {time.perf_counter() - started:.2f} s")


def main() -> int:
    """Exit code 1 when a store keeps fewer events per second than it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="of each run with batches")
    parser.add_argument("--port", type=int, default=8092)
    parser.add_argument("--core", default="0", help="core of the server")
    options = parser.parse_args()
    if not (ROOT / "bundles" / "current").is_dir():
        print(f"There is no bundle below {ROOT}. Run `make demo CHECK=full` first.", file=sys.stderr)
        return 2
    stores = ["sqlite", "redis"] if shutil.which("redis-server") else ["sqlite"]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; server on core {options.core}")
    print("  store batch clients  events/s  p50 ms  p99 ms CPU us/event")
    rates = {store: measure(store, options) for store in stores}
    if len(stores) == 1:
        print("redis-server is not installed: only SQLite was measured")
    return int(min(rates.values()) < MUST_PER_SECOND)


if __name__ == "__main__":
    sys.exit(main())
