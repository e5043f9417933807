"""A shop's own export: interactions, and where there are any products, users and browsing sessions.

Any CSV, TSV or Parquet files on disk or behind a URL; the mapping file says what they and their columns are called.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import ibis

from contracts.errors import InvalidInput
from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, EventType
from training.ingest.adapters.event_names import event_type
from training.ingest.adapters.follow_ups import FILL, KEY, OF_AN_ORDER, blank_in_known_orders, with_follow_ups
from training.ingest.adapters.idle_lines import idle_lines, idle_of_files
from training.ingest.adapters.joins import Join, joins_of, with_join
from training.ingest.adapters.mapping import (
    decimal_commas,
    refuse_idle_options,
    refuse_unknown_keys,
    table_keys,
    time_zone_of,
)
from training.ingest.adapters.once import LATEST, once_an_id
from training.ingest.adapters.source import CANCEL, IGNORE, RETURN, Source, SourceOptions
from training.ingest.adapters.tables import read_table
from training.ingest.files.encodings import refuse_unknown_encoding
from training.ingest.files.location import DataFile, Location, has_suffix, locate
from training.ingest.values.columns import Columns, Part
from training.ingest.values.moments import TIMESTAMP

TABLES = {
    "interactions": EVENT_COLUMNS,
    "products": ITEM_COLUMNS,
    "users": USER_COLUMNS,
    "sessions": {"session_id": "string", "user_id": "string", "started_at": "timestamp"},
}
KEYS = (
    *table_keys(TABLES),
    "event_types.*",
    "guests",
    KEY,
    "returns",
    "return_prefix",
    *(f"{table}.{key}" for table in ("products", "users") for key in ("repeated", "latest_by")),
    *(
        f"{table}.{key}"
        for table, columns in TABLES.items()
        for key in ("rows", "rows.separator", "encoding", "header", "join.*", *map("{}.path".format, columns))
    ),
    "encoding",
)
# Names that are understood without a mapping, where the column itself is not there.
ALIASES = {
    "item_id": ("product_id",),
    "event_timestamp": ("timestamp",),
    "basket_id": ("session_id", "order_id"),
    "title": ("name", "product_name"),
    "age_band": ("age", "age_group"),
    "started_at": ("session_start",),
}
GUEST = "guest"


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables; sessions become VISIT events.

    Raises MissingArtifact without interactions or products, InvalidInput for columns that are not there.
    """
    refuse_unknown_keys(options.mapping, KEYS, "ecommerce")
    refuse_idle_options(options.mapping, TABLES)
    zone = time_zone_of(options.mapping)
    location = locate(options.path, "ecommerce")
    opened = {table: _required(connection, location, options, table) for table in ("interactions", "products")}
    for table in ("sessions", "users"):
        if (found := _optional(connection, location, options, table)) is not None:
            opened[table] = found
    events = _events(opened["interactions"], options)
    if "sessions" in opened:
        events = events.union(_visits(opened["sessions"]).select(*events.columns))
    items, items_folded = _profiles(opened["products"], options, "products", "item_id")
    users, users_folded = None, 0
    if "users" in opened:
        users, users_folded = _profiles(opened["users"], options, "users", "user_id")
    return Source(
        events=events,
        users=users,
        items=items,
        time_zone=zone,
        returns=policy_of(options.mapping),
        warnings=(
            *_notes(opened, options.mapping),
            *location.notes(dict.fromkeys(options.mapping.get(f"{table}.file", table) for table in opened)),
            *location.notes(join.file for table in opened for join in joins_of(options.mapping, table)),
            *_follow_ups(opened["interactions"], options.mapping),
            *idle_lines(options.mapping, opened, TABLES),
        ),
        kinds={column: kind for rows in opened.values() for column, kind in rows.kinds.items()},
        repeats_folded={name: rows for name, rows in (("users", users_folded), ("items", items_folded)) if rows},
    )


