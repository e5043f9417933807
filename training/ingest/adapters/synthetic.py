"""A made-up shop whose customers' tastes are known, so that a model can be compared with the best possible list.

A visitor at moment t looks into category c with P(c) ∝ exp(user · category + season of c at t), and there at item i
with P(i | c) = weight of i / weight of the items of c that are for sale at t. Views lead to carts and purchases at the
same rate for all, so `oracle_scores` ranks for each of the three. Tastes follow the age band in part: a profile says
something about a new user. With --path the shop's files are left there, as the ecommerce adapter reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from contracts.arrays import Doubles
from contracts.events.schema import EventType
from contracts.features.names import DAY_SECONDS
from training.ingest.adapters.mapping import number_of, refuse_unknown_keys
from training.ingest.adapters.moments import TIMESTAMP
from training.ingest.adapters.source import Source, SourceOptions

Integers = npt.NDArray[np.int64]

START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
YEAR_DAYS = 365.0
FACTORS, CATEGORIES = 16, 64
NEW_USERS, NEW_ITEMS = 0.4, 0.2  # shares that join after the start, evenly over the time
PURCHASE_SHARE, CART_SHARE = 0.06, 0.08  # share of views that end in a purchase; that end in the cart
LOOKS_PER_SESSION = 3.0
AGE_BANDS = np.array(["18-24", "25-34", "35-44", "45-54", "55+"])
REGIONS = np.array(["north", "east", "south", "west"])
GENDERS = np.array(["female", "male"])
VISIT_EVENTS = np.array([EventType.VIEW.value, EventType.CART_ADD.value, EventType.PURCHASE.value])
HOUR_WEIGHTS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 11, 12, 11, 10, 10, 11, 13, 16, 18, 17, 13, 8, 4], float)


@dataclass(frozen=True)
class Sizes:
    """How large a shop is made; each field is a key of the mapping."""

    interactions: int = 2_000_000
    users: int = 200_000
    products: int = 50_000
    days: int = 365
    seed: int = 17


@dataclass(frozen=True)
class Shop:
    """Row i of users and of items is the one with number i; category and item weights are what visitors follow."""

    user_factors: Doubles  # [users, FACTORS]
    user_start: Doubles  # [users] days after START from which the user visits
    user_age: Integers
    category_factors: Doubles  # [categories, FACTORS]
    season: Doubles  # [categories, 2] amplitude, and the day of the year when it is highest
    item_category: Integers  # [items]
    item_weight: Doubles
    item_start: Doubles  # [items] days after START from which it is for sale
    item_price: Doubles


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
    shop = _shop(sizes, random)
    visits = _visits(shop, sizes, random)
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
    logits = users @ factors.T + _season(season, np.array([day]))
    log_category = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    dense = np.searchsorted(category[first], category)
    weight = np.where(truth.items["start_day"].to_numpy() <= day, truth.items["weight"].to_numpy(), 0.0)
    with np.errstate(divide="ignore"):
        log_item = np.log(weight) - np.log(np.bincount(dense, weight))[dense]
    scores: Doubles = log_category[:, dense] + log_item
    return scores


def _shop(sizes: Sizes, random: np.random.Generator) -> Shop:
    categories = min(CATEGORIES, sizes.products)
    age = random.integers(len(AGE_BANDS), size=sizes.users)
    taste_of_age = random.normal(size=(len(AGE_BANDS), FACTORS))
    category = np.concatenate([np.arange(categories), random.integers(categories, size=sizes.products - categories)])
    # The first item of each category is there from the start, so that a category is never empty.
    item_start = random.uniform(0, sizes.days, sizes.products) * (random.random(sizes.products) < NEW_ITEMS)
    item_start[:categories] = 0
    return Shop(
        user_factors=0.6 * taste_of_age[age] + 0.8 * random.normal(size=(sizes.users, FACTORS)),
        user_start=random.uniform(0, sizes.days, sizes.users) * (random.random(sizes.users) < NEW_USERS),
        user_age=age,
        category_factors=random.normal(size=(categories, FACTORS)) / 2,
        season=np.stack([random.uniform(0, 1.5, categories), random.uniform(0, YEAR_DAYS, categories)], axis=1),
        item_category=category,
        item_weight=random.lognormal(sigma=1.5, size=sizes.products),
        item_start=item_start,
        item_price=np.round(random.lognormal(3, 0.8, sizes.products), 2) + 0.5,
    )


@dataclass(frozen=True)
class Visits:
    """Row i is session i."""

    user: Integers
    day: Doubles  # after START, with a fraction
    category: Integers
    engagements: Integers


def _visits(shop: Shop, sizes: Sizes, random: np.random.Generator) -> Visits:
    """Sessions enough for the interactions that are wanted."""
    per_look = 1 + CART_SHARE + 2 * PURCHASE_SHARE
    count = int(1.05 * sizes.interactions / (LOOKS_PER_SESSION * per_look)) + 100
    activity = np.cumsum(random.lognormal(sigma=1.0, size=sizes.users))
    user = np.searchsorted(activity, random.random(count) * activity[-1])
    day = _days(shop.user_start[user], sizes.days, random)
    return Visits(user, day, _categories(shop, user, day, random), random.geometric(1 / LOOKS_PER_SESSION, count))


def _days(earliest: Doubles, days: int, random: np.random.Generator) -> Doubles:
    """Moments from `earliest` on: weekends and the weeks before Christmas are busier, evenings too."""
    calendar = np.arange(days)
    weight = np.where(calendar % 7 >= 5, 1.3, 1.0) * (1 + 0.8 * np.exp(-(((calendar % YEAR_DAYS - 348) / 10) ** 2)))
    until = np.concatenate([[0.0], np.cumsum(weight)])
    before = np.interp(earliest, np.arange(days + 1), until)
    day = np.interp(before + random.random(len(earliest)) * (until[-1] - before), until, np.arange(days + 1))
    hour = random.choice(24, size=len(earliest), p=HOUR_WEIGHTS / HOUR_WEIGHTS.sum()) + random.random(len(earliest))
    # On the day itself the hour may come before `earliest`: then the moment stays as drawn.
    evening = np.floor(day) + hour / 24
    moment: Doubles = np.where(evening >= earliest, evening, day)
    return moment


def _categories(shop: Shop, user: Integers, day: Doubles, random: np.random.Generator) -> Integers:
    """One category a session, drawn as the module says; in slices, as the table of logits is large."""
    chosen = np.empty(len(user), np.int64)
    for at in range(0, len(user), 65_536):
        part = slice(at, at + 65_536)
        logits = shop.user_factors[user[part]] @ shop.category_factors.T + _season(shop.season, day[part])
        until = np.cumsum(np.exp(logits), axis=1)
        drawn = random.random(len(until)) * until[:, -1]
        chosen[part] = (until < drawn[:, None]).sum(axis=1)
    return chosen


def _season(season: Doubles, day: Doubles) -> Doubles:
    """[batch, categories] what the day of the year adds to each category's logit."""
    wave: Doubles = season[:, 0] * np.cos(2 * np.pi * (day[:, None] - season[:, 1]) / YEAR_DAYS)
    return wave


