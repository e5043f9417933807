"""The speed of serving: `make bench`, or `python -m benchmarks.serving --help`.

One core has the server, the other the load and a real Redis as online store. The world is drawn (benchmarks/sized), the
bundle has the real towers, index and ranker, every user has 200 distinct items in the history, so that 500 candidates
are ranked. Figures of a machine that does other work at the same time are pessimistic, the table says so.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import load
from benchmarks.figures import Figure, Table
from benchmarks.processes import ROOT, Measured, hardware, serving
from benchmarks.swap import swap_until
from contracts.bundle.files import is_served
from contracts.bundle.manifest import read_manifest, schema_hash
from contracts.features.names import USER_ID
from tests.support.real_parts.redis_server import RedisServer, missing, use_redis
from training.workspace import Workspace

SERVER_CORE, CLIENT_CORE = 0, 1
USERS_ASKED = 1000
LIST_LENGTH = 20
CLIENTS = (2, 4, 8, 12, 16, 24, 32)
P99_LIMIT_MS = 50.0
SOAK_LOAD = 0.7
MARK = "b"
FORM = 3
"""Raised when models or index are built otherwise on the same features: what lies there is then built again."""
FULL = b'"degraded_level":"full"'
PATIENT = {"online_store_timeout_ms": "1000", "retrieval_deadline_ms": "5000", "ranking_deadline_ms": "5000"}
"""Every answer that is timed goes the full path: nothing is left out because it would come late."""


def bundle_of(folder: Path, users: int, items: int) -> Path:
    """The sealed bundle of a drawn world, built once: minutes. A marked variation lies next to it."""
    world = folder / f"{users}x{items}-{schema_hash()}-{FORM}"
    built = world / "built"
    if not built.is_file():
        from benchmarks.sized.bundle import build_bundle  # imports TensorFlow
        from benchmarks.sized.world import SizedWorld
        from tests.support.bundles.variations import variation

        print(f"building the bundle of {users:,} users and {items:,} items, once ...", flush=True)
        bundle = build_bundle(SizedWorld(users, items), world / "bundles")
        built.write_text(json.dumps([bundle.name, variation(bundle, bundle.parent, MARK).name]))
    return world / "bundles" / str(json.loads(built.read_text())[0])


@contextmanager
def online_store(folder: Path, port: int, users: int, items: int) -> Iterator[Path]:
    """Feature repository whose online store is a Redis with features of the users that are asked for."""
    from benchmarks.sized.store import fill_store
    from benchmarks.sized.world import SizedWorld

    redis = RedisServer(folder, port).start()
    repo = folder / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", repo, ignore=shutil.ignore_patterns("data", "__pycache__"))
    use_redis(repo / "feature_store.yaml", redis.connection_string)
    try:
        fill_store(SizedWorld(users, items), Workspace(folder), min(USERS_ASKED, users))
        yield repo
    finally:
        redis.stop()


def requests(users: int) -> list[bytes]:
    """One request for each of the users that the store knows."""
    count = min(USERS_ASKED, users)
    return [load.get(f"/recommendations/{USER_ID}-{user}?n={LIST_LENGTH}") for user in range(count)]


def is_full(answer: bytes) -> bool:
    """Whether the answer took the full path."""
    return FULL in answer


def cpu_ms(server: Measured, asked: partial[load.Load]) -> tuple[load.Load, float]:
    """(what a run measured, CPU milliseconds of the server per answer)."""
    before = server.cpu_seconds()
    measured = asked()
    return measured, (server.cpu_seconds() - before) * 1000 / len(measured.milliseconds)


def highest_rate(server: Measured, asked: list[bytes], seconds: float) -> tuple[float, float]:
    """(answers a second, CPU milliseconds of each) with the clients that get most of them within the limit at p99."""
    runs = [cpu_ms(server, partial(load.run, server.port, asked, clients, seconds, is_full)) for clients in CLIENTS]
    within = [(run.rate, cpu) for run, cpu in runs if run.percentile(99) < P99_LIMIT_MS and not run.failures]
    return max(within, default=(0.0, 0.0))


def ceiling(options: argparse.Namespace, table: Table) -> None:
    """What KServe itself gives here with a model that does nothing."""
    body = json.dumps({"instances": [{"user_id": "1", "n": LIST_LENGTH}]}).encode()
    asked = [load.post("/v1/models/recommender:predict", body)]
    with serving("benchmarks.bare_kserve", options.port, SERVER_CORE, {}) as server:
        one, cpu = cpu_ms(server, partial(load.run, server.port, asked, 1, options.seconds, lambda answer: True))
        many = load.run(server.port, asked, 16, options.seconds, lambda answer: True)
    table.add(Figure("bare KServe: CPU per request", cpu, "ms"))
    table.add(Figure("bare KServe: p50 at 1 client", one.percentile(50), "ms"))
    table.add(Figure("bare KServe: requests/s on one core", many.rate, ""))


def one_client(server: Measured, asked: list[bytes], seconds: float) -> tuple[load.Load, float]:
    """(latencies at one client, CPU milliseconds per request) after a warm-up."""
    load.run(server.port, asked, 1, seconds / 3, is_full)
    return cpu_ms(server, partial(load.run, server.port, asked, 1, seconds, is_full))


def speed(options: argparse.Namespace, table: Table, server: Measured, asked: list[bytes]) -> float:
    """CPU per request at the full size; adds the figures of latency, throughput and start."""
    run, cpu = one_client(server, asked, options.seconds)
    table.add(Figure("CPU per request, 500 candidates, 1 client", cpu, "ms", 2.0, 1.2))
    table.add(Figure("p50 at 1 client", run.percentile(50), "ms", 3.0, 2.0))
    table.add(Figure("p99 at 1 client", run.percentile(99), "ms", 10.0, 5.0))
    table.add(Figure("ready after start", server.ready_seconds, "s", 8.0, 4.0))
    table.add(Figure("memory when ready and warm", server.resident_mb(), "MB", 450.0, 300.0))
    table.add(Figure("failed requests", len(run.failures), "", 0.0))
    return cpu


def soak(options: argparse.Namespace, table: Table, server: Measured, asked: list[bytes], rate: float) -> None:
    """Load at a share of the highest rate, bundles swapped meanwhile for the last tenth of the time."""
    calm = partial(load.run, server.port, asked, 32, good=is_full, rate=rate * SOAK_LOAD)
    failures = len(calm(seconds=options.soak_seconds / 10).failures)
    before = server.resident_mb()
    run = calm(seconds=options.soak_seconds)
    growth = (server.resident_mb() / before - 1) * 100
    table.add(Figure(f"soak, {options.soak_seconds:.0f} s at {rate * SOAK_LOAD:.0f}/s: failed", failures, "", 0.0))
    table.add(Figure("soak: p99", run.percentile(99), "ms"))
    table.add(Figure("soak: failed requests", len(run.failures), "", 0.0))
    table.add(Figure("soak: growth of memory", growth, "%", 2.0))


def swaps(options: argparse.Namespace, table: Table, server: Measured, asked: list[bytes], rate: float) -> None:
    """Bundles swapped back and forth under the same load; every answer is checked for parts of two bundles."""
    plain, marked = json.loads((options.bundle.parent.parent / "built").read_text())

    def of_one_bundle(answer: bytes) -> bool:
        listed = json.loads(answer.partition(b"\r\n\r\n")[2])
        marks = {item["title"].endswith(f"[{MARK}]") for item in listed["items"]}
        return marks == {listed["bundle_version"] == marked}

    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(swap_until, stop, f"http://127.0.0.1:{server.port}", [marked, plain])
        run = load.run(server.port, asked, 8, options.seconds * 2, of_one_bundle, rate * SOAK_LOAD / 2)
        stop.set()
        swapped = swapping.result()
    table.add(Figure(f"{len(swapped.seconds)} swaps under load: failed or mixed answers", len(run.failures), "", 0.0))
    table.add(Figure("swaps that failed", swapped.failed, "", 0.0))
    table.add(Figure("slowest swap", max(swapped.seconds, default=0.0), "s", 5.0))


def bundle_size(bundle: Path) -> float:
    """Megabytes of what serving reads."""
    files = read_manifest(bundle).files
    return sum(digest.size_bytes for name, digest in files.items() if is_served(name)) / 1e6


def measure(options: argparse.Namespace) -> Table:
    """The whole table."""
    table = Table()
    print(hardware())
    print(f"{options.users:,} users, {options.items:,} items; server on core {SERVER_CORE}, load on core {CLIENT_CORE}")
    table.header()
    ceiling(options, table)
    table.add(Figure("bundle size as served", bundle_size(options.bundle), "MB", 500.0, 100.0))
    asked = requests(options.users)
    with tempfile.TemporaryDirectory() as temporary:
        with online_store(Path(temporary), options.port + 1, options.users, options.items) as repo:
            settings = {"bundle_dir": str(options.bundle), "feature_repo": str(repo), "clock": "data", **PATIENT}
            settings["impression_log"] = str(Path(temporary) / "impressions.jsonl")
            with serving("serving", options.port, SERVER_CORE, settings) as server:
                cpu = speed(options, table, server, asked)
                rate, busy_cpu = highest_rate(server, asked, options.seconds)
                table.add(Figure("requests/s on one core at p99 < 50 ms", rate, "", 450.0, 750.0, True))
                table.add(Figure("CPU per request at that rate", busy_cpu, "ms", 2.0, 1.2))
                if rate:
                    soak(options, table, server, asked, rate)
                    swaps(options, table, server, asked, rate)
        if options.large_items:
            large = Path(temporary) / "large"
            large.mkdir()
            table.add(
                Figure(
                    f"{options.large_items:,} items: CPU by that above", large_cpu(options, large) / cpu, "x", 1.5, 1.2
                )
            )
    return table


def large_cpu(options: argparse.Namespace, folder: Path) -> float:
    """CPU milliseconds per request with the large catalogue."""
    bundle = bundle_of(options.folder, options.users, options.large_items)
    with online_store(folder, options.port + 1, options.users, options.large_items) as repo:
        settings = {"bundle_dir": str(bundle), "feature_repo": str(repo), "clock": "data", **PATIENT}
        with serving("serving", options.port, SERVER_CORE, settings) as server:
            return one_client(server, requests(options.users), options.seconds)[1]


def arguments() -> argparse.Namespace:
    """Options of the command line, with the bundle built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a small world and short runs: whether it works at all")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--large-items", type=int, default=500_000, help="catalogue to compare with; 0: none")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")
    parser.add_argument("--soak-seconds", type=float, default=600.0)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "bench", help="where built bundles are kept")
    options = parser.parse_args()
    if options.short:
        options.users, options.items, options.large_items = 2000, 20_000, 0
        options.seconds, options.soak_seconds = 2.0, 10.0
    options.bundle = bundle_of(options.folder, options.users, options.items)
    return options


def main() -> int:
    """Exit code 1 when a figure is not what it must be; with --short only failed requests count."""
    if reason := missing():
        print(f"The speed of serving is measured with a real Redis: {reason}.", file=sys.stderr)
        return 2
    options = arguments()
    os.sched_setaffinity(0, {CLIENT_CORE} if (os.cpu_count() or 1) > 1 else {0})
    missed = measure(options).missed()
    if options.short:
        missed = [name for name in missed if "failed" in name]
    if missed:
        print(f"\nNot reached: {', '.join(missed)}.")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
