"""A real redis-server on a free loopback port, in memory only, for benchmarks and tests."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

PROGRAM = "redis-server"
HOW_TO_GET = f"{PROGRAM} is not installed: `apt-get install redis-server`"


def is_installed() -> bool:
    """Whether there is one to start."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def local_redis() -> Iterator[int]:
    """Its port; the server ends with the block.

    Raises FileNotFoundError where the program is missing, TimeoutError when it does not answer within ten seconds.
    """
    if not is_installed():
        raise FileNotFoundError(HOW_TO_GET)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        server = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL)
        try:
            _wait(port)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait(port: int) -> None:
    with redis.Redis(port=port) as client:
        for _ in range(100):
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.1)
    raise TimeoutError(f"{PROGRAM} does not answer on port {port}.")
