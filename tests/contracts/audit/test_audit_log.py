"""Every way to change the audit log is found at the first line that is not as it was written."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.audit.audit_log import FIRST, Actor, AuditFailed, AuditLog, NoAudit, entry_hash, files_of, verified

ME = Actor("command line")
Lines = list[bytes]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit" / "audit.jsonl"
    written = AuditLog(path)
    for number in range(5):
        written.record(Actor("key site", "10.0.0.1", "http"), "bundle.change", version=f"v{number}")
    return path


def test_each_entry_says_who_from_where_and_what(log: Path) -> None:
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4, 5]
    first = entries[0]
    assert (first["who"], first["address"], first["channel"]) == ("key site", "10.0.0.1", "http")
    assert (first["action"], first["what"]) == ("bundle.change", {"version": "v0"})
    assert first["before"] == FIRST
    assert entries[1]["before"] == first["hash"] == entry_hash(first)


def test_a_whole_log_is_whole(log: Path) -> None:
    found = verified(log)
    assert (found.entries, found.fault) == (5, "")
    assert found.head == json.loads(log.read_text().splitlines()[-1])["hash"]


def forged(line: bytes) -> bytes:
    """A line with another content and a hash that fits it."""
    entry = json.loads(line) | {"who": "somebody else"}
    return json.dumps(entry | {"hash": entry_hash(entry)}).encode() + b"\n"


def respelled(old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    """The second line, written in another way: a parser finds the same content."""

    def change(rows: Lines) -> Lines:
        assert old in rows[1]
        return [rows[0], rows[1].replace(old, new, 1), *rows[2:]]

    return change


def reordered(rows: Lines) -> Lines:
    return [rows[0], json.dumps(json.loads(rows[1]), sort_keys=True).encode() + b"\n", *rows[2:]]


NOT_AS_WRITTEN = "line 2: it was altered: it is not as such an entry is written"
ATTACKS: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "altered": (lambda rows: [rows[0], rows[1].replace(b"v1", b"v9"), *rows[2:]], "line 2: it was altered"),
    "forged": (lambda rows: [rows[0], forged(rows[1]), *rows[2:]], "line 3: entry 3 was expected"),
    "a name twice": (respelled(b'{"number"', b'{"who": "key other", "number"'), NOT_AS_WRITTEN),
    "a name twice inside": (respelled(b'{"version"', b'{"version": "v9", "version"'), NOT_AS_WRITTEN),
    "escaped": (respelled(b'"http"', b'"\\u0068ttp"'), NOT_AS_WRITTEN),
    "another number": (respelled(b'"number": 2', b'"number": 2.0'), "line 2: it was altered"),
    "spaced": (respelled(b'": "http"', b'":  "http"'), NOT_AS_WRITTEN),
    "space behind": (respelled(b"\n", b" \n"), NOT_AS_WRITTEN),
    "another line end": (respelled(b"\n", b"\r\n"), NOT_AS_WRITTEN),
    "other order": (reordered, NOT_AS_WRITTEN),
    "one field more": (
        lambda rows: [rows[0], forged(rows[1].replace(b"{", b'{"note": 1, ', 1)), *rows[2:]],
        NOT_AS_WRITTEN,
    ),
    "nested without end": (lambda rows: [b"[" * 200_000 + b"\n", *rows[1:]], "line 1: it cannot be read"),
    "removed": (lambda rows: [rows[0], *rows[2:]], "line 2: entry 2 was expected"),
    "first removed": (lambda rows: rows[1:], "line 1: entry 1 was expected"),
    "doubled": (lambda rows: [rows[0], rows[0], *rows[1:]], "line 2: entry 2 was expected"),
    "moved": (lambda rows: [rows[1], rows[0], *rows[2:]], "line 1: entry 1 was expected"),
    "not JSON": (lambda rows: [*rows[:4], b"x\n"], "line 5: it cannot be read"),
    "not an entry": (lambda rows: [b"[]\n", *rows[1:]], "line 1: it cannot be read"),
    "broken off": (lambda rows: [*rows[:4], rows[4][:20]], "line 5: it is broken off"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_first_broken_line_is_named(log: Path, attack: str) -> None:
    change, expected = ATTACKS[attack]
    log.write_bytes(b"".join(change(log.read_bytes().splitlines(keepends=True))))
    assert expected in verified(log).fault


def test_an_end_that_was_cut_off_is_found_with_a_hash_that_was_noted(log: Path) -> None:
    head = verified(log).head
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert verified(log).fault == ""
    assert "the end was cut off" in verified(log, head).fault


def test_a_noted_hash_stays_good_while_the_log_grows(log: Path) -> None:
    head = verified(log).head
    AuditLog(log).record(ME, "rules.changed")
    assert verified(log, head).fault == ""


def test_the_chain_goes_on_over_files(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, max_bytes=700)
    for number in range(10):
        log.record(ME, "items.change", items=number)
    assert len(files_of(path)) > 2
    assert (verified(path).entries, verified(path).fault) == (10, "")
    files_of(path)[1].unlink()
    assert "was expected here" in verified(path).fault


def test_a_line_that_a_crash_broke_off_gives_way_to_the_next(log: Path) -> None:
    with log.open("a") as file:
        file.write('{"number": 6, "at"')
    AuditLog(log).record(ME, "bundle.promote")
    assert (verified(log).entries, verified(log).fault) == (6, "")


def test_a_long_last_line_is_found_from_the_end(log: Path) -> None:
    AuditLog(log).record(ME, "items.change", first_ids=["x" * 1000] * 200)  # longer than what is read at once
    AuditLog(log).record(ME, "bundle.promote")
    assert (verified(log).entries, verified(log).fault) == (7, "")


def test_many_writers_make_one_chain(log: Path) -> None:
    def write() -> None:
        for number in range(10):
            AuditLog(log).record(ME, "items.change", items=number)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verified(log).entries, verified(log).fault) == (45, "")


def test_what_cannot_be_recorded_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AuditFailed, match="nothing was changed") as failed:
        AuditLog(tmp_path / "file" / "audit.jsonl").record(ME, "bundle.promote")
    assert str(tmp_path) not in str(failed.value)  # callers elsewhere read it
    assert str(tmp_path / "file" / "audit.jsonl") in caplog.text


def test_only_its_owner_may_read_it(log: Path) -> None:
    assert log.stat().st_mode & 0o077 == 0


def test_no_log_is_no_entry_and_whole(tmp_path: Path) -> None:
    NoAudit().record(ME, "bundle.promote")
    assert verified(tmp_path / "audit.jsonl").entries == 0
