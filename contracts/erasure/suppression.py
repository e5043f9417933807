"""Erased users as keyed hashes: enough to keep them out, without a list of people.

A hash without a key could be undone by trying every id of a shop. The key lies next to the list, readable by its owner
alone; without it the list says nothing, so the two are backed up together or not at all.
"""

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from contracts.errors import InvalidInput, MissingArtifact

KEY: Final = "key"
SUPPRESSED: Final = "suppressed.txt"
"""One hash a line: hex HMAC-SHA256 of the id."""
KEY_BYTES: Final = 32

IsErased = Callable[[str], bool]
"""Whether a user was erased."""


def nobody(_: str) -> bool:
    """Where nobody can be erased."""
    return False


def hashes_in(folder: Path) -> list[str]:
    """The hashes on the list of a folder; none where nobody was erased."""
    path = folder / SUPPRESSED
    return path.read_text().split() if path.is_file() else []


class SuppressionList:
    """The list in one folder; processes that share the folder see each other's entries at once."""

    def __init__(self, folder: Path) -> None:
        """Raises MissingArtifact where the list or its key is gone: nobody on it would be kept out any more."""
        self.folder = folder
        self._list = folder / SUPPRESSED
        self._stamp: tuple[int, int] | None = None
        self._hashes: frozenset[str] = frozenset()
        self._key = b""
        self._refuse_lost_list()
        if hashes_in(folder) and not (folder / KEY).is_file():
            raise MissingArtifact(
                f"{self._list} lists people who were erased, and its key {folder / KEY} is missing. Restore the key: "
                "without it they would come back."
            )

    def __bool__(self) -> bool:
        """Whether anybody was erased."""
        self._read_if_changed()
        return bool(self._hashes)

    def __contains__(self, user_id: str) -> bool:
        """Whether the user was erased."""
        self._read_if_changed()
        return bool(self._hashes) and self._hash(user_id) in self._hashes

    def __len__(self) -> int:
        """How many were erased."""
        self._read_if_changed()
        return len(self._hashes)

    def contains(self, user_id: str) -> bool:
        """The same, to be passed along."""
        return user_id in self

    def pseudonym(self, user_id: str) -> str:
        """The keyed hash that stands for the user; equal for equal ids, here and nowhere else."""
        self._make()
        return self._hash(user_id)

    def add(self, user_id: str) -> str:
        """The user's keyed hash, which is on the list and on the disk when this returns.

        Raises InvalidInput where the folder cannot be written, MissingArtifact where the list is gone.
        """
        found = self.pseudonym(user_id)
        with self._list.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if found not in file.read().split():
                file.write(found + "\n")
                file.flush()
                os.fsync(file.fileno())
        self._read_if_changed()
        return found

    def remove(self, user_id: str) -> bool:
        """Whether the user was on the list; they may come back from now on."""
        found = self.pseudonym(user_id)
        with self._list.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            lines = file.read().split()
            file.seek(0)
            file.truncate()
            file.write("".join(f"{line}\n" for line in lines if line != found))
            file.flush()
            os.fsync(file.fileno())
        return found in lines

    def _hash(self, user_id: str) -> str:
        return hmac.new(self._key, user_id.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _make(self) -> None:
        """Makes list and key where there are none; of two processes that try, one makes the key.

        The list comes first: a key without one is then always of a list that is gone.
        """
        self._refuse_lost_list()
        if self._key:
            return
        path = self.folder / KEY
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._list.touch()
            if not path.exists():
                own = path.with_name(f".{KEY}.{os.getpid()}.{secrets.token_hex(4)}")
                with open(own, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                    file.write(secrets.token_hex(KEY_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):  # another process was first
                    os.link(own, path)
                own.unlink()
        except OSError as error:
            logging.getLogger(__name__).error("Erasures cannot be kept in %s: %s.", self.folder, error.strerror)
            raise InvalidInput(f"Erasures cannot be kept in their folder: {error.strerror}.") from error
        self._read_key()

    def _refuse_lost_list(self) -> None:
        if (self.folder / KEY).is_file() and not self._list.is_file():
            raise MissingArtifact(
                f"{SUPPRESSED} of the folder of erasures is gone, and its key is there: restore it, or people who were "
                "erased come back. Only if nobody was, remove the key."
            )

    def _read_key(self) -> None:
        self._key = bytes.fromhex((self.folder / KEY).read_text().strip())

    def _read_if_changed(self) -> None:
        try:
            status = self._list.stat()
        except FileNotFoundError:
            if self._stamp is not None:  # the hashes of before stay in force
                logging.getLogger(__name__).error("%s is gone. Restore it, or the erased come back.", self._list)
                self._stamp = None
            return
        if (stamp := (status.st_mtime_ns, status.st_size)) == self._stamp:
            return
        hashes = frozenset(self._list.read_text().split())
        if hashes and not self._key:
            self._read_key()
        self._hashes, self._stamp = hashes, stamp