def _required(connection: ibis.BaseBackend, location: Location, options: SourceOptions, table: str) -> Columns:
    files = _as_written(location.required(options.mapping.get(f"{table}.file", table)), options.mapping, table)
    mapped = [options.mapping.get(f"{table}.{name}", "") for name in (*TABLES[table], "latest_by")]
    joins = joins_of(options.mapping, table)
    wanted = _wanted(options.mapping, table) | {join.by for join in joins}
    inside = [name for name in (*mapped, *(join.by for join in joins)) if "." in name]
    in_path = {
        f"{table}.{name}": pattern for name in TABLES[table] if (pattern := options.mapping.get(f"{table}.{name}.path"))
    }
    commas = decimal_commas(
        options.mapping, table, [name for name, kind in TABLES[table].items() if kind in ("float64", "int64")]
    )
    rows, lacking = read_table(
        connection,
        files,
        rows_of=options.mapping.get(f"{table}.rows", ""),
        separator=options.mapping.get(f"{table}.rows.separator", ""),
        nested=[name for name in inside if not any(name.startswith(f"{join.name}.") for join in joins)],
        in_path=list(dict.fromkeys(in_path.values())),
        wanted=wanted,
        commas=commas,
        careful=options.careful,
    )
    notes: list[str] = []
    while joins:  # one may be by a column of another, whatever their order
        join = next((join for join in joins if join.by in rows.columns), joins[0])
        joins.remove(join)
        own = join.own(wanted)
        other, missing = _joined(connection, location, options, join, own, join.own(commas))
        rows, said = with_join(rows, other, join, own)
        lacking |= {f"{join.name}.{column}": parts for column, parts in missing.items()}
        notes += said
    understood = {
        f"{table}.{name}": alias
        for name in TABLES[table]
        if name not in rows.columns
        for alias in reversed(ALIASES.get(name, ()))
        if alias in rows.columns
    }
    names = understood | dict(options.mapping) | in_path
    if table == "interactions":
        of_an_order = {ours: names.get(f"{table}.{ours}", ours) for ours in ("basket_id", *OF_AN_ORDER)}
        rows = with_follow_ups(rows, of_an_order, options.mapping.get(KEY, ""))
    columns = Columns(rows, table, names, lacking)
    columns.note([*idle_of_files(options.mapping, files, table), *notes])
    return columns


def _joined(
    connection: ibis.BaseBackend,
    location: Location,
    options: SourceOptions,
    join: Join,
    own: Collection[str],
    commas: Collection[str],
) -> tuple[ibis.Table, dict[str, list[Part]]]:
    """The table that rows name; see read_table. own: what is read of it."""
    files = _as_written(location.required(join.file), options.mapping, join.section)
    wanted = {*own, join.key}
    return read_table(
        connection,
        files,
        nested=[name for name in wanted if "." in name],
        wanted=wanted,
        commas=commas,
        careful=options.careful,
    )


def _wanted(mapping: Mapping[str, str], table: str) -> set[str]:
    """What the source may call the columns that are read: as the mapping says, or else as we do, or by an alias."""
    clocks = {mapping[f"{table}.{name}.time"] for name in TABLES[table] if f"{table}.{name}.time" in mapping}
    unmapped = [
        name
        for name in TABLES[table]
        if not any(f"{table}.{name}{option}" in mapping for option in ("", ".value", ".path"))
    ]
    mapped = {mapping[f"{table}.{name}"] for name in (*TABLES[table], "latest_by") if f"{table}.{name}" in mapping}
    return clocks | mapped | set(unmapped) | {alias for name in unmapped for alias in ALIASES.get(name, ())}


def _as_written(files: list[DataFile], mapping: Mapping[str, str], table: str) -> list[DataFile]:
    """The files in the encoding, and with the header, that the mapping says; Parquet has its own."""
    encoding = mapping.get(f"{table}.encoding", mapping.get("encoding", ""))
    header = mapping.get(f"{table}.header", "")
    if encoding:
        refuse_unknown_encoding(encoding)
    return [
        one if has_suffix(one.name, (".parquet",)) else replace(one, encoding=encoding, header=header) for one in files
    ]


def _notes(opened: Mapping[str, Columns], mapping: Mapping[str, str]) -> Iterator[str]:
    """What is odd about the tables; a column is used where any table of its file has read it."""
    files = {table: mapping.get(f"{table}.file", table) for table in opened}
    for table, rows in opened.items():
        others = [opened[other].used for other in opened if other != table and files[other] == files[table]]
        yield from rows.notes(TABLES[table], elsewhere=[column for used in others for column in used])


def _follow_ups(rows: Columns, mapping: Mapping[str, str]) -> Iterator[str]:
    """A sentence where lines of an order that leave its user blank are taken for guests'."""
    if not mapping.get("guests", "") or mapping.get(KEY, "") or not rows.has("basket_id"):
        return
    if blank := blank_in_known_orders(rows.table, rows.id("user_id"), rows.id("basket_id")):
        yield (
            f"{blank:,} rows of interactions were left out as guests', but other rows of their baskets name a user. "
            f"If they are further lines of an order, say `{KEY}: {FILL}`."
        )


