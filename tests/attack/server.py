"""One real server for all attacks, and what it has used."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem.server import wait_until_ready
from tests.attack.cgroup import peak_mb
from tests.support.real_parts.servers import PATIENT, free_port

KEY = "the key of the attacked server"
HONEST_KEY = "the key of the honest client"


@dataclass(frozen=True)
class Attacked:
    """Where it listens, and its process."""

    port: int
    grpc_port: int
    process: "subprocess.Popen[bytes]"
    erasures: Path  # its folder: who was erased, the audit log and the log of shown lists
    group: Path | None = None  # its control group, which has a limit of memory

    @property
    def url(self) -> str:
        """The address for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self.process.poll() is None

    def peak_mb(self) -> int:
        """Most memory that the process ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def memory(self) -> str:
        """The peak, and of its control group where it has one."""
        of_group = f", {peak_mb(self.group):,} MB in its control group" if self.group else ""
        return f"peak {self.peak_mb():,} MB{of_group}"


@contextmanager
def attacked(root: Path, event_log: str, folder: Path, group: Path | None = None) -> Iterator[Attacked]:
    """A server on the workspace's current bundle, with keys and an event log. folder: for its own files."""
    port, grpc_port = free_port(), free_port()
    keys = folder / "keys.yaml"
    keys.write_text(f"- {{name: honest, key: {HONEST_KEY}, scopes: [lists]}}\n")
    erasures = folder / "erasures"
    settings = {
        "FEATURE_REPO": root / "feature_repo",
        "BUNDLE_DIR": root / "bundles" / "current",
        "BUNDLE_CACHE": root / "data" / "bundle-cache",  # where it is noted that the bundle was tried
        "HTTP_PORT": port,
        "GRPC_PORT": grpc_port,
        "CLOCK": "data",
        "EVENT_LOG": event_log,
        "ERASURES": erasures,
        "AUDIT_LOG": erasures / "audit.jsonl",
        "IMPRESSION_LOG": erasures / "impressions.jsonl",
        "CACHE_SECONDS": 60,
        "API_KEY": KEY,
        "API_KEYS": keys,
        "MAX_CONNECTIONS": 200,
        "LOG_LEVEL": "ERROR",
    }
    environment = os.environ | PATIENT | {f"TANDEM_{name}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "serving"]
    if group is not None:
        command = ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh", *command]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port, process)
        yield Attacked(port, grpc_port, process, erasures, group)
    finally:
        process.terminate()
        process.wait(timeout=60)
