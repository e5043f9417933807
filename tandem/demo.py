"""`tandem demo`: the pipeline by DVC, then the server."""

import json
import os
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


def reproduce(workspace: Workspace, *stages: str) -> None:
    """Runs every pipeline stage whose inputs have changed; with names only those stages and what they need.

    Raises TandemError when a stage fails; its own words are on the screen already.
    """
    # DVC's stages call `tandem`, which lies beside the interpreter and maybe nowhere on the PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", *stages]
    done = subprocess.run(command, cwd=workspace.root, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        raise TandemError("A pipeline stage failed, see above. After mending it the same command resumes there.")


def serve_here(
    workspace: Workspace, bundle: str, host: str, port: int, *, historical: bool, event_log: str = ""
) -> None:
    """Serves in this process until a signal. Raises TandemError where bundle or feature store cannot be used."""
    sys.argv = sys.argv[:1]  # KServe reads the command line when it is imported, and these options are not its own
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
        )
    )


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
