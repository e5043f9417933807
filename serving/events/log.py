"""The durable log of what was posted: one behaviour, kept by SQLite on one machine and by Redis on a cluster.

Positions are whole numbers that grow by the order of arrival; a reader that has seen position p asks for what is
after p. Nothing is deleted but by `trim` and `erase`.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from contracts.errors import TandemError


class EventLogError(TandemError):
    """The log did not answer, or could not make the entries durable: none of the request is promised."""

    http_status = 503


class EventLogRefused(TandemError):
    """A store that could lose what it has accepted."""


class LeaseLost(TandemError):
    """Another consumer has taken over; this one must not write on."""


class Entry(NamedTuple):
    """Something to keep. The key makes it repeatable: an entry with a key that is there already is a duplicate."""

    key: str
    payload: str


class Logged(NamedTuple):
    """An entry that is durable."""

    position: int
    received_seconds: float  # Unix, by the clock of the process that appended
    key: str
    payload: str


class Appendable(Protocol):
    """What entries can be given to."""

    def append(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each entry is new; all are durable when this returns. Raises EventLogError."""
        ...


class EventLog(Appendable, Protocol):
    """One stream of entries."""

    def read(self, after: int, limit: int) -> list[Logged]:
        """Up to limit entries after a position, in order. Raises EventLogError."""
        ...

    def end(self) -> int:
        """Position of the last entry ever kept, 0 for none. Raises EventLogError."""
        ...

    def trim(self, before_seconds: float, up_to: int) -> int:
        """How many entries were removed: received before a moment, and at or below a position. Raises EventLogError."""
        ...

    def erase(self, chosen: Callable[[str], bool]) -> int:
        """How many entries of chosen users were removed; nothing of them is left in the store. Raises EventLogError.

        Unlike `trim` it rewrites the store: what is merely deleted stays readable in its files.
        """
        ...

    def close(self) -> None:
        """Gives up connections."""
        ...


class Positions(Protocol):
    """How far each consumer of a stream has come; durable like the entries."""

    def position(self, consumer: str) -> int:
        """The last position whose effect is in place, 0 for none. Raises EventLogError."""
        ...

    def lease(self, consumer: str, holder: str, seconds: float) -> bool:
        """Whether holder may work for the consumer for these seconds; asking again prolongs. Raises EventLogError."""
        ...

    def release(self, consumer: str, holder: str) -> None:
        """Gives the lease back, if holder has it: another may work at once. Raises EventLogError."""
        ...

    def commit(self, consumer: str, holder: str, position: int) -> None:
        """Notes the position. Raises LeaseLost unless holder has the lease, EventLogError."""
        ...


class ConsumedLog(EventLog, Positions, Protocol):
    """A log with the positions of its consumers."""


def user_of(payload: str) -> str | None:
    """The user of an entry, whichever release wrote it; None for one that names none."""
    try:
        fields = json.loads(payload)
    except ValueError:
        return None
    user_id = fields.get("user_id") if isinstance(fields, dict) else None
    return user_id if isinstance(user_id, str) else None
