"""A made-up shop whose customers' tastes are known, so that a model can be compared with the best possible list.

A visitor at moment t looks into category c with P(c) ∝ exp(user · category + season of c at t), and there at item i
with P(i | c) = weight of i / weight of the items of c that are for sale at t. Views lead to carts and purchases at the
same rate for all, so `oracle_scores` ranks for each of the three. Tastes follow the age band in part: a profile says
something about a new user. With --path the shop's files are left there, as the ecommerce adapter reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from contracts.arrays import Doubles
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS
from training.ingest.adapters.mapping import number_of, refuse_unknown_keys
from training.ingest.adapters.source import Source, SourceOptions
from training.ingest.adapters.synthetic_shop import (
    AGE_BANDS,
    CART_SHARE,
    GENDERS,
    PURCHASE_SHARE,
    REGIONS,
    START,
    Shop,
    Sizes,
    Visits,
    engaged_with,
    new_shop,
    season_of,
    visits_of,
)
from training.ingest.values.moments import TIMESTAMP

VISIT_EVENTS = np.array([EventType.VIEW.value, EventType.CART_ADD.value, EventType.PURCHASE.value])


@dataclass(frozen=True)
class Truth:
    """What the oracle knows, as ingest stores it in truth_users and truth_items."""

    users: pa.Table
    items: pa.Table

    @classmethod
    def load(cls, users: Path, items: Path) -> "Truth":
        """Reads the truth from its two files."""
        return cls(pq.read_table(users), pq.read_table(items))


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables and the truth; the same sizes and seed give the same shop.

    Raises InvalidInput for a size that is not a whole number of at least 1.
    """
    names = tuple(Sizes.__dataclass_fields__)
    refuse_unknown_keys(options.mapping, names, "synthetic")
    sizes = Sizes(**{name: number_of(options.mapping, name, getattr(Sizes, name)) for name in names})
    random = np.random.default_rng(sizes.seed)
    shop = new_shop(sizes, random)
    visits = visits_of(shop, sizes, random)
    events = _events(shop, visits, sizes, random)
    users, items = _users(shop, random), _items(shop)
    if options.path:
        _leave_files(connection, Path(options.path), events, users, items, _sessions(visits))
    return Source(
        events, users, items, "UTC", truth={"truth_users": _truth_users(shop), "truth_items": _truth_items(shop)}
    )


def oracle_scores(truth: Truth, user_ids: Sequence[str], at: datetime) -> Doubles:
    """[batch, items] log P(item | user, at); row i is user_ids[i], column j truth.items' row j; -inf if not for sale.

    Raises KeyError for a user whom the truth does not know.
    """
    row = {user: at_row for at_row, user in enumerate(truth.users["user_id"].to_pylist())}
    day = (at.timestamp() - START) / DAY_SECONDS
    users = _matrix(truth.users, "factors")[[row[user] for user in user_ids]]
    category = truth.items["category"].to_numpy()
    __, first = np.unique(category, return_index=True)
    factors, season = _matrix(truth.items, "factors")[first], _matrix(truth.items, "season")[first]
    logits = users @ factors.T + season_of(season, np.array([day]))
    log_category = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    dense = np.searchsorted(category[first], category)
    weight = np.where(truth.items["start_day"].to_numpy() <= day, truth.items["weight"].to_numpy(), 0.0)
    with np.errstate(divide="ignore"):
        log_item = np.log(weight) - np.log(np.bincount(dense, weight))[dense]
    scores: Doubles = log_category[:, dense] + log_item
    return scores


