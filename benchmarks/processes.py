"""Processes under measurement: where they run, what they cost."""

import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem.server import wait_until_ready

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Measured:
    """A server that answers."""

    pid: int
    port: int
    ready_seconds: float  # from its start to its first answer

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return server_cpu_seconds(self.pid)

    def resident_mb(self) -> float:
        """Memory it holds."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def server_cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(module: str, port: int, core: int, settings: Mapping[str, str]) -> Iterator[Measured]:
    """`python -m module` on one core, with TANDEM_* settings, until the block ends.

    Raises OSError where the port is taken: what is measured would be somebody else's server.
    """
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a server that has just ended does not stand in the way
        probe.bind(("127.0.0.1", port))
    command = ["taskset", "-c", str(core), sys.executable, "-m", module]
    names = {f"TANDEM_{name.upper()}": value for name, value in settings.items()}
    started = time.perf_counter()
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **names, "TANDEM_HTTP_PORT": str(port)})
    try:
        wait_until_ready(port, server)
        yield Measured(server.pid, port, time.perf_counter() - started)
    finally:
        server.terminate()
        server.wait(timeout=60)


def hardware() -> str:
    """The machine in a line, and how busy it is with other work."""
    models = [line.split(":")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    load = os.getloadavg()[0]
    busy = f"; BUSY with other work (load {load:.1f}): times are pessimistic" if load > 0.7 else ""
    return f"{models[0].strip() if models else platform.machine()}, {os.cpu_count()} cores{busy}"
