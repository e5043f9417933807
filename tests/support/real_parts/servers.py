"""Real servers on loopback, started with the settings of a test."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tandem.server import wait_until_ready
from training.workspace import Workspace

KEY = "a key of more than sixteen letters"
WITH_KEY = {"authorization": f"Bearer {KEY}"}
PORTS: Final = range(20_000, 32_768)
PATIENT = {
    "TANDEM_ONLINE_STORE_TIMEOUT_MS": "5000",
    "TANDEM_RETRIEVAL_DEADLINE_MS": "20000",
    "TANDEM_RANKING_DEADLINE_MS": "20000",
}
"""A machine that runs tests is busy; only tests of deadlines want them kept."""


def free_port() -> int:
    """A TCP port that nobody listens on, below those that Linux gives to clients: a client would take it meanwhile."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(trained: Workspace, **settings: str) -> Iterator[str]:
    """`python -m serving` with these TANDEM_* settings; gives its base URL."""
    port = free_port()
    given = {"FEATURE_REPO": str(trained.feature_repo), "HTTP_PORT": str(port), "CLOCK": "data"} | settings
    environment = os.environ | PATIENT | {f"TANDEM_{name}": value for name, value in given.items()}
    server = subprocess.Popen([sys.executable, "-m", "serving"], env=environment)
    try:
        wait_until_ready(port, server)
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        assert server.wait(timeout=30) in (0, -signal.SIGTERM)  # in order, and not by an exception
    finally:
        server.kill()
        server.wait(timeout=30)
