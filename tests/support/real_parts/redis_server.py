"""A real redis-server of a test's own: started, stopped, killed and frozen as the test needs."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.support.real_parts.programs import program

START_SECONDS = 10.0
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""Options of a Redis that may hold events."""


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if program("redis-server"):
        return None
    return "redis-server is not there; `make test` brings it on Linux (x86-64), else: apt-get install redis-server"


class RedisServer:
    """One redis-server on loopback. It keeps its port and folder, so what was durable is back after `start`."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self._folder = folder
        self.port = port
        self._options = options or ("--save", "")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self._folder

    @property
    def url(self) -> str:
        """Database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def connection_string(self) -> str:
        """As Feast writes it, with time limits that a test can wait for."""
        return f"127.0.0.1:{self.port},socket_timeout=0.2,socket_connect_timeout=0.2"

    def start(self) -> "RedisServer":
        """Returns once it answers. Raises RuntimeError with its log when it does not."""
        binary = program("redis-server")
        assert binary is not None
        log = self._folder / "redis.log"
        command = [binary, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)]
        with log.open("ab") as output:
            self._process = subprocess.Popen([*command, *self._options], stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.answers():
                return self
            time.sleep(0.02)
        raise RuntimeError(f"redis-server did not start: {log.read_text()[-2000:]}")

    def stop(self) -> None:
        """In order: what it holds is written first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """At once, as a power cut would for the process."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Frozen: connections stay open and nothing answers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Goes on after `pause`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self.resume()  # a frozen process does not act on SIGTERM
        self._process.send_signal(how)
        self._process.wait(timeout=START_SECONDS)
        self._process = None

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")  # a server that still loads its log says -LOADING
        except OSError:
            return False


def use_redis(path: Path, connection_string: str) -> None:
    """Puts a Redis online store into the feature_store.yaml of the embedded stores, as the chart writes it.

    Raises ValueError where the file has no embedded online store.
    """
    text = path.read_text()
    sqlite = "  type: sqlite\n  path: data/online.db\n"
    if sqlite not in text:
        raise ValueError(f"{path} does not have the embedded online store that is to be replaced")
    path.write_text(text.replace(sqlite, f'  type: redis\n  connection_string: "{connection_string}"\n'))
