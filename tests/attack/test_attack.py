"""The short form of `python -m tests.attack`; .ci/full runs the long one."""

import random
from pathlib import Path

import pytest

from tests.attack.__main__ import main
from tests.attack.cgroup import memory_group, peak_mb
from tests.attack.fuzz import PATHS, SEED, _requests
from tests.attack.honest import Honest
from training.workspace import Workspace


@pytest.mark.tf
@pytest.mark.server
def test_no_attack_is_a_server_error_and_no_event_is_lost(
    trained: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(trained.root), "--times", "1", "--fuzzed", "200", "--kills", "1", "--events", "1000"]
    code = main(arguments)
    said = capsys.readouterr().out
    assert code == 0, said
    for name in ("tensors beyond memory", "reasons in bulk", "fuzzed v1", "fuzzed v2", "fuzzed REST", "fuzzed gRPC"):
        assert f"\n{name} " in said
    assert "kill -9, SQLite" in said
    assert "1,000 acknowledged, 0 lost, 0 twice" in said


def test_a_run_can_be_repeated() -> None:
    first, second = (list(_requests(random.Random(SEED), PATHS["v2"], 50)) for _ in range(2))
    assert first == second
    assert len({path for _, path, _, _ in first}) > 10


def test_where_no_group_can_be_made_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.attack.cgroup._own_group", lambda: (tmp_path / "absent", "memory.max"))
    with memory_group("shop") as group:
        assert group is None
    (tmp_path / "here").mkdir()
    monkeypatch.setattr("tests.attack.cgroup._own_group", lambda: (tmp_path / "here", "memory.max"))
    with memory_group("shop", 1000) as group:
        assert group is not None
        assert (group / "memory.max").read_text() == "1000"
        (group / "memory.peak").write_text(str(3 << 20))
        assert peak_mb(group) == 3
        for file in group.iterdir():
            file.unlink()
    assert not (tmp_path / "here" / "shop").exists()


def test_an_honest_client_says_what_it_met() -> None:
    honest = Honest("http://127.0.0.1:9", "key")
    honest.seconds, honest.answers, honest.failures = [0.004, 0.001, 0.9], 3, 1
    assert str(honest) == "honest client: 3 answers, 1 failures, median 4 ms, worst 900 ms"
