"""A mapping file guessed from names and samples; what is unsure is marked for the reader."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from training.ingest.guess.columns import EVENTS, NUMBERS, PRODUCTS, UNITS, USERS, columns_of
from training.ingest.guess.events import event_type_lines, rating_lines, returns_lines, state_lines
from training.ingest.guess.links import needed, with_lookups, with_orders
from training.ingest.guess.rows import (
    identity_lines,
    list_lines,
    order_lines,
    path_of_days,
    separator_in,
    unread_lines,
)
from training.ingest.guess.sample import UNSURE, Sample, quoted
from training.ingest.guess.times import clock_of, time_lines
from training.ingest.guess.words import is_called
from training.ingest.values.numbers import amount, currencies_in

NEEDED: Final = {"interactions": EVENTS[:4], "products": PRODUCTS[:1], "users": USERS[:1]}
"""What a table must have; the rest is as good as the file."""
SHOWN_COLUMNS: Final = 8
MOSTLY: Final = 1.2
"""Values for each user of a column that says what users are."""
MEANINGS: Final = {
    "user_id": "is it who bought",
    "item_id": "is it what was bought",
    "event_timestamp": "is it when this was bought",
    "basket_id": "is it the same for all that was bought together",
}
"""The question about a column that was guessed; others are asked by our own name."""


@dataclass(frozen=True)
class Roles:
    """The file of each table; products and users may be in the file of the events."""

    interactions: Sample
    products: Sample
    users: Sample | None


def guessed_mapping(samples: Sequence[Sample]) -> str:
    """The text of a mapping file for the ecommerce adapter; `# ?` marks what a person must look at."""
    roles = _roles(with_orders(samples))
    events = roles.interactions
    shared = roles.products is events
    of_events = columns_of(events, EVENTS)
    alone = [of_events[name] for name in EVENTS if name in of_events and name not in PRODUCTS]
    of_products = columns_of(roles.products, PRODUCTS, alone if shared else ())
    if shared and "title" in of_products and "item_id" not in of_events:  # a shop that knows its things by name
        of_events["item_id"] = of_products["item_id"] = of_products["title"]
    of_users = _users_of_events(events, of_events, of_products) if roles.users is None else {}
    elsewhere = (*(of_products.values() if shared else ()), *of_users.values())
    clock = clock_of(events, of_events)
    lines = [
        "# Guessed from the first rows. Lines marked with `# ?` are unsure: read them, then try",
        "# `tandem ingest --dry-run`.",
        *(line for one in samples for line in unread_lines(one)),
        *time_lines(events, of_events, clock),
        *returns_lines(events, of_events),
        *order_lines(events, of_events),
        *_section("interactions", events, of_events, elsewhere=elsewhere, clock=clock),
        *_section("products", roles.products, of_products, shared=shared),
    ]
    if roles.users is not None:
        lines += _section("users", roles.users, columns_of(roles.users, USERS))
    elif of_users:
        lines += _section("users", events, of_users, shared=True)
    read = {one.path.name for one in (events, roles.products, roles.users) if one is not None}
    read |= {link.file for one in (events, roles.products) for link in one.links}
    lines += [_unused(one) for one in samples if one.path.name not in read]
    return "\n".join(lines) + "\n"


def _users_of_events(one: Sample, of_events: dict[str, str], of_products: dict[str, str]) -> dict[str, str]:
    """The columns of a file of events that say more of its users; empty where none does."""
    if "user_id" not in of_events:
        return {}
    taken = [name for name in (*of_events.values(), *of_products.values()) if name != of_events["user_id"]]
    user = of_events["user_id"]
    found = {name: column for name, column in columns_of(one, USERS, taken).items() if _says_one(one, user, column)}
    return {"user_id": user} | found if found.keys() - {"user_id"} else {}


def _says_one(one: Sample, user: str, column: str) -> bool:
    """Whether the column says one thing of most users: where they live, and not where they went."""
    rows = zip(one.rows.column(user).to_pylist(), one.rows.column(column).to_pylist(), strict=True)
    pairs = {(who, str(what)) for who, what in rows if who not in (None, "") and what not in (None, "")}
    return len(pairs) <= MOSTLY * len({who for who, _ in pairs})


def _unused(one: Sample) -> str:
    columns = ", ".join(map(quoted, one.columns[:SHOWN_COLUMNS])) + (", …" if len(one.columns) > SHOWN_COLUMNS else "")
    return (
        f"{UNSURE}{one.path.name} is not used: it has {columns}. If it lists products or users, name it there as "
        '`file`; parts of one table belong in a folder, or are named with a star, as in `file: "orders_*.csv"`'
    )


def _roles(samples: Sequence[Sample]) -> Roles:
    def score(one: Sample) -> tuple[int, int]:
        return len(set(EVENTS[:3]) & columns_of(one, EVENTS).keys()), one.rows.num_rows

    interactions = max(samples, key=score)
    others = [one for one in samples if one is not interactions]
    products = [one for one in others if "item_id" in columns_of(one, PRODUCTS) and not _has_key(one, "user_id")]
    free = [one for one in others if not _has_key(one, "item_id") and all(one is not other for other in products)]
    users = [one for one in free if "user_id" in columns_of(one, USERS)]
    if not products:
        return Roles(interactions, interactions, users[0] if users else None)
    rest = [one for one in others if all(one is not other for other in (products[0], *users[:1]))]
    return Roles(interactions, with_lookups(products[0], rest), users[0] if users else None)


def _has_key(one: Sample, ours: str) -> bool:
    """Whether a column is called so; a file with users and items has events, and is not a list of either."""
    return any(is_called(ours, column) for column in one.columns)


def _section(
    table: str,
    one: Sample,
    found: dict[str, str],
    *,
    shared: bool = False,
    elsewhere: Collection[str] = (),
    clock: str | None = None,
) -> Iterator[str]:
    """elsewhere: columns of the file that another table is read from. clock: the column of times next to days."""
    ours = {"interactions": EVENTS, "products": PRODUCTS, "users": USERS}[table]
    decimal, column = _decimal(one)
    yield from _head(table, one, found, shared=shared)
    if decimal:
        yield f"  decimal: {quoted(decimal)}  # as in {quoted(column)}: {one.shown(column)}"
    for name in ours:
        if name in found:
            yield _line(name, found[name], one, decimal, clock)
        elif name in NEEDED[table]:
            yield from _missing(name, one, found)
    if table == "interactions":
        yield from _more_of_events(one, found, decimal)
    unused = [column for column in one.columns if column not in (*found.values(), clock)]
    nowhere = [] if shared else [column for column in unused if column not in elsewhere]
    yield from (f"  # not used: {quoted(name)}  # {one.shown(name)}" for name in nowhere)
    if unused and (free := [name for name in ours if name not in found and name not in NEEDED[table]]):
        yield f"  # a column may be named for each of these, too: {', '.join(free)}"
    if table == "interactions" and "event_type" in found:
        yield from event_type_lines(one.values(found["event_type"]))


def _head(table: str, one: Sample, found: dict[str, str], *, shared: bool) -> Iterator[str]:
    """What is said of the table as a whole."""
    yield f"{table}:"
    parts = f"  {UNSURE}{len(one.parts)} files with the same columns: are they parts of one table?" if one.parts else ""
    yield f"  file: {quoted(one.path.name)}{parts}"
    links = needed(one, list(found.values()))
    yield from ("  join:" for _ in links[:1])
    yield from (f"    {link.name}: {link.said()}" for link in links)
    if one.encoding:
        yield f"  encoding: {one.encoding}  {UNSURE}it is not UTF-8; are the texts below right?"
    if table != "users":
        yield from list_lines(one, found)
    if shared:
        yield f"  repeated: most_frequent  {UNSURE}or `latest` with `latest_by: <a column>`: the file names them often"


def _line(ours: str, column: str, one: Sample, decimal: str, clock: str | None) -> str:
    """Our column's line; in a comment where its values cannot be read, so that the others can."""
    named, shown = quoted(column), one.shown(column)
    if ours in NUMBERS and (odd := _unreadable(ours, one.values(column), decimal)):
        # A column that is called like ours would be read without a line.
        instead = f'{ours}: {{value: ""}}  {UNSURE}' if column == ours else f"{UNSURE}{ours}: "
        return f"  {instead}{named} would be it, but {odd}"
    if ours == "event_timestamp" and clock is not None:
        return f"  {ours}: {{column: {named}, time: {quoted(clock)}}}  {_doubt(ours)}  # {shown}"
    if ours == "category" and (separator := separator_in(one, column)) is not None:
        doubt = f"  {UNSURE}several in one cell?"
        return f"  {ours}: {{column: {named}, separator: {quoted(separator)}}}{doubt}  # {shown}"
    return f"  {ours}: {named}{'' if is_called(ours, column) else f'  {_doubt(ours)}'}  # {shown}"


