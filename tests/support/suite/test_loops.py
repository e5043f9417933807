"""What a test is marked with, and what is said of those that could not run."""

from types import SimpleNamespace
from typing import Any

from tests.support.repository import ROOT
from tests.support.suite.loops import loaded_by, missing_parts, needed_by


def test_marks_follow_from_what_a_file_loads_and_from_fixtures() -> None:
    assert loaded_by(ROOT / "tests" / "training" / "retrieval" / "test_losses.py") == ("tf", "feast", "duckdb")
    assert loaded_by(ROOT / "tests" / "training" / "ingest" / "test_ingest.py") == ("duckdb",)
    assert loaded_by(ROOT / "tests" / "contracts" / "bundle" / "test_manifest.py") == ()
    assert loaded_by(ROOT.parent / "elsewhere.py") == ()
    assert needed_by(["trained", "tmp_path"]) == ["tf"]
    assert needed_by(["server", "trained"]) == ["tf", "server"]
    assert needed_by([]) == []


def test_what_is_missing_is_one_line_a_reason() -> None:
    reports: list[Any] = [SimpleNamespace(longrepr=("file", 1, f"Skipped: {why}")) for why in ("no x", "no y", "no x")]
    assert list(missing_parts(reports)) == ["2 skipped: no x", "1 skipped: no y"]
