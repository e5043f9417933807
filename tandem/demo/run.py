"""The process of `tandem demo`: it starts the computation, and serves as soon as there is a bundle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.bundle.files import CURRENT, MANIFEST
from contracts.errors import TandemError
from tandem.demo.steps import Step
from tandem.server import ask_once, load_server, require_free, serve_here
from training.workspace import Workspace

HOST = "127.0.0.1"
INTERRUPTED = 130
"""Exit code after Ctrl-C, of both processes."""
COMPUTE = (sys.executable, "-m", "tandem.demo_process")
PATIENT: dict[str, Any] = {
    "online_store_timeout_ms": 1000.0,
    "retrieval_deadline_ms": 3000.0,
    "ranking_deadline_ms": 4000.0,
}
"""Training takes the cores meanwhile: a whole answer that comes late shows more than a poorer one in time."""
PIPES: dict[str, Any] = {}
"""The computation says on this screen what it does."""
POLL_SECONDS = 0.1
END_SECONDS = 20.0
"""Native code hears of a signal when it returns to Python."""


def record_file(workspace: Workspace) -> Path:
    """Where the computation says how far it is."""
    return workspace.data / "demo" / "progress.json"


def check(workspace: Workspace, port: int, until: Step) -> Any:
    """One answer, once the bundle of that step is there. Raises TandemError where it cannot be made or asked."""
    require_free(HOST, port)
    with computing(workspace, until) as computation:
        if computation.wait() != 0:
            raise TandemError(f"The computation ended with exit code {computation.returncode}, see above.")
    return ask_once(workspace, port)


def serve_while_computing(workspace: Workspace, port: int) -> None:
    """Serves until a signal, from the first bundle on; the server changes over to each better one.

    Raises TandemError where no bundle can be made, and at its end where the computation has failed meanwhile.
    """
    require_free(HOST, port)
    with computing(workspace, Step.FULL) as computation:
        load_server()
        wait_for_bundle(workspace, computation)
        serve_here(workspace, CURRENT, HOST, port, historical=True, progress_file=record_file(workspace), **PATIENT)
        failed = computation.poll() not in (None, 0, INTERRUPTED)  # a Ctrl-C reaches both
    if failed:
        raise TandemError(
            f"The computation ended with exit code {computation.returncode}, see above; the server went on with what "
            "it had. After mending it the same command resumes there."
        )


@contextmanager
def computing(workspace: Workspace, until: Step) -> Iterator[subprocess.Popen[bytes]]:
    """The computation in a process of its own, which ends with the block, and with this process however that ends."""
    command = [*COMPUTE, "--root", str(workspace.root), "--until", until, "--parent", str(os.getpid())]
    computation = subprocess.Popen(command, **PIPES)
    try:
        yield computation
    finally:
        if computation.poll() is None:
            computation.send_signal(signal.SIGTERM)
            try:
                computation.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                computation.kill()
                computation.wait()


def wait_for_bundle(workspace: Workspace, computation: subprocess.Popen[bytes]) -> None:
    """Returns once something can serve. Raises TandemError where the computation ends before."""
    while not (workspace.bundles / CURRENT / MANIFEST).is_file():
        if computation.poll() is not None:
            raise TandemError(f"The computation ended with exit code {computation.returncode} before anything serves.")
        time.sleep(POLL_SECONDS)
