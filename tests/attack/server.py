"""One real server for all attacks, and what it has used."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tandem.server import wait_until_ready
from tests.support.servers import PATIENT, free_port

KEY = "the key of the attacked server"


@dataclass(frozen=True)
class Attacked:
    """Where it listens, and its process."""

    port: int
    grpc_port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        """Of HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it lives."""
        return self.process.poll() is None

    def peak_mb(self) -> int:
        """Most memory that the process ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@contextmanager
def attacked(root: Path, event_log: str) -> Iterator[Attacked]:
    """A server on the workspace's current bundle, with a key and an event log."""
    port, grpc_port = free_port(), free_port()
    settings = {
        "FEATURE_REPO": root / "feature_repo",
        "BUNDLE_DIR": root / "bundles" / "current",
        "HTTP_PORT": port,
        "GRPC_PORT": grpc_port,
        "CLOCK": "data",
        "EVENT_LOG": event_log,
        "API_KEY": KEY,
        "MAX_CONNECTIONS": 200,
        "LOG_LEVEL": "ERROR",
    }
    environment = os.environ | PATIENT | {f"TANDEM_{name}": str(value) for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "serving"], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port, process)
        yield Attacked(port, grpc_port, process)
    finally:
        process.terminate()
        process.wait(timeout=60)
