"""The audit log: JSON lines, each with the hash of the one before it.

A line that is altered, left out or put in between breaks the chain at that line. Somebody who can write the file can
cut off its end or make it anew, so the last hash belongs into another place now and then: `tandem audit verify` prints
it, and holds the log against one with --head.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from contracts.errors import TandemError

FIRST: Final = "0" * 64
"""What stands for the hash before the first line."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""Of one file; then it is renamed to audit-NUMBER.jsonl, and the chain goes on in a new one."""
TAIL_BYTES: Final = 65_536
HASH: Final = "hash"
FIELDS: Final = ("number", "at", "who", "address", "channel", "action", "what", "before", HASH)
"""Of an entry, in the order in which they are written."""


class AuditFailed(TandemError):
    """A change that could not be recorded is not made."""

    http_status = 503


@dataclass(frozen=True)
class Actor:
    """Who makes a change: the name of a key or "command line", and from where."""

    who: str
    address: str = ""
    channel: str = "command line"


class Audit(Protocol):
    """Takes one entry a change."""

    def record(self, actor: Actor, action: str, **what: Any) -> None:
        """The entry is on the disk when this returns. Raises AuditFailed."""
        ...


class NoAudit:
    """Keeps nothing; where no log is configured."""

    def record(self, actor: Actor, action: str, **what: Any) -> None:
        """Nothing."""


class AuditLog:
    """One file and the older ones next to it; several processes may write, one after the other."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        """Nothing is made before the first entry."""
        self.path = path
        self._max_bytes = max_bytes

    def record(self, actor: Actor, action: str, **what: Any) -> None:
        """The entry is on the disk when this returns. Raises AuditFailed."""
        try:
            with self._locked():
                number, before = self._last()
                entry = {
                    "number": number + 1,
                    "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    "who": actor.who,
                    "address": actor.address,
                    "channel": actor.channel,
                    "action": action,
                    "what": what,
                    "before": before,
                }
                self._append(_line_of(entry | {HASH: entry_hash(entry)}), number)
        except OSError as error:
            logging.getLogger(__name__).error("The audit log %s cannot be written: %s.", self.path, error.strerror)
            # Callers elsewhere read this text, and where the file lies is not for them.
            raise AuditFailed(f"The audit log cannot be written ({error.strerror}), so nothing was changed.") from error

    def _last(self) -> tuple[int, str]:
        """(number, hash) of the last whole line. A line that a crash broke off was never promised, and goes."""
        for path in reversed(files_of(self.path)):
            line, torn_bytes = _last_line(path)
            if torn_bytes and path == self.path:
                os.truncate(path, path.stat().st_size - torn_bytes)
            if line:
                entry = json.loads(line)
                return int(entry["number"]), str(entry[HASH])
        return 0, FIRST

    def _append(self, line: str, last_number: int) -> None:
        if self.path.exists() and self.path.stat().st_size + len(line) > self._max_bytes and last_number:
            self.path.rename(self.path.with_name(f"{self.path.stem}-{last_number:012}{self.path.suffix}"))
        with open(self.path, "a", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f".{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _last_line(path: Path) -> tuple[bytes, int]:
    """(the last line that ends, bytes behind it); a file is read from its end on."""
    size = path.stat().st_size
    length = min(size, TAIL_BYTES)
    with path.open("rb") as file:
        while True:
            file.seek(size - length)
            whole, newline, torn = file.read(length).rpartition(b"\n")
            if length == size or b"\n" in whole:
                return (whole.rpartition(b"\n")[2] if newline else b""), len(torn)
            length = min(size, 2 * length)


@dataclass(frozen=True)
class Verdict:
    """What a look through the log found. fault: of the first line that is wrong, empty where none is."""

    entries: int
    head: str
    fault: str = ""


def files_of(path: Path) -> list[Path]:
    """The older files of a log, oldest first, and the one that is written."""
    older = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
    return [*older, path] if path.exists() else older


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Hex SHA-256 of an entry without its hash, in one spelling."""
    fields = {name: value for name, value in entry.items() if name != HASH}
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _line_of(entry: Mapping[str, Any]) -> str:
    """The one line that is written for an entry with its hash. Raises KeyError for an entry that lacks a field."""
    return json.dumps({name: entry[name] for name in FIELDS}, ensure_ascii=True) + "\n"


def entries_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """(file and line number, the line) of every line, oldest first."""
    for file in files_of(path):
        for number, line in enumerate(file.read_bytes().splitlines(keepends=True), start=1):
            yield f"{file.name} line {number}", line


def verified(path: Path, head: str = "") -> Verdict:
    """The log looked through from its first line on. head: a hash that was the last one once, and must be there."""
    count, before, seen = 0, FIRST, {FIRST}
    for where, line in entries_of(path):
        if fault := _fault(line, count + 1, before):
            return Verdict(count, before, f"{where}: {fault}")
        count, before = count + 1, str(json.loads(line)[HASH])
        seen.add(before)
    if head and head not in seen:
        return Verdict(count, before, f"no line has the hash {head}: the end was cut off, or the log was made anew")
    return Verdict(count, before)


def _fault(line: bytes, number: int, before: str) -> str:
    """What is wrong with a line that must have this number and follow this hash."""
    if not line.endswith(b"\n"):
        return "it is broken off; the next entry takes its place"
    try:
        entry = json.loads(line)
        written = _line_of(entry).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it cannot be read as an entry"
    if entry[HASH] != entry_hash(entry):
        return "it was altered: its content does not have its hash"
    if line != written:  # a name twice, of which a reader sees another one than the hash is over; another spelling
        return "it was altered: it is not as such an entry is written"
    if entry["before"] != before or entry["number"] != number:
        return f"entry {number} was expected here: lines before it were removed, added or moved"
    return ""
