"""A full disk and a fault of the engine end a command in one sentence; real disks are filled to the last byte."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from contracts.errors import DataRejected
from tandem import __main__ as command_line
from tandem.failures import in_words
from tests.support.real_parts.small_disk import fill_disk
from tests.support.workspaces.workspace import new_workspace
from training.engine import is_of_the_machine

SHOP = "ingest: {adapter: ecommerce, path: raw}"
EVENTS = "".join(f"u{i % 97},i{i % 53},purchase,2026-01-{i % 28 + 1:02d} 08:{i % 60:02d}\n" for i in range(5000))
TABLES = {
    "interactions": f"user_id,item_id,event_type,event_timestamp\n{EVENTS}",
    "products": "item_id\n" + "".join(f"i{i}\n" for i in range(53)),
}


def failing(error: Exception) -> int:
    """Exit code of a command that fails so."""

    def run(_: object) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        command_line.main(["features", "--root", "."], run)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_command_on_a_full_disk_says_so_and_how_much_is_free(small_disk: Path) -> None:
    workspace = new_workspace(small_disk, SHOP)
    (small_disk / "raw").mkdir()
    for name, text in TABLES.items():
        (small_disk / "raw" / f"{name}.csv").write_text(text)
    fill_disk(small_disk)
    done = subprocess.run(
        [sys.executable, "-m", "tandem", "ingest", "--root", str(workspace.root)],
        capture_output=True,
        text=True,
        check=False,
        cwd=small_disk,
    )
    said = " ".join(done.stderr.split())
    assert done.returncode == 2, said
    assert said.startswith("tandem: The disk is full: `tandem ingest` could not write ")
    assert f"Free are 0 MB below {small_disk}" in said and "Make room there" in said
    assert "Traceback" not in said


FILLS = """
import os, sys
from pathlib import Path
from tandem import demo_process as computation
def build(demo, until):
    from tests.support.real_parts.small_disk import fill_disk
    with demo.record.ticking():
        fill_disk(demo.workspace.root)
        (demo.workspace.root / "more").write_bytes(b"x" * 100_000)
computation.build = build
computation.main(sys.argv[1:], computation.app)
"""


def test_the_demos_computation_on_a_full_disk_is_one_sentence(small_disk: Path) -> None:
    new_workspace(small_disk, "{}")
    command = [sys.executable, "-c", FILLS, "--root", str(small_disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": "."})
    said = " ".join(done.stderr.split())
    assert done.returncode == 2 and "Traceback" not in said
    assert said.startswith("tandem: The demo failed at start: The disk is full: `tandem demo` could not write ")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "data/x.parquet"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        duckdb.IOException('IO Error: Could not write file "x": No space left on device'),
        RuntimeError("sqlite3: database or disk is full"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whoever_meets_a_full_disk_it_is_said_as_one(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(error) == 2
    assert "tandem: The disk is full: `tandem features` could not write" in capsys.readouterr().err
    wrapped = ValueError("of a library")
    wrapped.__cause__ = error
    assert failing(wrapped) == 2


def test_the_file_is_named_where_the_library_names_it() -> None:
    for error in (
        OSError(errno.ENOSPC, "No space left on device", "/data/x.parquet"),
        duckdb.IOException('IO Error: Could not write all bytes to file "/data/x.parquet": No space left on device'),
    ):
        assert "`tandem dataset` could not write /data/x.parquet. Free" in str(in_words(error, ["dataset"]))


def test_a_full_folder_of_temporary_files_is_another_place(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    fill_disk(small_disk)
    said = in_words(OSError(errno.ENOSPC, "No space left on device"), ["dataset", "--root", "/"])
    assert said is not None and f"and 0 MB below {small_disk}" in said and "MB below / and" in said


def test_a_folder_that_is_not_ours_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(PermissionError(errno.EACCES, "Permission denied", "/data/x.parquet")) == 2
    assert "`tandem features` cannot go on: /data/x.parquet may not be written by this user." in capsys.readouterr().err
    assert failing(OSError(errno.EROFS, "Read-only file system", "/data/x")) == 2
    assert "/data/x is on a disk that is mounted read-only" in capsys.readouterr().err


def test_a_fault_inside_the_engine_names_its_version_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    text = "INTERNAL Error: narrowed column received a non-dictionary chunk\n\nStack Trace:\n\n/lib/x.so(f+0x1)"
    assert failing(duckdb.InternalException(text)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"DuckDB {duckdb.__version__} failed inside itself while `tandem features` computed" in said
    assert "received a non-dictionary chunk. Try fewer threads (duckdb.threads: 1 in params.yaml)" in said
    assert "Stack" not in said and "x.so" not in said


def test_memory_that_is_not_enough_says_which_settings_help(capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.OutOfMemoryException) as raised:
        connection.execute("SET memory_limit = '8MB'; SET temp_directory = ''; SET threads = 1")
        connection.sql("SELECT list(i) FROM range(10000000) t(i)").fetchall()
    assert is_of_the_machine(raised.value)
    assert failing(raised.value) == 2
    assert "`tandem features` needs more memory than DuckDB may use" in capsys.readouterr().err


def test_what_the_data_is_at_fault_for_is_left_as_it_is() -> None:
    conversion = duckdb.ConversionException("Could not convert string 'x' to INT32")
    assert in_words(conversion, ["ingest"]) is None and not is_of_the_machine(conversion)
    with pytest.raises(ValueError, match="a fault of our own"):
        command_line.main(["features"], lambda _: (_ for _ in ()).throw(ValueError("a fault of our own")))


def test_an_error_of_ours_keeps_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    ours = DataRejected("3 rows are left.")
    ours.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert failing(ours) == 2
    assert capsys.readouterr().err.strip() == "tandem: 3 rows are left."
