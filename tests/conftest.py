"""A small but real pipeline run, shared by every test that needs one."""

from serving.runtime import feast_import, kserve_import  # noqa: F401 - before anything imports Feast or KServe
from tests.support.suite import threads  # noqa: F401 - before anything loads TensorFlow or OpenMP

# isort: split
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from serving.runtime.screen import end_quietly
from tandem.__main__ import app
from tandem.server import wait_until_ready
from tests.support.real_parts.redis_server import RedisServer, missing
from tests.support.real_parts.s3 import s3_bucket
from tests.support.real_parts.servers import PATIENT, free_port
from tests.support.real_parts.small_disk import mounted
from tests.support.suite.loops import fixtures_of, loaded_by, missing_parts, needed_by, ordered
from tests.support.workspaces.trained_slice import CACHE, digest, kept
from tests.support.workspaces.workspace import PIPELINE, SLICE, new_workspace
from training.workspace import Workspace

end_quietly()  # the runner's closing line is the last one


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves a file unread where it loads a library that the mark expression leaves out: loading takes seconds."""
    if not collection_path.name.startswith("test_"):
        return None
    left_out = str(config.getoption("markexpr"))
    return any(f"not {mark}" in left_out for mark in loaded_by(collection_path)) or None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks what a test needs, as its file and its fixtures show it."""
    for mark in (*loaded_by(item.path), *needed_by(fixtures_of(item))):
        item.add_marker(mark)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names bytes by their argument: packed ones hold the time, and two workers must find the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files into an order in which two workers both have work from start to end."""
    items[:] = ordered(items)


def pytest_collection_finish() -> None:
    """What was imported stays: a quarter of an ingest's time went into looking through it for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)  # and not 700: one ingest leaves 30,000 objects in circles


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each thing that is missing here, with the command that brings it."""
    for line in missing_parts(terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's TANDEM_* variables must not change what tests see."""
    for name in [name for name in os.environ if name.startswith("TANDEM_") or name == "MLFLOW_TRACKING_URI"]:
        monkeypatch.delenv(name)


@pytest.fixture
def empty_workspace(tmp_path: Path) -> Workspace:
    """A workspace in which nothing has run."""
    return new_workspace(tmp_path, "{}")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """250 households of The Complete Journey, through every pipeline command; a copy, which tests may change.

    It is kept by the hash of what it is made from, and both workers copy the same one. TRAINED_SLICE names another.
    """
    root = tmp_path_factory.mktemp("slice")
    ready = os.environ.get("TRAINED_SLICE") or kept(CACHE, digest(), train)
    shutil.copytree(ready, root, symlinks=True, dirs_exist_ok=True)
    return Workspace(root)


def train(root: Path) -> None:
    """Runs every pipeline command in a workspace with the slice's parameters."""
    workspace = new_workspace(root, SLICE)
    for command in PIPELINE:
        result = CliRunner().invoke(app, [command, "--root", str(workspace.root)], catch_exceptions=False)
        assert result.exit_code == 0, result.output


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of an S3 of our own on loopback."""
    from moto.server import ThreadedMotoServer  # type: ignore[import-not-found,unused-ignore]

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """That file system, for one test."""
    with s3_bucket(s3, monkeypatch) as filesystem:
        yield filesystem


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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder) as is_mounted:
        if not is_mounted:
            pytest.skip("no file system can be mounted here: it needs root")
        yield folder