def _optional(connection: ibis.BaseBackend, location: Location, options: SourceOptions, table: str) -> Columns | None:
    named = f"{table}.file" in options.mapping
    if not named and not location.files(table):
        return None
    return _required(connection, location, options, table)


def _events(rows: Columns, options: SourceOptions) -> ibis.Table:
    """Without an event id the content is the id."""
    rows.require("event_type", "user_id", "event_timestamp")
    rows.leave_out_totals("user_id", _moment_column(options))
    event_id, kind = rows.optional("event_id", "id"), event_type(rows, options.mapping)
    # In this order: of a row with several faults the first is its reason.
    user_id, item_id = _user_id(rows, options.mapping), rows.optional("item_id", "id")
    moment, basket_id = rows.timestamp("event_timestamp"), rows.optional("basket_id", "id")
    quantity = rows.optional("quantity", "int64")
    return rows.select(
        event_type=kind,
        user_id=user_id,
        item_id=item_id,
        event_timestamp=moment,
        basket_id=basket_id,
        quantity=quantity.fill_null(1),
        price=rows.optional("price", "float64"),
        discount=rows.optional("discount", "float64"),
        event_id=event_id,
        content=ibis.ifelse(event_id.isnull(), rows.content(), None),
        is_return=_is_return(kind, basket_id, quantity, options.mapping),
    )


def _user_id(rows: Columns, mapping: Mapping[str, str]) -> Any:
    """Where the mapping says that guests are ignored, a row without a user is a guest's, and no fault of the data."""
    user = rows.id("user_id")
    guests = mapping.get("guests", "")
    if guests not in ("", IGNORE):
        raise InvalidInput(f"guests is {guests!r}, expected {IGNORE}, or no such line.")
    if guests:
        rows.leave_out(user.isnull(), GUEST)
    return user


def _visits(rows: Columns) -> ibis.Table:
    session = rows.id("session_id")
    return rows.select(
        event_id="session-" + session,
        content=ibis.null("string"),
        is_return=ibis.literal(False),
        event_type=ibis.literal(EventType.VISIT.value),
        user_id=rows.id("user_id"),
        item_id=ibis.null("string"),
        event_timestamp=rows.timestamp("started_at"),
        basket_id=session,
        quantity=ibis.literal(1, "int64"),
        price=ibis.null("float64"),
        discount=ibis.null("float64"),
    )


def policy_of(mapping: Mapping[str, str]) -> str:
    """What returns do: `ignore`, `cancel`, or empty.

    Raises InvalidInput for another word, or a prefix of returns without a policy.
    """
    policy = mapping.get("returns", "")
    if policy not in ("", IGNORE, CANCEL):
        raise InvalidInput(f"returns is {policy!r}, expected {IGNORE} or {CANCEL}.")
    if not policy and "return_prefix" in mapping:
        raise InvalidInput(f"return_prefix marks returns: say with returns ({IGNORE} or {CANCEL}) what they do.")
    return policy


def _is_return(kind: Any, basket_id: Any, quantity: Any, mapping: Mapping[str, str]) -> Any:
    """Negative units of a purchase, a basket whose id begins with the prefix of returns, or an event called so."""
    is_return = (kind == RETURN) | ((kind == EventType.PURCHASE.value) & (quantity < 0))
    if prefix := mapping.get("return_prefix"):
        is_return = is_return | basket_id.startswith(prefix)
    return is_return.fill_null(False)


def _profiles(rows: Columns, options: SourceOptions, table: str, key: str) -> tuple[ibis.Table, int]:
    """(the table of users or products, rows that say more of an id that is there already)."""
    rows.leave_out_totals(key, _moment_column(options))
    rest = {name: rows.optional(name, _short(kind)) for name, kind in TABLES[table].items() if name != key}
    how = options.mapping.get(f"{table}.repeated", "")
    latest_by = rows.timestamp("latest_by") if how == LATEST else ibis.null(TIMESTAMP)
    found = rows.select(**{key: rows.id(key)}, **rest, latest_by=latest_by)
    if not how:
        return found.drop("latest_by"), 0
    kept, folded = once_an_id(found, key, list(rest), how)
    return kept, folded


def _moment_column(options: SourceOptions) -> str:
    """What the source calls the moment of an event; files of invoices have it next to products and users, too."""
    return options.mapping.get("interactions.event_timestamp", "event_timestamp")


def _short(kind: str) -> str:
    return "timestamp" if kind.startswith("timestamp") else kind
