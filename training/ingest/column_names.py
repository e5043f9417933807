"""Which of a file's columns is which of ours, by its name and its values."""

import re
from collections.abc import Callable, Collection, Sequence
from datetime import date
from functools import partial
from typing import Any, Final

from training.ingest.sample import Sample
from training.ingest.values.moment_text import WRONG, Reading, reader
from training.ingest.values.numbers import amount

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "user_id": ("user", "customer", "visitor", "client", "member", "household", "account", "buyer", "shopper", "uid",
                "cust", "guest", "listener", "reader", "subscriber", "player"),
    "item_id": ("item", "product", "sku", "stockcode", "article", "movie", "asin", "isbn", "goods", "track", "book",
                "ean", "plu", "upc", "listing", "material", "song", "video", "course", "hotel", "url"),
    "event_timestamp": ("eventtimestamp", "timestamp", "datetime", "time", "date", "createdat", "created", "ts", "at",
                        "when", "invoicedate", "orderdate", "purchasedate", "eventtime"),
    "event_type": ("eventtype", "event", "action", "behavior", "behaviour", "type", "activity"),
    "basket_id": ("basket", "order", "invoice", "transaction", "session", "receipt", "cart", "txn", "booking"),
    "quantity": ("quantity", "qty", "units", "count"),
    "price": ("price", "unitprice", "amount", "paid"),
    "title": ("title", "name", "productname", "itemname", "description", "headline", "desc"),
    "category": ("category", "categorycode", "genre", "group", "class"),
    "subcategory": ("subcategory", "producttype"),
    "department": ("department", "section", "aisle"),
    "brand": ("brand", "label", "maker", "artist", "author", "seller", "vendor"),
    "age_band": ("age", "ageband", "agegroup"),
    "gender": ("gender", "sex"),
    "region": ("region", "state", "country", "city"),
}  # fmt: skip
EVENTS: Final = ("user_id", "item_id", "event_timestamp", "event_type", "basket_id", "quantity", "price")
PRODUCTS: Final = ("item_id", "title", "category", "subcategory", "department", "brand", "price")
USERS: Final = ("user_id", "age_band", "gender", "region")
UNITS: Final = ("quantity",)
NUMBERS: Final = (*UNITS, "price")
KEYS: Final = "id|no|nr|num|number|code|key|uri|uuid|ref"
"""What follows the name of a thing where a column holds what it is called by."""
FORMATS: Final = (
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%Y %H:%M", "%m-%d-%Y %H:%M",
    "%d-%m-%Y %H:%M:%S", "%m-%d-%Y %H:%M:%S", "%d-%b-%Y", "%d-%b-%Y %H:%M", "%d %b %Y", "%d %b %Y %H:%M",
    "%b %d, %Y", "%b %d, %Y %H:%M", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S",
)  # fmt: skip


def columns_of(one: Sample, ours: Sequence[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Our column to the file's: by its whole name, as a key of a thing, by its values, else by a word in it.

    Each of the file's is taken once, and none of `taken`.
    """
    found: dict[str, str] = {}

    def take(name: str, fits: Callable[[str], bool]) -> None:
        free = [column for column in one.columns if column not in found.values() and column not in taken]
        if name in ours and name not in found and (matching := [column for column in free if fits(column)]):
            found[name] = matching[0]

    for name in ours:
        take(name, partial(is_called, name))
    for name in ("user_id", "item_id", "basket_id"):
        take(name, partial(_is_key_of, name))
    take("event_timestamp", partial(_has_word, "event_timestamp"))
    take("event_timestamp", lambda column: _are_moments(one.values(column)[:100]))
    for name in ours:
        take(name, partial(_may_be, name, one))
    return found


def is_called(ours: str, column: str) -> bool:
    """Whether the column's name, or the end of the path to a value, is one of those that mean ours and nothing else."""
    names = {ours.replace("_", ""), *WORDS[ours]}
    meant = names | {f"{word}id" for word in names} | {f"{word}s" for word in names}
    parts = column.split(".")
    return not meant.isdisjoint(_plain("".join(parts[-last:])) for last in (len(parts), 1, 2))


def all_read(date_format: str, texts: Sequence[str]) -> bool:
    """Whether each text is a moment in the format."""
    read = reader(Reading(time_zone="UTC", date_format=date_format))
    return all(read(text) != WRONG for text in texts)


def _is_key_of(ours: str, column: str) -> bool:
    return any(re.fullmatch(rf".*{word}s?({KEYS})", _plain(column)) is not None for word in WORDS[ours])


def _may_be(ours: str, one: Sample, column: str) -> bool:
    """Whether a word of ours is in the column's name; a country, which has no numbers, is no count."""
    return _has_word(ours, column) and (ours not in NUMBERS or _are_numbers(one.values(column)))


def _has_word(ours: str, column: str) -> bool:
    return any(len(word) > 3 and word in _plain(column) for word in WORDS[ours])


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(
        re.fullmatch(r"[^A-Za-z]*\d[^A-Za-z]*", str(value))
        or any(amount(str(value), sign, money=True) for sign in ".,")
        for value in values
    )


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]", "", column.lower())


def _are_moments(values: Sequence[Any]) -> bool:
    """Whether all of them are dates by their type or by how they are written, whatever their column is called."""
    if values and all(isinstance(value, date) for value in values):  # a datetime is one, too
        return True
    texts = [value for value in values if isinstance(value, str) and re.search(r"\d\D+\d", value)]
    if not texts or len(texts) < len(values):
        return False
    read = reader(Reading(time_zone="UTC"))
    return all(read(text) != WRONG for text in texts) or any(all_read(one, texts) for one in FORMATS)