def _doubt(ours: str) -> str:
    """Why a column that is not called like ours is marked, and what to look at."""
    return f"{UNSURE}chosen by its name and values: {MEANINGS.get(ours, 'is it the ' + ours.replace('_', ' '))}?"


def _unreadable(ours: str, values: Sequence[Any], decimal: str) -> str | None:
    """Why the values are not all numbers of one currency, and what would help."""
    if odd := _no_number(values, decimal, money=ours not in UNITS):
        return f"{odd}: export it like 1234.50, or say `decimal`"
    if ours not in UNITS and len(several := _currencies(values, decimal)) > 1:
        return f"it is in {' and '.join(several)}: convert it to one currency"
    return None


def _more_of_events(one: Sample, found: dict[str, str], decimal: str) -> Iterator[str]:
    """What columns say that would be read, or passed over, without a line."""
    unreadable = _unreadable("discount", one.values("discount"), decimal) if "discount" in one.columns else None
    if unreadable:
        yield f'  discount: {{value: ""}}  {UNSURE}"discount" is left out, as {unreadable}'
    yield from identity_lines(one, found)
    yield from state_lines(one, found)
    yield from rating_lines(one, found)


def _no_number(values: Sequence[Any], decimal: str, *, money: bool) -> str | None:
    """What is wrong with the first text that is none."""
    texts = (value for value in values if isinstance(value, str) and value.strip())
    odd = next((text for text in texts if amount(text, decimal, money=money) is None), None)
    if odd is None:
        return None
    either = all(amount(odd, sign, money=money) is not None for sign in ".,")
    return f"{odd!r} may be two numbers" if either else f"{odd!r} is no number that can be read"


