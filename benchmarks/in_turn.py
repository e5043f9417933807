"""CPU a request of this checkout next to another one: `python -m benchmarks.in_turn CHECKOUT --python ITS-PYTHON`.

Both serve at the same time, on one core, with a bundle and a Redis of their own; short bursts of the same requests go
to one and to the other in turn, and first to each as often. So the machine's speed, which changes by half within
minutes, falls out of the ratio. What is printed is the median of the rounds' ratios, with an interval by bootstrap.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import load
from benchmarks.processes import ROOT, Measured
from benchmarks.serving import CLIENT_CORE, cpu_ms, is_full, requests

KEY = "measured-in-turn"
LIMITS = {"TANDEM_API_KEY": KEY, "TANDEM_LISTS_PER_SECOND": "100000", "TANDEM_LISTS_AT_ONCE": "100000"}
"""With a key and a limit that is kept account of and never reached. A checkout without these settings ignores them."""
HELD = """
import os, sys, tempfile
from pathlib import Path
from benchmarks.serving import PATIENT, SERVER_CORE, bundle_of, online_store
from benchmarks.processes import serving
folder, port, users, items = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
bundle = bundle_of(folder, users, items)
with tempfile.TemporaryDirectory() as temporary, online_store(Path(temporary), port + 1, users, items) as repo:
    settings = {"bundle_dir": str(bundle), "feature_repo": str(repo), "clock": "data", **PATIENT}
    settings["impression_log"] = str(Path(temporary) / "impressions.jsonl")
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)  # Feast's, which filled the store: nobody's server inherits it
    with serving("serving", port, SERVER_CORE, settings) as server:
        print("ready", server.pid, flush=True)
        sys.stdin.readline()
"""
"""Run in a checkout, which brings its own world, store and server."""


@contextmanager
def held(checkout: Path, python: Path, port: int, options: argparse.Namespace) -> Iterator[Measured]:
    """The server of a checkout. Raises RuntimeError where it does not start."""
    folder = options.folder / checkout.name
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    environment = {**os.environ, **LIMITS, "PYTHONPATH": str(checkout), "PATH": path}
    command = [str(python), "-c", HELD, str(folder), str(port), str(options.users), str(options.items)]
    with subprocess.Popen(
        command, cwd=checkout, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        if ready is None:
            raise RuntimeError(f"the server of {checkout} did not start: exit code {process.wait()}")
        try:
            yield Measured(int(ready.split()[1]), port, 0.0)
        finally:
            process.stdin.close()


def rounds(pair: list[Measured], asked: list[bytes], clients: int, options: argparse.Namespace) -> np.ndarray:
    """CPU milliseconds a request, float (rounds, 2)."""
    measured = np.zeros((options.rounds, 2))
    for number in range(-1, options.rounds):  # the first round warms up
        for side in (0, 1) if number % 2 else (1, 0):
            run, cpu = cpu_ms(pair[side], partial(load.run, pair[side].port, asked, clients, options.seconds, is_full))
            if run.failures:
                raise RuntimeError(f"{len(run.failures)} requests failed: {run.failures[0]!r}")
            measured[number, side] = cpu
    return measured


def told(clients: int, measured: np.ndarray) -> str:
    """One line: both costs, and the ratio of the first to the second with its 95 % interval."""
    ratios = measured[:, 0] / measured[:, 1]
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    ours, theirs = np.median(measured, axis=0)
    return (
        f"{clients:>3} clients: {ours:.2f} ms, {theirs:.2f} ms; ratio {np.median(ratios):.3f} ({low:.3f} to {high:.3f})"
    )


def main() -> int:
    """Prints a line for each number of clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other checkout")
    parser.add_argument("--python", type=Path, required=True, help="Python with the packages of the other checkout")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each burst")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tandem-in-turn")
    options = parser.parse_args()
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {CLIENT_CORE})
    asked = [
        one.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()) for one in requests(options.users)
    ]
    with (
        held(ROOT, Path(sys.executable), options.port, options) as ours,
        held(options.checkout.resolve(), options.python.absolute(), options.port + 10, options) as theirs,
    ):
        for clients in (1, 16):
            print(told(clients, rounds([ours, theirs], asked, clients, options)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
