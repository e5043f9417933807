"""What a command costs: wall-clock seconds, CPU seconds and the peak memory of it and its children together."""

import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Cost:
    """Cost of one command, or of several one after the other."""

    seconds: float
    cpu_seconds: float
    peak_gb: float  # resident memory of the process tree, sampled; 10**9 bytes

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds, max(self.peak_gb, other.peak_gb)
        )


def cost_of(command: Sequence[str]) -> Cost:
    """Runs the command, from the start of its process to its end.

    Raises CalledProcessError when it fails.
    """
    before, started = _cpu_of_children(), time.perf_counter()
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        tree = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _resident_bytes(tree))
            time.sleep(EVERY_SECONDS)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, _cpu_of_children() - before, peak / 1e9)


def _resident_bytes(root: psutil.Process) -> int:
    total = 0
    for process in [root, *_children(root)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # ended since it was listed
            continue
    return total


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
