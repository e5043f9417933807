"""Two processes that train together against one that trains alone."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.real_parts.servers import free_port
from tests.training.retrieval.train_as_worker import trained_by
from training.retrieval.distribution import output
from training.workspace import Workspace

pytestmark = pytest.mark.tf
ROOT = Path(__file__).resolve().parents[3]


def start(trained: Workspace, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.retrieval.train_as_worker", str(trained.root)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.Popen(
        command, cwd=ROOT, env=quiet, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip


def result(process: subprocess.Popen[str]) -> Any:
    out, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


def test_two_workers_learn_what_one_learns(trained: Workspace) -> None:
    workers = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"]
    config = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(2)]
    processes = [start(trained, {"TF_CONFIG": json.dumps(one)}) for one in config]
    alone = trained_by(trained)  # meanwhile
    first, second = [result(process) for process in processes]
    assert first["losses"] == pytest.approx(second["losses"], rel=1e-6)  # both report the whole batch
    # Not equal bit by bit: sums are taken in another order.
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-5)
    assert alone["losses"][1] < alone["losses"][0]  # with the negatives of the batch alone
    assert np.allclose(first["embedding"], second["embedding"], atol=1e-5)  # one model, not two
    assert np.allclose(first["embedding"], alone["embedding"], atol=1e-4)


def test_worker_0_alone_writes_what_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index, kept in ((0, True), (1, False)):
        task = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(task))
        with output(tmp_path / f"of-{index}") as folder:
            folder.mkdir()
        assert folder.exists() is kept and (tmp_path / f"of-{index}").exists() is kept
