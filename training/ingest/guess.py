"""A mapping file guessed from names and samples; what is unsure is marked for the reader."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from training.ingest.adapters.ecommerce import EVENT_NAMES
from training.ingest.sample import Sample
from training.ingest.values.moment_text import WRONG, ZONELESS, Reading, reader

UNSURE: Final = "# ? "
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "user_id": ("user", "customer", "visitor", "client", "member", "household", "account", "buyer", "shopper", "uid"),
    "item_id": ("item", "product", "sku", "stockcode", "article", "movie", "asin", "isbn", "goods", "track", "book"),
    "event_timestamp": ("eventtimestamp", "timestamp", "datetime", "time", "date", "createdat", "ts", "at", "when",
                        "invoicedate", "orderdate", "purchasedate", "eventtime"),
    "event_type": ("eventtype", "event", "action", "behavior", "behaviour", "type", "activity"),
    "basket_id": ("basket", "order", "invoice", "transaction", "session", "receipt", "cart"),
    "quantity": ("quantity", "qty", "units", "count"),
    "price": ("price", "unitprice", "amount", "paid"),
    "title": ("title", "name", "productname", "itemname", "description"),
    "category": ("category", "categorycode", "genre", "group", "class"),
    "subcategory": ("subcategory", "producttype"),
    "department": ("department", "section", "aisle"),
    "brand": ("brand", "label", "maker"),
    "age_band": ("age", "ageband", "agegroup"),
    "gender": ("gender", "sex"),
    "region": ("region", "state", "country", "city"),
}  # fmt: skip
EVENTS: Final = ("user_id", "item_id", "event_timestamp", "event_type", "basket_id", "quantity", "price")
PRODUCTS: Final = ("item_id", "title", "category", "subcategory", "department", "brand", "price")
USERS: Final = ("user_id", "age_band", "gender", "region")
NEEDED: Final = {"interactions": EVENTS[:4], "products": PRODUCTS[:1], "users": USERS[:1]}
"""What a table must have; the rest is as good as the file."""
COMMA: Final = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
NO_THOUSANDS: Final = re.compile(r".*,(\d{1,2}|\d{4,})")
"""1,234 may be a thousand; 1,5 is none."""
FORMATS: Final = ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M",
                  "%d.%m.%Y %H:%M:%S", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y%m%d", "%d-%b-%Y %H:%M")  # fmt: skip
EPOCHS: Final = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
"""The least number of each unit that is a moment after 1973."""


@dataclass(frozen=True)
class Roles:
    """The file of each table; products and users may be in the file of the events."""

    interactions: Sample
    products: Sample
    users: Sample | None


def guessed_mapping(samples: Sequence[Sample]) -> str:
    """The text of a mapping file for the ecommerce adapter; `# ?` marks what a person must look at."""
    roles = _roles(samples)
    lines = [
        "# Guessed from the first rows. Lines marked with `# ?` are unsure: read them, then try",
        "# `tandem ingest --dry-run`.",
        *_times(roles.interactions),
        *_returns(roles.interactions),
        *_section("interactions", roles.interactions, EVENTS, elsewhere=_of_products(roles)),
        *_section("products", roles.products, PRODUCTS, shared=roles.products is roles.interactions),
    ]
    if roles.users is not None:
        lines += _section("users", roles.users, USERS)
    return "\n".join(lines) + "\n"


def _roles(samples: Sequence[Sample]) -> Roles:
    def score(one: Sample) -> tuple[int, int]:
        return len(set(EVENTS[:3]) & columns_of(one, EVENTS).keys()), one.rows.num_rows

    interactions = max(samples, key=score)
    others = [one for one in samples if one is not interactions]
    products = [one for one in others if "item_id" in columns_of(one, PRODUCTS)]
    users = [one for one in others if one not in products and "user_id" in columns_of(one, USERS)]
    return Roles(interactions, products[0] if products else interactions, users[0] if users else None)


def columns_of(one: Sample, ours: Sequence[str]) -> dict[str, str]:
    """Our column to the file's: by its whole name, else by a word in it; each of the file's is taken once.

    The moment of an event is also known by its values.
    """
    found: dict[str, str] = {}

    def take(name: str, fits: Callable[[str], bool]) -> None:
        free = [column for column in one.columns if column not in found.values()]
        if name in ours and name not in found and (matching := [column for column in free if fits(column)]):
            found[name] = matching[0]

    for name in ours:
        take(name, partial(_fits, name, exact=True))
    take("event_timestamp", partial(_fits, "event_timestamp", exact=False))
    take("event_timestamp", lambda column: _are_moments(one.values(column)[:100]))
    for name in ours:
        take(name, partial(_fits, name, exact=False))
    return found


def _are_moments(values: Sequence[Any]) -> bool:
    """Whether all of them are dates by their type or by how they are written, whatever their column is called."""
    if values and all(isinstance(value, date) for value in values):  # a datetime is one, too
        return True
    texts = [value for value in values if isinstance(value, str) and re.search(r"\d\D+\d", value)]
    if not texts or len(texts) < len(values):
        return False
    read = reader(Reading(time_zone="UTC"))
    return all(read(text) != WRONG for text in texts) or any(_all_read(one, texts) for one in FORMATS)


def _fits(ours: str, column: str, *, exact: bool) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", column.lower())
    if exact:
        names = {ours.replace("_", ""), *WORDS[ours]}
        return plain in names | {f"{word}id" for word in names} | {f"{word}s" for word in names}
    return any(len(word) > 3 and word in plain for word in WORDS[ours])


def _times(one: Sample) -> Iterator[str]:
    column = columns_of(one, EVENTS).get("event_timestamp")
    if column is None:
        return
    values = one.values(column)[:100]
    texts = [str(value) for value in values if isinstance(value, str)]
    if values and not texts:
        yield from _numbers(values)
    elif texts and all(re.fullmatch(r"\d+(\.\d+)?", text) for text in texts):
        yield from _numbers([float(text) for text in texts])
    elif texts:
        yield from _clocks(texts)


def _numbers(values: Sequence[Any]) -> Iterator[str]:
    if isinstance(values[0], int | float):
        unit = next((unit for least, unit in EPOCHS if min(values) >= least), None)
        yield f"epoch_unit: {unit or 's  ' + UNSURE + 'no unit makes recent moments of these numbers'}"
        yield f"time_zone: UTC  {UNSURE}the shop's zone, for hours and weekdays: an IANA name like Europe/Paris"
    elif getattr(values[0], "tzinfo", None) is None:
        yield f"time_zone: UTC  {UNSURE}the times carry none: in which zone are they?"
    else:
        yield f"time_zone: UTC  {UNSURE}the shop's zone, for hours and weekdays: an IANA name like Europe/Paris"


def _clocks(texts: Sequence[str]) -> Iterator[str]:
    found = {reader(Reading())(text) for text in texts}
    chosen = next((one for one in FORMATS if _all_read(one, texts)), None) if WRONG in found else None
    if chosen is not None:
        twin = next((one for one in FORMATS if one != chosen and _all_read(one, texts)), None)
        doubt = f"  {UNSURE}{twin} would fit as well: is the month or the day first?" if twin else ""
        yield f"date_format: {json.dumps(chosen)}{doubt}"
    elif WRONG in found:
        yield f"{UNSURE}date_format: how is {texts[0]!r} written? like %m/%d/%Y %H:%M"
    doubt = "the times carry none: in which zone are they?" if ZONELESS in found or chosen else "the shop's zone"
    yield f"time_zone: UTC  {UNSURE}{doubt} An IANA name like Europe/Paris"


def _all_read(date_format: str, texts: Sequence[str]) -> bool:
    read = reader(Reading(time_zone="UTC", date_format=date_format))
    return all(read(text) != WRONG for text in texts)


def _of_products(roles: Roles) -> Collection[str]:
    """The columns of the events' file that products are read from."""
    return columns_of(roles.products, PRODUCTS).values() if roles.products is roles.interactions else ()


