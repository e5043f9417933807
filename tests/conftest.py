"""A small but real pipeline run, shared by every test that needs one."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prometheus_client  # noqa: F401 - before Feast, which else has registries share their counts through files
import pytest
from typer.testing import CliRunner

from tandem.__main__ import app, end_quietly
from tandem.demo import wait_until_ready
from tests.support.redis_server import RedisServer, missing
from training.workspace import Workspace

end_quietly()  # the runner's closing line is the last one
ROOT = Path(__file__).resolve().parent.parent
SLICE = """
ingest: {max_users: 250}
features: {ranker_windows: 1, two_tower_weeks: 10}
two_tower: {epochs: 1, min_steps: 1, fine_tune_epochs: 1, batch_size: 512}
ranker: {epochs: 1, num_candidates: 450, num_popular: 50}
"""


def new_workspace(root: Path, params: str) -> Workspace:
    """A root folder with its own feature repository and parameters."""
    shutil.copytree(ROOT / "feature_repo", root / "feature_repo", ignore=shutil.ignore_patterns("data", "__pycache__"))
    (root / "params.yaml").write_text(params)
    return Workspace(root)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's TANDEM_* variables must not change what tests see."""
    for name in [name for name in os.environ if name.startswith("TANDEM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def empty_workspace(tmp_path: Path) -> Workspace:
    """A workspace in which nothing has run."""
    return new_workspace(tmp_path, "{}")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """250 households of The Complete Journey, through every pipeline command.

    TRAINED_SLICE names a workspace that has been through them already: a copy of it saves the minute of training.
    """
    root = tmp_path_factory.mktemp("slice")
    if ready := os.environ.get("TRAINED_SLICE"):
        shutil.copytree(ready, root, symlinks=True, dirs_exist_ok=True)
        return Workspace(root)
    workspace = new_workspace(root, SLICE)
    for command in PIPELINE:
        result = CliRunner().invoke(app, [command, "--root", str(workspace.root)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return workspace


PIPELINE = (
    "ingest",
    "features",
    "copurchase",
    "materialize",
    "dataset",
    "train-towers",
    "train-ranker",
    "evaluate",
    "bundle",
)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of an S3 of our own on loopback."""
    from moto.server import ThreadedMotoServer  # type: ignore[import-not-found,unused-ignore]

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def s3_bucket(s3: str, environment: pytest.MonkeyPatch) -> Iterator[Any]:
    """A file system with the empty bucket `shop`; AWS_* variables lead to it."""
    import s3fs  # type: ignore[import-not-found,import-untyped,unused-ignore]

    environment.setenv("AWS_ENDPOINT_URL", s3)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.setenv(name, "testing")
    urllib.request.urlopen(urllib.request.Request(f"{s3}/moto-api/reset", method="POST")).close()
    s3fs.S3FileSystem.clear_instance_cache()
    filesystem = s3fs.S3FileSystem()
    filesystem.mkdir("shop")
    yield filesystem
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """That file system, for one test."""
    with s3_bucket(s3, monkeypatch) as filesystem:
        yield filesystem


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


PATIENT = {
    "TANDEM_ONLINE_STORE_TIMEOUT_MS": "5000",
    "TANDEM_RETRIEVAL_DEADLINE_MS": "20000",
    "TANDEM_RANKING_DEADLINE_MS": "20000",
}
"""A machine that runs tests is busy; only tests of deadlines want them kept."""


@pytest.fixture(scope="session")
def start_server(trained: Workspace) -> Iterator[Callable[..., str]]:
    """Starts `tandem serve` on the trained slice; gives its base URL, ends it with the session."""
    servers = []

    def start(*options: str) -> str:
        port = free_port()
        command = [sys.executable, "-m", "tandem", "serve", "--root", str(trained.root), "--port", str(port), *options]
        server = subprocess.Popen(command, env=os.environ | PATIENT)  # read here: tests set more of it
        servers.append(server)
        wait_until_ready(port, server)
        return f"http://127.0.0.1:{port}"

    yield start
    running = [server for server in servers if server.poll() is None]
    for server in running:
        server.terminate()
    assert [server.wait(timeout=30) for server in running] == [0] * len(running), "a server did not end in order"


@pytest.fixture(scope="session")
def server(start_server: Callable[..., str]) -> str:
    """Base URL of one server for all tests that only ask."""
    return start_server("--historical")


@pytest.fixture(scope="module")
def redis_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    """Starts a real redis-server on a free port; options are redis-server's own, default: nothing kept on disk."""
    if reason := missing():
        pytest.skip(reason)
    servers: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("redis"), free_port(), *options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def redis_server(redis_servers: Callable[..., RedisServer]) -> Callable[..., RedisServer]:
    """The same, under the name that single tests use; every call is a server of its own."""
    return redis_servers