def _decimal(one: Sample) -> tuple[str, str]:
    """(the sign before decimals, where a mapping must say it; the first column whose numbers need it)."""
    for column in one.columns:
        texts = [value for value in one.values(column) if isinstance(value, str) and value.strip()]
        if len(texts) < len(one.values(column)) or not texts or _all_read(texts, ""):
            continue
        fits = [sign for sign in ".," if _all_read(texts, sign)]
        if len(fits) == 1:
            return fits[0], column
    return "", ""


def _all_read(texts: Sequence[str], decimal: str) -> bool:
    return all(amount(text, decimal, money=True) is not None for text in texts)


def _currencies(values: Sequence[Any], decimal: str) -> list[str]:
    return sorted(name for name in currencies_in(dict.fromkeys(map(str, values), 1), decimal) if name)


def _missing(name: str, one: Sample, found: Mapping[str, str]) -> Iterator[str]:
    if name == "event_type":
        yield f"  event_type: {{value: purchase}}  {UNSURE}no column says it: is every row a purchase?"
    elif name == "event_timestamp" and (pattern := path_of_days(one)) is not None:
        yield f"  event_timestamp: {{path: {quoted(pattern)}}}  {UNSURE}no column has it: is it the date in the path?"
    else:
        basket = found.get("basket_id") if name == "user_id" else None
        more = f"; where nobody is known, each basket may be one: `user_id: {quoted(basket)}`" if basket else ""
        yield f"  {UNSURE}{name}: no column looks like it; name yours here, as in `{name}: COLUMN`{more}"
