"""What clients have posted to the server, after an earlier ingest: the log of one run feeds the next.

The folder is one that `tandem ingest` has written (data/ingested, or a copy); the log adds events that it lacks, users
it has not seen, new items and later prices.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis import _

from contracts.errors import InvalidInput, MissingArtifact
from contracts.events.items import CatalogueItem
from contracts.events.log import INTERACTIONS, ITEMS, PAYLOAD, redis_key, sqlite_path
from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS
from training.engine import read_parquet
from training.ingest.adapters.mapping import refuse_unknown_keys, time_zone_of
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.files.location import Location, locate

KEYS = ("event_log", "time_zone")
CHUNK = 10_000
IDENTITY = ["user_id", "event_id"]
"""What identifies an event: clients draw its id, so two users may draw the same one."""


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables of the folder, with what the log knows beyond them.

    Raises InvalidInput without a log, MissingArtifact where folder or log are not there.
    """
    refuse_unknown_keys(options.mapping, KEYS, "event-log")
    location = locate(options.path, "event-log")
    events, users, items = (
        _earlier(connection, location, table, columns)
        for table, columns in (("events", EVENT_COLUMNS), ("users", USER_COLUMNS), ("items", ITEM_COLUMNS))
    )
    url = options.mapping.get("event_log", "")
    if not url:
        raise InvalidInput("The adapter event-log needs the mapping key event_log: sqlite:///… or redis://….")
    posted = _interactions(url).distinct(on=IDENTITY, keep="first")  # 0.1 kept some under another key
    new_users = posted.select("user_id").distinct().anti_join(users, "user_id")
    vectors = location.files("item_vectors")
    return Source(
        events=events.union(posted.anti_join(events, IDENTITY).select(*EVENT_COLUMNS)),
        users=users.union(new_users.mutate(**_nulls(USER_COLUMNS, "user_id")).select(*USER_COLUMNS)),
        items=_items(items, url),
        time_zone=_time_zone(location, options),
        item_vectors=read_parquet(connection, vectors[0].path) if vectors else None,
    )


def _earlier(connection: ibis.BaseBackend, location: Location, table: str, columns: dict[str, str]) -> ibis.Table:
    (file,) = location.required(table, (".parquet",))
    rows = read_parquet(connection, file.path)
    return rows.select(**{name: rows[name].cast(kind) for name, kind in columns.items()})


def _time_zone(location: Location, options: SourceOptions) -> str:
    """The shop's: as the mapping has it, else as the earlier ingest noted it."""
    report = location.files("report", (".json",))
    if "time_zone" in options.mapping or not report:
        return time_zone_of(options.mapping)
    with report[0].open() as stream:
        zone: str = json.load(stream)["time_zone"]
        return zone


def _interactions(url: str) -> ibis.Table:
    """Posted events; what this release cannot read is left to ingest, which quarantines and counts it."""
    schema = ibis.schema(EVENT_COLUMNS).to_pyarrow()
    chunks = [
        pa.Table.from_pylist([_event_row(payload) for _, payload in chunk], schema=schema)
        for chunk in _payloads(url, INTERACTIONS)
    ]
    return ibis.memtable(pa.concat_tables([schema.empty_table(), *chunks]))


def _event_row(payload: str) -> dict[str, Any]:
    fields = json.loads(payload)
    moment = fields.get("event_timestamp")
    return {**fields, "event_timestamp": datetime.fromisoformat(moment) if moment else None}


def _items(items: ibis.Table, url: str) -> ibis.Table:
    """The catalogue with posted items added and posted fields in place of earlier ones."""
    posted: dict[str, tuple[CatalogueItem, float]] = {}
    for chunk in _payloads(url, ITEMS):
        for received, payload in chunk:
            item = CatalogueItem.model_validate_json(payload)
            known = posted.get(item.item_id)
            posted[item.item_id] = (known[0].updated(item), known[1]) if known else (item, received)
    if not posted:
        return items
    rows = [
        item.model_dump(exclude={"in_stock"}) | {"available_from": datetime.fromtimestamp(first, UTC)}
        for item, first in posted.values()
    ]
    changes = ibis.memtable(pa.Table.from_pylist(rows, schema=ibis.schema(ITEM_COLUMNS).to_pyarrow()))
    new = changes.anti_join(items, "item_id").select(*ITEM_COLUMNS)
    renamed = changes.select(posted_id=_.item_id, **{f"posted_{name}": changes[name] for name in ITEM_COLUMNS})
    joined = items.left_join(renamed, items.item_id == renamed.posted_id)
    kept = ("item_id", "available_from")  # the others are as posted, where they were
    updated = {
        name: joined[name] if name in kept else ibis.coalesce(joined[f"posted_{name}"], joined[name])
        for name in ITEM_COLUMNS
    }
    return joined.select(**updated).union(new)


def _nulls(columns: dict[str, str], key: str) -> dict[str, Any]:
    return {name: ibis.null(kind) for name, kind in columns.items() if name != key}


def _payloads(url: str, stream: str) -> Iterator[Sequence[tuple[float, str]]]:
    """(received, payload) of every entry, in order and in chunks. Raises MissingArtifact where there is no log."""
    path = sqlite_path(url)
    if path is None:
        yield from _from_redis(url, stream)
        return
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as log:
            rows = log.execute(f"SELECT received, {PAYLOAD} FROM {stream} ORDER BY position")  # noqa: S608 names of ours
            while chunk := rows.fetchmany(CHUNK):
                yield chunk
    except sqlite3.Error as error:
        raise MissingArtifact(
            f"There is no event log at {path} ({error}). A server with TANDEM_EVENT_LOG writes it."
        ) from error


def _from_redis(url: str, stream: str) -> Iterator[Sequence[tuple[float, str]]]:
    try:
        import redis
    except ImportError as error:
        raise InvalidInput(
            "An event log in Redis needs the package redis: install Tandem with the extra `serving`."
        ) from error
    after = "-"
    try:
        with closing(redis.Redis.from_url(url, decode_responses=True)) as client:
            read: Callable[..., Any] = client.xrange  # typed for both kinds of clients
            while entries := read(redis_key(stream), min=after, count=CHUNK):
                yield [(float(fields["received"]), fields[PAYLOAD]) for _, fields in entries]
                after = f"({entries[-1][0]}"
    except redis.RedisError as error:
        raise MissingArtifact(f"The event log at {url.rpartition('@')[2]} did not answer: {error}.") from error
