"""Latency and errors of the demo's server: `make bench`, or `python -m benchmarks.serving --help`.

Closed loop over loopback: each client sends its next request when the last is answered. Times include the client.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import httpx
import numpy as np

from contracts.bundle import VOCABULARIES
from tandem.demo import wait_until_ready

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Load:
    """What one run measured."""

    clients: int
    milliseconds: list[float]  # one a request, in no order
    errors: int
    seconds: float  # from the first request to the last answer


def user_ids(bundle: Path, count: int) -> list[str]:
    """count users of the bundle's vocabulary, spread evenly and repeated when there are fewer."""
    known = json.loads((bundle / VOCABULARIES).read_text())["user_id"]
    return list(islice(cycle(known[:: max(len(known) // count, 1)]), count))


def run(url: str, users: list[str], clients: int) -> Load:
    """Asks one list for each user, with so many clients at a time."""

    def ask(share: list[str]) -> tuple[list[float], int]:
        times, errors = [], 0
        with httpx.Client(base_url=url, timeout=10.0) as client:
            for user in share:
                started = time.perf_counter()
                answer = client.get(f"/recommendations/{user}", params={"n": 20})
                times.append((time.perf_counter() - started) * 1000)
                errors += answer.status_code != 200 or len(answer.json()["items"]) != 20
        return times, errors

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        shares = list(pool.map(ask, [users[at::clients] for at in range(clients)]))
    return Load(
        clients, [t for times, _ in shares for t in times], sum(e for _, e in shares), time.perf_counter() - started
    )


def server_cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Exit code 1 when a request failed or p99 of a single client reached the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="per number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--p99-limit-ms", type=float, default=100.0)
    options = parser.parse_args()
    bundle = ROOT / "bundles" / "current"
    if not bundle.is_dir():
        print(f"There is no bundle at {bundle}. Run `make demo CHECK=1` first.", file=sys.stderr)
        return 2
    command = [sys.executable, "-m", "tandem", "serve", "--historical", "--port", str(options.port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(options.port, server)
        return _report(options, server.pid, user_ids(bundle, options.requests))
    finally:
        server.terminate()
        server.wait(timeout=30)


def _report(options: argparse.Namespace, pid: int, users: list[str]) -> int:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; client and server share them")
    print("clients requests errors   req/s  p50 ms  p99 ms  max ms CPU ms/req")
    failed = False
    for clients in options.clients:
        cpu = server_cpu_seconds(pid)
        load = run(f"http://127.0.0.1:{options.port}", users, clients)
        cpu = (server_cpu_seconds(pid) - cpu) * 1000 / len(users)
        p50, p99 = np.percentile(load.milliseconds, [50, 99])
        rate = len(users) / load.seconds
        print(
            f"{clients:>7} {len(users):>8} {load.errors:>6} {rate:>7.0f} {p50:>7.1f} {p99:>7.1f} "
            f"{max(load.milliseconds):>7.1f} {cpu:>10.2f}"
        )
        failed |= load.errors > 0 or (clients == 1 and p99 >= options.p99_limit_ms)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