def _engaged_with(shop: Shop, category: Integers, day: Doubles, random: np.random.Generator) -> Integers:
    """An item for each view, by weight among those for sale; items of a category lie in the order of their start."""
    order = np.lexsort((shop.item_start, shop.item_category))
    until = np.concatenate([[0.0], np.cumsum(shop.item_weight[order])])
    span = float(shop.item_start.max()) + 2
    place = shop.item_category[order] * span + shop.item_start[order]  # ascending: category, then day
    first = np.searchsorted(place, category * span)
    end = np.searchsorted(place, category * span + np.minimum(day, span - 1), side="right")
    drawn = until[first] + random.random(len(day)) * (until[end] - until[first])
    engaged_with: Integers = order[np.clip(np.searchsorted(until, drawn, side="right") - 1, first, end - 1)]
    return engaged_with


def _events(shop: Shop, visits: Visits, sizes: Sizes, random: np.random.Generator) -> ibis.Table:
    """The events of each view: a view, maybe a cart add, maybe a purchase, some seconds apart."""
    session = np.repeat(np.arange(len(visits.user)), visits.engagements)
    nth = np.arange(len(session)) - np.repeat(np.cumsum(visits.engagements) - visits.engagements, visits.engagements)
    item = _engaged_with(shop, visits.category[session], visits.day[session], random)
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