def _section(
    table: str, one: Sample, ours: Sequence[str], *, shared: bool = False, elsewhere: Collection[str] = ()
) -> Iterator[str]:
    found = columns_of(one, ours)
    yield f"{table}:"
    yield f"  file: {json.dumps(one.path.name)}"
    if shared:
        yield f"  repeated: most_frequent  {UNSURE}or `latest` with `latest_by: <a column>`: the file names them often"
    yield from _decimal(one)
    for name in ours:
        if name in found:
            doubt = "" if _fits(name, found[name], exact=True) else f"  {UNSURE.strip()}"
            yield f"  {name}: {json.dumps(found[name], ensure_ascii=False)}{doubt}  # {one.shown(found[name])}"
        elif name in NEEDED[table]:
            yield from _missing(name)
    unused = [column for column in one.columns if column not in found.values()]
    if not shared:
        nowhere = [column for column in unused if column not in elsewhere]
        yield from (f"  # not used: {json.dumps(name, ensure_ascii=False)}  # {one.shown(name)}" for name in nowhere)
    if unused and (free := [name for name in ours if name not in found and name not in NEEDED[table]]):
        yield f"  # a column may be named for each of these, too: {', '.join(free)}"
    if table == "interactions" and "event_type" in found:
        yield from _event_types(one.values(found["event_type"]))


def _returns(one: Sample) -> Iterator[str]:
    column = columns_of(one, EVENTS).get("quantity")
    if column is not None and any(str(value).strip().startswith("-") for value in one.values(column)):
        named = json.dumps(column, ensure_ascii=False)
        yield f"returns: cancel  {UNSURE}{named} has negative numbers: returns? `ignore` leaves them out"


def _decimal(one: Sample) -> Iterator[str]:
    column = next((column for column in one.columns if _has_decimal_comma(one.values(column))), None)
    if column is not None:
        yield f'  decimal: ","  # as in {json.dumps(column, ensure_ascii=False)}: {one.shown(column)}'


def _has_decimal_comma(values: Sequence[Any]) -> bool:
    """Whether all are numbers with a comma before the fraction, and one of them can be nothing else."""
    texts = [value.strip() for value in values if isinstance(value, str)]
    return (
        len(texts) == len(values)
        and all(COMMA.fullmatch(text) for text in texts)
        and any(NO_THOUSANDS.fullmatch(text) for text in texts)
    )


def _missing(name: str) -> Iterator[str]:
    if name == "event_type":
        yield f"  event_type: {{value: purchase}}  {UNSURE}no column says it: is every row a purchase?"
    else:
        yield f"  {UNSURE}{name}: no column looks like it; name yours here, as in `{name}: COLUMN`"


def _event_types(values: Sequence[Any]) -> Iterator[str]:
    own = [str(value) for value in values[:50] if str(value).lower() not in EVENT_NAMES]
    if own:
        yield "event_types:"
        yield from (f"  {json.dumps(value, ensure_ascii=False)}: view  {UNSURE}which event is it?" for value in own)
