"""What a server writes on the screen: its own lines, and no word of a library to its developers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.bundle.manifest import read_manifest
from tandem.server import wait_until_ready
from tests.support.real_parts import asking
from tests.support.real_parts.servers import PATIENT, free_port
from training.workspace import Workspace

pytestmark = [pytest.mark.tf, pytest.mark.server]
OPEN = "Open without a key: pages, health and lists (TANDEM_OPEN_SCOPES). "
OPEN += "Anybody who knows a user's id sees in a list what that user bought; without lists in it they need a key. "
OPEN += "The rest is for this machine, as there is no key."


def asked_and_ended(server: subprocess.Popen[bytes], port: int, user: str) -> None:
    """Every kind of route once, then a signal."""
    wait_until_ready(port, server)
    url = f"http://127.0.0.1:{port}"
    for path in (
        f"/recommendations/{user}?n=5&explain=true",
        f"/users/{user}/history",
        "/openapi.json",
        "/metrics",
        "/docs",
    ):
        asking.get(url + path, timeout=30).raise_for_status()
    asked = {"instances": [{"user_id": user}]}
    asking.post(f"{url}/v1/models/recommender:predict", json=asked, timeout=30).raise_for_status()
    assert asking.post(f"{url}/events", json={"no": "event"}, timeout=30).status_code in (400, 503)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=60) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("command", ["tandem serve", "python -m serving"])
def test_a_server_says_how_it_may_be_reached_and_nothing_else(trained: Workspace, tmp_path: Path, command: str) -> None:
    port, screen = free_port(), tmp_path / "screen"
    user = read_manifest(trained.bundles / "current").example_user_ids[0]
    words, settings = ["-m", "serving"], {
        "TANDEM_FEATURE_REPO": str(trained.feature_repo),
        "TANDEM_BUNDLE_DIR": str(trained.bundles / "current"),
        "TANDEM_BUNDLE_CACHE": str(tmp_path / "cache"),
        "TANDEM_HTTP_PORT": str(port),
        "TANDEM_CLOCK": "data",
    }  # fmt: skip
    said = [OPEN]
    if command == "tandem serve":
        words, settings = (
            ["-m", "tandem", "serve", "--root", str(trained.root), "--port", str(port), "--historical"],
            {},
        )
        said = [f"Serving on http://127.0.0.1:{port}/ · metrics at /metrics · Ctrl-C ends it", OPEN]
    with (
        screen.open("wb") as file,
        subprocess.Popen(
            [sys.executable, *words], env=os.environ | PATIENT | settings, stdout=file, stderr=file
        ) as server,
    ):
        try:
            asked_and_ended(server, port, user)
        finally:
            server.kill()
    assert screen.read_text().splitlines() == said
