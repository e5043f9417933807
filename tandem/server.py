"""A server of this project: in this process, or as a process that is asked once."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from contracts.bundle.manifest import read_manifest
from contracts.errors import TandemError
from training.workspace import Workspace

START_SECONDS = 120.0
OLD_DAYS = 28
"""Beyond them the windows of recent popularity are empty."""


def long_ago(bundle: Path) -> str:
    """What a log that ended long ago does to the answers, and the remedy; empty for a recent log."""
    if not bundle.exists():
        return ""
    end = read_manifest(bundle).data_end_timestamp
    days = int((time.time() - end) // 86_400)
    if days <= OLD_DAYS:
        return ""
    return (
        f"the log of this bundle ended {days:,} days ago, on {time.strftime('%Y-%m-%d', time.gmtime(end))}. What users "
        "did then counts as long past, and what was popular as forgotten. With --historical the clock stands still at "
        "the end of the log."
    )


def serve_here(
    workspace: Workspace,
    bundle: str,
    host: str,
    port: int,
    *,
    historical: bool,
    event_log: str = "",
    **settings: Any,
) -> None:
    """Serves in this process until a signal. settings: further ones of serving.settings, by their names.

    Raises TandemError where bundle or feature store cannot be used.
    """
    load_server()
    from serving.__main__ import serve
    from serving.settings import Clock, read_settings

    serve(
        read_settings(
            bundle_dir=str(workspace.bundles / bundle),
            bundle_cache=workspace.data / "bundle-cache",
            feature_repo=workspace.feature_repo,
            host=host,
            http_port=port,
            clock=Clock.DATA if historical else Clock.WALL,
            impression_log=workspace.impression_log,
            event_log=event_log or workspace.event_log,
            event_consumer=True,
            erasures=workspace.erasures,
            audit_log=workspace.audit_log,
            **settings,
        )
    )


def load_server() -> None:
    """Imports what a server needs, which takes seconds: early, where there is something else to wait for."""
    sys.argv = sys.argv[:1]  # KServe reads the command line when it is imported, and these options are not its own
    import serving.__main__  # noqa: F401


def require_free(host: str, port: int) -> None:
    """Raises TandemError where something listens on the port already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise TandemError(
                f"Port {port} of {host} cannot be used: {error.strerror}. End what listens there, or name another one: "
                "--port, or PORT=8081 with make."
            ) from error


def ask_once(workspace: Workspace, port: int) -> Any:
    """One answer of a server that is started for it and ended after it.

    Raises TandemError where the server does not come up.
    """
    user = read_manifest(workspace.bundles / "current").example_user_ids[0]
    command = [sys.executable, "-m", "tandem", "serve", "--root", str(workspace.root), "--port", str(port)]
    server = subprocess.Popen([*command, "--historical"])
    try:
        wait_until_ready(port, server)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/recommendations/{user}?n=5", timeout=10) as answer:
            return json.load(answer)
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_until_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    """Returns once the recommender answers that it is ready.

    Raises TandemError when the server ends before, or after START_SECONDS.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TandemError(f"The server ended with exit code {server.returncode} before it was ready, see above.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models/recommender", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TandemError(f"The server was not ready after {START_SECONDS:.0f} s.")
