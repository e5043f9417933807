"""Which items are bought together: pairs within a basket, counted in both directions."""

from dataclasses import dataclass

import ibis
from ibis import _

from contracts.events.schema import EventType
from contracts.features import names
from training.engine import read_parquet
from training.features.snapshots import basket, of_type
from training.target import in_role
from training.timeline import Timeline
from training.workspace import Workspace, require

TOP = 5  # companions kept per item


@dataclass(frozen=True)
class CopurchaseReport:
    """How many baskets and items were counted."""

    baskets: int
    items: int  # that were ever bought together with another


def build_copurchase(workspace: Workspace, connection: ibis.BaseBackend) -> CopurchaseReport:
    """Writes the TOP companions of each item, with names, as of the end of the data."""
    events = read_parquet(connection, require(workspace.ingested("events"), "tandem ingest"))
    items = read_parquet(connection, workspace.ingested("items"))
    timeline = Timeline.read(require(workspace.timeline, "tandem features"))
    moment, events = timeline.data_end, in_role(events, timeline.target)
    purchases = events.filter(of_type(EventType.PURCHASE)).mutate(seconds=_.event_timestamp.epoch_seconds())
    # A quarter hour is a basket of its user alone; an id of the source's is taken as it is.
    purchases = purchases.mutate(basket_id=_.basket_id.coalesce(_.user_id + "@" + basket()))
    connection.to_parquet(companions(purchases, items, moment), workspace.copurchase)
    written = read_parquet(connection, workspace.copurchase)
    return CopurchaseReport(baskets=int(purchases.basket_id.nunique().execute()), items=int(written.count().execute()))


def companions(purchases: ibis.Table, items: ibis.Table, moment: int) -> ibis.Table:
    """One row per item with aligned arrays, most frequent first, ties by item id.

    A pair counts once a basket, however many units were bought. moment is Unix seconds.
    """
    # Numbers instead of ids, and each pair once: the pairs of all baskets are the largest table of the pipeline.
    codes = items.select("item_id").distinct().mutate(code=ibis.row_number().over(order_by="item_id"))
    baskets = purchases.select("basket_id").distinct().mutate(basket=ibis.row_number().over(order_by="basket_id"))
    coded = purchases.join(codes, "item_id").join(baskets, "basket_id")
    lines = coded.select("basket", "code").distinct()
    others = lines.view().rename(other="code")
    pairs = lines.join(others, ["basket", lines.code < others.other]).group_by("code", "other").agg(baskets=_.count())
    both = pairs.union(pairs.select(code="other", other="code", baskets="baskets"))
    # Codes are in the order of ids, so ties are broken as by id.
    best = ibis.row_number().over(group_by="code", order_by=[ibis.desc("baskets"), "other"])
    kept = both.mutate(position=best).filter(_.position < TOP)
    top = kept.join(codes, "code").drop("code").join(codes.rename(companion="item_id", other="code"), "other")
    named = top.join(items.select(companion="item_id", title="title"), "companion")
    # Arrays of structs sort by their fields in order on every engine; aggregates with ORDER BY do not exist on all.
    entry = ibis.struct({"position": _.position, "id": _.companion, "title": _.title, "baskets": _.baskets})
    rows = named.group_by("item_id").agg(entries=entry.collect()).mutate(entries=_.entries.sort())
    return rows.select(
        "item_id",
        event_timestamp=ibis.literal(moment).as_timestamp("s").cast("timestamp('UTC', 6)"),
        **{
            names.COPURCHASE_ITEM_IDS: _.entries.map(lambda entry: entry["id"]),
            names.COPURCHASE_COUNTS: _.entries.map(lambda entry: entry["baskets"]),
            "copurchase_titles": _.entries.map(lambda entry: entry["title"]),
        },
    )
