"""Clicks on several shops that share one catalogue and one cookie.

Files: catalog (add_date, shop_id, product_id, category_id, price, title, old_price), actions (user_id, loc_user_id,
action, date, products, pageId), and where there are any catalog_vector_mapping (product_id, vector_id) and vectors.npz,
whose row vector_id is the embedding of the product's title.
"""

import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis import _

from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import EventType
from training.ingest.adapters.idle_lines import idle_lines, said
from training.ingest.adapters.mapping import decimal_commas, refuse_unknown_keys, table_keys, time_zone_of
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.adapters.tables import moment_text, read_table, seen_users
from training.ingest.files.location import DataFile, Location, locate
from training.ingest.values.columns import Columns

ACTIONS = {
    "0": EventType.VIEW,
    "1": EventType.LIKE,
    "2": EventType.CART_ADD,
    "3": EventType.CART_REMOVE,
    "4": EventType.CART_CLEAR,
    "5": EventType.PURCHASE,
    "6": EventType.CART_VIEW,
    "7": EventType.VISIT,
    "8": EventType.CATEGORY_VIEW,
    "9": EventType.SEARCH,
}
VECTORS_OF = "catalog_vector_mapping"
COLUMNS = {
    "catalog": ("add_date", "shop_id", "product_id", "category_id", "price", "title", "old_price"),
    "actions": ("user_id", "loc_user_id", "action", "date", "products", "pageId"),
    VECTORS_OF: ("product_id", "vector_id"),
}
NO_VECTOR = "vector_not_found"
NUMBERS = ("price", "old_price", "vector_id")
KEYS = (*table_keys(COLUMNS), "vectors.file", "vectors.array")


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables, and the title embeddings if they are there.

    Raises MissingArtifact without catalog or actions, InvalidInput for columns that are not there.
    """
    refuse_unknown_keys(options.mapping, KEYS, "clickstream")
    zone = time_zone_of(options.mapping)
    location = locate(options.path, "clickstream")
    catalogue = _columns(connection, location, options, "catalog")
    items = _items(catalogue)
    clicks = _columns(connection, location, options, "actions")
    actions = _actions(clicks)
    opened = {"catalog": catalogue, "actions": clicks}
    if location.files(options.mapping.get(f"{VECTORS_OF}.file", VECTORS_OF)):
        opened[VECTORS_OF] = _columns(connection, location, options, VECTORS_OF)
        vectors = _item_vectors(opened[VECTORS_OF], location, options.mapping)
    else:
        vectors = None
    return Source(
        events=_events(actions, items),
        users=seen_users(actions, "cookie"),
        items=items,
        time_zone=zone,
        warnings=(
            *(note for rows in (catalogue, clicks) for note in rows.notes(())),
            *location.notes(options.mapping.get(f"{table}.file", table) for table in COLUMNS),
            *_idle(options.mapping, opened),
        ),
        item_vectors=vectors,
    )


def _columns(connection: ibis.BaseBackend, location: Location, options: SourceOptions, table: str) -> Columns:
    files = location.required(options.mapping.get(f"{table}.file", table))
    lists = (options.mapping.get("actions.products", "products"),) if table == "actions" else ()
    wanted = [options.mapping.get(f"{table}.{name}", name) for name in COLUMNS[table]]
    commas = decimal_commas(options.mapping, table, [name for name in COLUMNS[table] if name in NUMBERS])
    rows, lacking = read_table(connection, files, lists, wanted=wanted, commas=commas, careful=options.careful)
    return Columns(rows, table, options.mapping, lacking)


def _items(rows: Columns) -> ibis.Table:
    return rows.select(
        item_id=rows.id("product_id"),
        title=rows.optional("title"),
        category=rows.optional("category_id", "id"),
        shop_id=rows.optional("shop_id", "id"),
        price=rows.optional("price", "float64"),
        list_price=rows.optional("old_price", "float64"),
        available_from=rows.optional("add_date", "timestamp"),
    )


def _actions(rows: Columns) -> ibis.Table:
    return rows.select(
        cookie=rows.id("user_id"),
        local_id=rows.optional("loc_user_id", "id"),
        action=rows.id("action"),
        event_timestamp=rows.timestamp("date"),
        products=rows.array("products"),
        content=rows.content(),
    )


def _events(actions: ibis.Table, items: ibis.Table) -> ibis.Table:
    """One event for each product of an action, one without an item for an action without products.

    A product that an order lists twice is two units, and two events.
    """
    shops = items.filter(_.reason.isnull()).group_by(product=_.item_id).agg(shop=_.shop_id.min(), asked=_.price.min())
    single = actions.unnest("products", offset="place", keep_empty=True)
    known = single.left_join(shops, single.products == shops.product).drop("product")
    user = _joined_users(known)
    moment = moment_text(user.event_timestamp)
    who = user.user_id.fill_null("")
    return user.select(
        event_id=ibis.null("string"),
        content=_.content + "-" + _.place.cast("int64").cast("string").fill_null(""),
        event_type=_.action.substitute({code: kind.value for code, kind in ACTIONS.items()}),
        user_id=_.user_id,
        item_id=_.products,
        event_timestamp=_.event_timestamp,
        basket_id=ibis.literal("|").join([who, moment]),
        quantity=ibis.literal(1, "int64"),
        price=ibis.ifelse(_.action == "5", _.asked, None),
        reason=_.reason,
        raw=_.raw,
    )


def _joined_users(actions: ibis.Table) -> ibis.Table:
    """The cookie is the user; an action without one belongs to the only cookie of its shop's local id, if any."""
    both = actions.filter(_.cookie.notnull() & _.local_id.notnull() & _.shop.notnull())
    owners = both.group_by(owner_shop=_.shop, owner_local=_.local_id).agg(owner=_.cookie.min(), n=_.cookie.nunique())
    sole = owners.filter(_.n == 1).drop("n")
    same = (actions.shop == sole.owner_shop) & (actions.local_id == sole.owner_local)
    return actions.left_join(sole, same).mutate(user_id=_.cookie.coalesce(_.owner))


