"""A shop's own export: interactions, and where there are any products, users and browsing sessions.

Any CSV, TSV or Parquet files on disk or behind a URL; the mapping file says what they and their columns are called.
"""

import ibis
from ibis import _

from contracts.events.schema import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, EventType
from training.ingest.adapters.location import Location, locate
from training.ingest.adapters.mapping import refuse_unknown_keys, time_zone_of
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.adapters.tables import Columns, moment_text, read_table

TABLES = {
    "interactions": EVENT_COLUMNS,
    "products": ITEM_COLUMNS,
    "users": USER_COLUMNS,
    "sessions": {"session_id": "string", "user_id": "string", "started_at": "timestamp"},
}
KEYS = (
    "time_zone",
    "epoch_unit",
    "event_types.*",
    *(f"{table}.{column}" for table, columns in TABLES.items() for column in ("file", *columns)),
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
EVENT_NAMES = {kind.value: kind.value for kind in EventType} | {
    "cart": EventType.CART_ADD.value,
    "add_to_cart": EventType.CART_ADD.value,
    "addtocart": EventType.CART_ADD.value,
    "remove_from_cart": EventType.CART_REMOVE.value,
    "transaction": EventType.PURCHASE.value,
    "order": EventType.PURCHASE.value,
}


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables; sessions become VISIT events.

    Raises MissingArtifact without interactions or products, InvalidInput for columns that are not there.
    """
    refuse_unknown_keys(options.mapping, KEYS, "ecommerce")
    zone = time_zone_of(options.mapping)
    location = locate(options.path, "ecommerce")
    events = _events(_required(connection, location, options, "interactions"), options)
    sessions = _optional(connection, location, options, "sessions")
    if sessions is not None:
        events = events.union(_visits(sessions).select(*events.columns))
    users = _optional(connection, location, options, "users")
    return Source(
        events=events,
        users=_profiles(users) if users is not None else _seen(events),
        items=_products(_required(connection, location, options, "products")),
        time_zone=zone,
    )


def _required(connection: ibis.BaseBackend, location: Location, options: SourceOptions, table: str) -> Columns:
    rows = read_table(connection, location.required(options.mapping.get(f"{table}.file", table)))
    understood = {
        f"{table}.{name}": alias
        for name in TABLES[table]
        if name not in rows.columns
        for alias in reversed(ALIASES.get(name, ()))
        if alias in rows.columns
    }
    return Columns(rows, table, understood | dict(options.mapping))


def _optional(connection: ibis.BaseBackend, location: Location, options: SourceOptions, table: str) -> Columns | None:
    named = f"{table}.file" in options.mapping
    if not named and not location.files(table):
        return None
    return _required(connection, location, options, table)


def _events(rows: Columns, options: SourceOptions) -> ibis.Table:
    """Without an event id, the content is the id: an exact copy of a row is a duplicate."""
    section = "event_types."
    own = {key.removeprefix(section): value for key, value in options.mapping.items() if key.startswith(section)}
    given = rows.text("event_type")
    values = {
        "event_type": given.lower().substitute(EVENT_NAMES | {name.lower(): kind for name, kind in own.items()}),
        "user_id": rows.text("user_id"),
        "item_id": rows.optional("item_id"),
        "event_timestamp": rows.timestamp("event_timestamp"),
        "basket_id": rows.optional("basket_id"),
        "quantity": rows.optional("quantity", "int64") if rows.has("quantity") else ibis.literal(1, "int64"),
        "price": rows.optional("price", "float64"),
        "discount": rows.optional("discount", "float64"),
    }
    values["quantity"] = values["quantity"].fill_null(1)
    content = (values[name].cast("string").fill_null("") for name in ("event_type", "user_id", "item_id"))
    moment = moment_text(values["event_timestamp"])
    return rows.select(
        event_id=rows.text("event_id") if rows.has("event_id") else ibis.literal("-").join([*content, moment]),
        **values,
    )


def _visits(rows: Columns) -> ibis.Table:
    session = rows.text("session_id")
    return rows.select(
        event_id="session-" + session,
        event_type=ibis.literal(EventType.VISIT.value),
        user_id=rows.text("user_id"),
        item_id=ibis.null("string"),
        event_timestamp=rows.timestamp("started_at"),
        basket_id=session,
        quantity=ibis.literal(1, "int64"),
        price=ibis.null("float64"),
        discount=ibis.null("float64"),
    )


def _products(rows: Columns) -> ibis.Table:
    item_id = rows.text("item_id")
    rest = {name: rows.optional(name, _short(kind)) for name, kind in ITEM_COLUMNS.items() if name != "item_id"}
    return rows.select(item_id=item_id, **rest)


def _profiles(rows: Columns) -> ibis.Table:
    user_id = rows.text("user_id")
    return rows.select(user_id=user_id, **{n: rows.optional(n) for n in USER_COLUMNS if n != "user_id"})


def _short(kind: str) -> str:
    return "timestamp" if kind.startswith("timestamp") else kind


def _seen(events: ibis.Table) -> ibis.Table:
    return events.filter(_.user_id.notnull()).select("user_id").distinct()
