"""What an adapter is given of a source, and what it yields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis

RETURN, IGNORE, CANCEL = "return", "ignore", "cancel"
"""What a returned purchase is called, and what it may do: nothing, or take its units off earlier purchases."""


@dataclass(frozen=True)
class SourceOptions:
    """What the user says about a source: where it lies and how its columns are called."""

    path: str = ""  # a folder, or a URL that fsspec knows
    mapping: Mapping[str, str] = field(default_factory=dict)  # dotted keys, see mapping.py
    careful: bool = False  # look at each value of Parquet files, where an engine has stopped at one


@dataclass(frozen=True)
class Source:
    """What an adapter yields: tables with columns of contracts.events.schema, unchecked; a column left out is null.

    A table may carry `reason` (why the adapter could not read the row, else null) and `raw` (its text). Events without
    ids of their own carry `content` instead, a text that only exact copies share.
    """

    events: ibis.Table
    users: ibis.Table | None  # None: whoever the events name, as `users_of` has it
    items: ibis.Table
    time_zone: str  # IANA name of the shop's local time; events are UTC
    returns: str = ""  # what becomes of returned units: ignore, cancel, or empty where the source says nothing
    warnings: tuple[str, ...] = ()  # what the adapter found odd
    kinds: Mapping[str, str] = field(default_factory=dict)  # by column of the source what it should hold
    repeats_folded: Mapping[str, int] = field(default_factory=dict)  # by table: rows beyond the first of their id
    notices: tuple[str, ...] = ()  # what the licence of the data asks to be said
    item_vectors: ibis.Table | None = None  # item_id, vector: an embedding that came with the catalogue
    truth: Mapping[str, ibis.Table] = field(default_factory=dict)  # of made-up data: what an oracle knows, by name


Adapter = Callable[[ibis.BaseBackend, SourceOptions], Source]