def _events(shop: Shop, visits: Visits, sizes: Sizes, random: np.random.Generator) -> ibis.Table:
    """The events of each view: a view, maybe a cart add, maybe a purchase, some seconds apart."""
    session = np.repeat(np.arange(len(visits.user)), visits.engagements)
    nth = np.arange(len(session)) - np.repeat(np.cumsum(visits.engagements) - visits.engagements, visits.engagements)
    item = engaged_with(shop, visits.category[session], visits.day[session], random)
    luck = random.random(len(session))
    depth = 1 + (luck < PURCHASE_SHARE + CART_SHARE) + (luck < PURCHASE_SHARE)
    look = np.repeat(np.arange(len(session)), depth)[: sizes.interactions]
    step = (np.arange(len(look)) - (np.cumsum(depth) - depth)[look]).astype(np.int8)
    seconds = START + visits.day[session[look]] * DAY_SECONDS + 60 * nth[look] + 15 * step
    numbers = pa.table(
        {
            "event": np.arange(len(look)),
            "step": pa.array(VISIT_EVENTS).take(pa.array(step)),
            "user": visits.user[session[look]],
            "item": item[look],
            "seconds": seconds.astype(np.int64),
            "session": session[look],
            "price": shop.item_price[item[look]],
        }
    )
    return ibis.memtable(numbers).select(
        event_id="e" + _.event.cast("string"),
        event_type=_.step,
        user_id=_user_id(_.user),
        item_id=_item_id(_.item),
        event_timestamp=_.seconds.as_timestamp("s").cast(TIMESTAMP),
        basket_id="s" + _.session.cast("string"),
        quantity=ibis.literal(1, "int64"),
        price=_.price,
    )


def _user_id(number: Any) -> Any:
    return "u" + number.cast("string")


def _item_id(number: Any) -> Any:
    return "p" + number.cast("string")


def _users(shop: Shop, random: np.random.Generator) -> ibis.Table:
    count = len(shop.user_start)
    columns = {
        "user": np.arange(count),
        "age_band": AGE_BANDS[shop.user_age],
        "gender": GENDERS[random.integers(len(GENDERS), size=count)],
        "region": REGIONS[random.integers(len(REGIONS), size=count)],
    }
    return ibis.memtable(pa.table(columns)).select("age_band", "gender", "region", user_id=_user_id(_.user))


def _items(shop: Shop) -> ibis.Table:
    started = (START + shop.item_start * DAY_SECONDS).astype(np.int64)
    columns = {
        "item": np.arange(len(started)),
        "group": shop.item_category,
        "price": shop.item_price,
        "started": started,
    }
    category = "category " + _.group.cast("string")
    return ibis.memtable(pa.table(columns)).select(
        item_id=_item_id(_.item),
        title=category + " item " + _.item.cast("string"),
        description="Made up, of " + category,
        department="department " + (_.group // 8).cast("string"),
        category=category,
        price=_.price,
        available_from=_.started.as_timestamp("s").cast(TIMESTAMP),
    )


def _sessions(visits: Visits) -> ibis.Table:
    columns = {
        "session": np.arange(len(visits.user)),
        "user": visits.user,
        "seconds": (START + visits.day * DAY_SECONDS).astype(np.int64),
    }
    return ibis.memtable(pa.table(columns)).select(
        session_id="s" + _.session.cast("string"),
        user_id=_user_id(_.user),
        started_at=_.seconds.as_timestamp("s").cast(TIMESTAMP),
    )


def _leave_files(
    connection: ibis.BaseBackend,
    folder: Path,
    events: ibis.Table,
    users: ibis.Table,
    items: ibis.Table,
    sessions: ibis.Table,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"interactions": events, "users": users, "products": items, "sessions": sessions}
    for name, table in tables.items():
        connection.to_parquet(table, folder / f"{name}.parquet")


def _truth_users(shop: Shop) -> ibis.Table:
    columns = {"user": np.arange(len(shop.user_start)), "factors": _lists(shop.user_factors)}
    return ibis.memtable(pa.table(columns)).select("factors", user_id=_user_id(_.user))


def _truth_items(shop: Shop) -> ibis.Table:
    columns = {
        "item": np.arange(len(shop.item_start)),
        "factors": _lists(shop.category_factors[shop.item_category]),
        "season": _lists(shop.season[shop.item_category]),
        "category": shop.item_category,
        "weight": shop.item_weight,
        "start_day": shop.item_start,
    }
    return ibis.memtable(pa.table(columns)).mutate(item_id=_item_id(_.item)).drop("item")


def _lists(matrix: Doubles) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


def _matrix(table: pa.Table, name: str) -> Doubles:
    column = table[name].combine_chunks()
    matrix: Doubles = column.flatten().to_numpy().reshape(len(column), -1)
    return matrix
