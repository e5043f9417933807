"""The people, the goods and the visits of the made-up shop, drawn as synthetic.py says."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from contracts.arrays import Doubles

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


def new_shop(sizes: Sizes, random: np.random.Generator) -> Shop:
    """A shop of these sizes; the same generator gives the same one."""
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


def visits_of(shop: Shop, sizes: Sizes, random: np.random.Generator) -> Visits:
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
        logits = shop.user_factors[user[part]] @ shop.category_factors.T + season_of(shop.season, day[part])
        until = np.cumsum(np.exp(logits), axis=1)
        drawn = random.random(len(until)) * until[:, -1]
        chosen[part] = (until < drawn[:, None]).sum(axis=1)
    return chosen


def season_of(season: Doubles, day: Doubles) -> Doubles:
    """[batch, categories] what the day of the year adds to each category's logit."""
    wave: Doubles = season[:, 0] * np.cos(2 * np.pi * (day[:, None] - season[:, 1]) / YEAR_DAYS)
    return wave


def engaged_with(shop: Shop, category: Integers, day: Doubles, random: np.random.Generator) -> Integers:
    """An item for each view, by weight among those for sale; items of a category lie in the order of their start."""
    order = np.lexsort((shop.item_start, shop.item_category))
    until = np.concatenate([[0.0], np.cumsum(shop.item_weight[order])])
    span = float(shop.item_start.max()) + 2
    place = shop.item_category[order] * span + shop.item_start[order]  # ascending: category, then day
    first = np.searchsorted(place, category * span)
    end = np.searchsorted(place, category * span + np.minimum(day, span - 1), side="right")
    drawn = until[first] + random.random(len(day)) * (until[end] - until[first])
    chosen: Integers = order[np.clip(np.searchsorted(until, drawn, side="right") - 1, first, end - 1)]
    return chosen
