"""The process that serves, and what becomes of the one that computes."""

import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.errors import TandemError
from tandem.__main__ import app
from tandem.demo import run
from tandem.demo.steps import Step
from tandem.server import require_free
from tests.support.real_parts.servers import free_port
from training.workspace import Workspace

SLEEPS = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


def computing(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """The computation is this Python code."""
    monkeypatch.setattr(run, "COMPUTE", (sys.executable, "-c", code))


def test_the_computation_ends_with_what_it_was_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computing(monkeypatch, SLEEPS)
    with run.computing(Workspace(tmp_path), Step.FULL) as computation:
        assert computation.poll() is None
    assert computation.returncode == -15


def test_one_that_does_not_hear_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computing(monkeypatch, DEAF)
    monkeypatch.setattr(run, "END_SECONDS", 0.1)
    monkeypatch.setattr(run, "PIPES", {"stdout": subprocess.PIPE})
    with run.computing(Workspace(tmp_path), Step.FULL) as computation:
        assert computation.stdout is not None
        with computation.stdout:
            computation.stdout.readline()  # it ignores the signal from here on
    assert computation.returncode == -9


def test_a_port_that_is_taken_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TandemError, match=rf"Port {port} .* PORT=8081"):
            run.serve_while_computing(Workspace(tmp_path), port)
        with pytest.raises(TandemError, match=f"Port {port}"):
            run.check(Workspace(tmp_path), port, Step.FIRST)
    require_free("127.0.0.1", port)


def test_a_port_that_is_taken_on_an_address_of_ipv6_is_seen_there() -> None:
    with socket.socket(socket.AF_INET6) as taken:
        try:
            taken.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TandemError, match=f"Port {port} of ::1 cannot be used"):
            require_free("::1", port)
    require_free("::1", port)


def test_a_computation_that_fails_before_anything_serves_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computing(monkeypatch, "raise SystemExit(2)")
    monkeypatch.setattr(run, "load_server", lambda: None)
    with pytest.raises(TandemError, match="exit code 2 before anything serves"):
        run.serve_while_computing(Workspace(tmp_path), free_port())
    with pytest.raises(TandemError, match="exit code 2, see above"):
        run.check(Workspace(tmp_path), free_port(), Step.FULL)


@pytest.mark.parametrize("code", [0, 2, 130])
def test_one_that_fails_later_lets_the_server_go_on_and_is_told_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    workspace, served = Workspace(tmp_path), list[Any]()
    computing(monkeypatch, f"raise SystemExit({code})")
    started = list[subprocess.Popen[bytes]]()
    monkeypatch.setattr(run, "load_server", lambda: None)
    monkeypatch.setattr(run, "wait_for_bundle", lambda _, computation: started.append(computation))

    def serve_here(*_: object, **options: object) -> None:
        served.append(options["progress_file"])
        started[0].wait()  # Ctrl-C comes after the failure

    monkeypatch.setattr(run, "serve_here", serve_here)
    told = (
        pytest.raises(TandemError, match="exit code 2, see above; the server went on") if code == 2 else nullcontext()
    )
    with told:  # 130: Ctrl-C has ended both
        run.serve_while_computing(workspace, free_port())
    assert served == [run.record_file(workspace)]


def test_the_command_says_that_it_can_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text("{}")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "serve_while_computing", interrupted)
    result = CliRunner().invoke(app, ["demo", "--root", str(tmp_path), "--port", str(free_port())])
    assert result.exit_code == 130 and "goes on where it was" in result.output


def test_a_computation_without_a_pipeline_says_what_failed(empty_workspace: Workspace) -> None:
    command = [*run.COMPUTE, "--root", str(empty_workspace.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "tandem: The demo failed at start: DVC cannot say what has changed" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert '"state":"failed"' in run.record_file(empty_workspace).read_text()


BROKEN = """
import os, signal, sys
from tandem import demo_process as computation
def build(*_):
    try:
        {first}
    except KeyboardInterrupt as error:
        raise RuntimeError("Query interrupted") from error
    raise ValueError("no such column")
computation.build = build
computation.main(sys.argv[1:], computation.app)
"""


@pytest.mark.parametrize(
    ("first", "code", "state", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", 130, "stopped", ""),  # DuckDB makes a RuntimeError of Ctrl-C
        ("os.kill(os.getpid(), signal.SIGTERM)", 130, "stopped", ""),
        ("pass", 2, "failed", "The demo failed at start: ValueError: no such column. The trace is in"),
    ],
)
def test_what_stops_the_computation_is_told_apart_from_what_breaks_it(
    empty_workspace: Workspace, first: str, code: int, state: str, said: str
) -> None:
    command = [sys.executable, "-c", BROKEN.format(first=first), "--root", str(empty_workspace.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr
    assert f'"state":"{state}"' in run.record_file(empty_workspace).read_text()
    trace = run.record_file(empty_workspace).with_name("failure.log")
    assert ("no such column" in trace.read_text()) if state == "failed" else not trace.exists()


KILLED = """
import sys
from pathlib import Path
from tandem.demo import run
from tandem.demo.steps import Step
from training.workspace import Workspace
run.COMPUTE = (sys.executable, "-c", sys.argv[2])
with run.computing(Workspace(Path(sys.argv[1])), Step.FULL) as computation:
    computation.wait()
"""
ENDLESS = """
import sys, time
from tandem import demo_process as computation
def build(*_):
    print("computing", flush=True)
    {does}
    while True:
        time.sleep(60)
computation.build = build
computation.END_SECONDS = 0.1
computation.main(sys.argv[1:], computation.app)
"""


DEAF_TO_SIGNALS = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize(("does", "says_so"), [("", True), (DEAF_TO_SIGNALS, False)])
def test_the_computation_ends_with_a_server_that_is_killed(
    empty_workspace: Workspace, does: str, says_so: bool
) -> None:
    command = [sys.executable, "-c", KILLED, str(empty_workspace.root), ENDLESS.format(does=does)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "computing\n"
        parent.kill()
        assert parent.stdout.read() == ""  # to the end: nobody holds the other side any more
    record = run.record_file(empty_workspace)
    assert (record.is_file() and '"state":"stopped"' in record.read_text()) is says_so
