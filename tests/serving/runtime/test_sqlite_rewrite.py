"""Rewriting a SQLite file while others read it and move its write-ahead log."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.runtime.sqlite_rewrite import rewrite


def opened(path: Path, timeout: float = 30) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "store.db"
    with closing(opened(path)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE rows (text TEXT)")
        writer.execute("INSERT INTO rows VALUES ('zebra')")
        yield path


def erased(path: Path, seconds: float) -> None:
    with closing(opened(path, timeout=0.1)) as store:
        store.execute("DELETE FROM rows")
        rewrite(store, seconds)


MOVING = """
import fcntl, sys, time
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 121)
    print("moving", flush=True)
    time.sleep(0.5)
"""
"""Holds the lock of one who moves the log into the file, byte 121 of -shm (sqlite.org/walformat.html, 2.3.1)."""


def test_another_process_that_moves_the_log_at_that_moment_is_waited_for(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MOVING, f"{path}-shm"], stdout=subprocess.PIPE) as moving:
        assert moving.stdout is not None and moving.stdout.readline() == b"moving\n"
        erased(path, 30)
    assert b"zebra" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_a_reader_that_does_not_end_is_an_error_after_the_time(path: Path) -> None:
    with closing(opened(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rows").fetchall()
        started = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="being read"):
            erased(path, 0.3)
        assert time.monotonic() - started < 10