def _idle(mapping: Mapping[str, str], opened: Mapping[str, Columns]) -> Iterator[str]:
    yield from idle_lines(mapping, opened, COLUMNS)
    if VECTORS_OF not in opened:
        yield from said([key for key in mapping if key.startswith("vectors.")], f"there is no file of {VECTORS_OF}")


def _item_vectors(rows: Columns, location: Location, mapping: Mapping[str, str]) -> ibis.Table:
    """(item_id, vector), with a reason for the products whose vector is not there."""
    numbers = rows.select(item_id=rows.id("product_id"), vector_id=rows.number("vector_id", "int64"))
    (file,) = location.required(mapping.get("vectors.file", "vectors.npz"), (".npz",))
    vectors = _load_vectors(file, mapping.get("vectors.array"))
    table: pa.Table = numbers.to_pyarrow()
    at = table["vector_id"].fill_null(-1).to_numpy()
    inside = (at >= 0) & (at < len(vectors))
    chosen = np.ascontiguousarray(vectors[np.where(inside, at, 0)], dtype=np.float32)
    vector = pa.FixedSizeListArray.from_arrays(pa.array(chosen.ravel()), vectors.shape[1])
    found = pa.array(np.where(inside, "", NO_VECTOR))
    joined = ibis.memtable(table.append_column("vector", vector).append_column("missing", found))
    return joined.mutate(reason=_.reason.coalesce(_.missing.nullif(""))).drop("missing", "vector_id")


def _load_vectors(file: DataFile, array: str | None) -> np.ndarray[Any, np.dtype[Any]]:
    try:
        with file.open() as stream, np.load(stream, allow_pickle=False) as archive:
            names = list(archive.files)
            if (array is None and len(names) != 1) or (array is not None and array not in names):
                raise InvalidInput(
                    f"{file.name} holds the arrays {', '.join(names)}: say which one as vectors.array in the mapping."
                )
            vectors: np.ndarray[Any, np.dtype[Any]] = archive[array or names[0]]
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise DataRejected(f"{file.name} is not an archive of numpy arrays ({error}).") from error
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise DataRejected(
            f"{file.name} holds {vectors.dtype} of shape {vectors.shape}, expected [vectors, dim] floats."
        )
    return vectors
