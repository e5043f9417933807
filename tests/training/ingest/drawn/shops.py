"""Whole shops, one for each adapter that reads files, with the events that must come out of each."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.training.ingest.drawn.cells import (
    BAD,
    COMPACT,
    EVENT_NAMES,
    Cell,
    Draw,
    categories,
    comma_prices,
    deep,
    event_types,
    ids,
    moments,
    prices,
    quantities,
)
from tests.training.ingest.drawn.files import write_one, write_parts

Event = tuple[Any, ...]  # user, item, type, moment, quantity, price, basket


@dataclass(frozen=True)
class Shop:
    """Where its files lie, and what is right: the events that can be read, and how many rows cannot."""

    adapter: str
    right: Counter[Event]
    unreadable: int
    mapping: dict[str, str] = field(default_factory=dict)
    items: Counter[tuple[str, str | None]] = field(default_factory=Counter)  # and their categories; empty: any


def _row(draw: Draw, cells: dict[str, st.SearchStrategy[Cell]]) -> dict[str, Cell]:
    return {name: draw(cell) for name, cell in cells.items()}


def _written(rows: Sequence[dict[str, Cell]]) -> list[dict[str, Any]]:
    return [{name: cell.written for name, cell in row.items()} for row in rows]


def _judged(
    rows: Sequence[dict[str, Cell]], event: Callable[[dict[str, Any]], list[Event]]
) -> tuple[Counter[Event], int]:
    """(events of the rows that can be read, rows that cannot)."""
    good = [row for row in rows if not any(cell.right == BAD for cell in row.values() if isinstance(cell.right, str))]
    right = [one for row in good for one in event({name: cell.right for name, cell in row.items()})]
    return Counter(right), len(rows) - len(good)


def ecommerce(draw: Draw, folder: Path) -> Shop:
    """Interactions of any kind of file, some in a format of their own or with a decimal comma."""
    compact, comma = draw(st.booleans()), draw(st.booleans())
    mapping = {"date_format": COMPACT} if compact else {}
    mapping |= {"interactions.price.decimal": ","} if comma else {}
    cells = {"user_id": ids, "item_id": ids, "event_type": event_types, "event_timestamp": moments(compact=compact),
             "quantity": quantities, "price": comma_prices if comma else prices, "basket_id": ids}  # fmt: skip
    rows = [_row(draw, cells) for _ in range(draw(st.integers(1, 8)))]
    write_parts(
        draw, folder, "interactions", _written(rows), list(cells), ("item_id", "quantity", "price", "basket_id")
    )
    items = [
        {"item_id": Cell(f"i{at}", f"i{at}"), "category": cell}
        for at, cell in enumerate(draw(st.lists(categories, min_size=1, max_size=3)))
    ]
    write_one(draw, folder / "products", _written(items), ["item_id", "category"])
    right, unreadable = _judged(rows, lambda row: [(row["user_id"], row["item_id"], row["event_type"],
        row["event_timestamp"], row["quantity"], row["price"], row["basket_id"])])  # fmt: skip
    listed = Counter((item["item_id"].right, item["category"].right) for item in items)
    return Shop("ecommerce", right, unreadable, mapping | EVENT_NAMES, listed)


def clickstream(draw: Draw, folder: Path) -> Shop:
    """Actions with lists of products, as text or as arrays."""
    cells: dict[str, st.SearchStrategy[Cell]] = {
        "user_id": ids.filter(lambda cell: cell.right is not None),
        "loc_user_id": st.just(Cell(None, None)),
        "action": st.sampled_from([Cell("0", "view"), Cell("5", "purchase"), Cell("77", "77")]),
        "date": moments(),
        "products": st.lists(ids.filter(lambda cell: cell.right is not None), max_size=3).map(
            lambda listed: Cell([cell.written for cell in listed], tuple(cell.right for cell in listed))
        ),
        "pageId": ids,
    }
    rows = [_row(draw, cells) for _ in range(draw(st.integers(1, 6)))]
    write_parts(draw, folder, "actions", _written(rows), list(cells))
    (folder / "catalog.csv").write_text("product_id\na\n")
    good = [row for row in rows if row["date"].right != BAD]
    right = Counter(
        (row["user_id"].right, item, row["action"].right, row["date"].right, 1)
        for row in good
        for item in row["products"].right or (None,)
    )
    bad = sum(max(len(row["products"].right), 1) for row in rows if row["date"].right == BAD)
    return Shop("clickstream", right, bad)


def retail_baskets(draw: Draw, folder: Path) -> Shop:
    """Transactions, one a line, with products by id or as objects."""
    baskets = []
    right: Counter[Event] = Counter()
    unreadable = 0
    for _ in range(draw(st.integers(1, 5))):
        user, basket, at = draw(ids), draw(ids), draw(moments())
        listed: list[Any] = []
        units: Counter[str] = Counter()
        for item in draw(st.lists(ids.filter(lambda cell: cell.right is not None), min_size=1, max_size=4)):
            count = draw(st.integers(1, 9))
            plain = draw(st.booleans())
            listed.append(item.written if plain else {"id": item.written, "quantity": count})
            units[item.written] += 1 if plain else count
        baskets.append({"id": basket.written, "customer_id": user.written, "timestamp": at.written, "items": listed})
        for written, count in units.items():
            if at.right == BAD:
                unreadable += 1
            else:
                item_id = written.removesuffix(".0") if written == "13085.0" else _whole(written)
                right[user.right, item_id, "purchase", at.right, count, None, basket.right] += 1
    lines = [json.dumps(one, ensure_ascii=False) for one in baskets]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f'{{"id": {draw(deep)}}}')
        unreadable += 1
    (folder / "transactions.txt").write_text(f"[{','.join(lines)}]" if draw(st.booleans()) else "\n".join(lines))
    (folder / "products.txt").write_text("a\tc\tApple\n")
    return Shop("retail-baskets", right, unreadable)


def _whole(text: str) -> str:
    head, dot, tail = text.partition(".")
    digits = head[1:] if head[:1] in ("+", "-") else head
    all_noughts = bool(tail) and set(tail) == {"0"}
    return head if dot and all_noughts and digits.isascii() and digits.isdigit() else text


def instacart(draw: Draw, folder: Path) -> Shop:
    """Orders and their lines; each line must come out, with its order's user unless that order has no such hour."""
    users = draw(st.lists(ids.filter(lambda cell: cell.right is not None), min_size=1, max_size=4))
    hours = [draw(st.sampled_from(["9", "09", "23", "24", "-1"])) for _ in users]
    orders = [
        {"order_id": f"o{at}", "user_id": user.written, "order_number": str(at), "order_dow": "3",
         "order_hour_of_day": hour, "days_since_prior_order": "7"}
        for at, (user, hour) in enumerate(zip(users, hours, strict=True))
    ]  # fmt: skip
    lines: list[dict[str, Any]] = [
        {"order_id": f"o{draw(st.integers(0, len(users)))}", "product_id": draw(ids), "add_to_cart_order": str(at)}
        for at in range(draw(st.integers(1, 6)))
    ]
    write_parts(draw, folder, "orders", orders, list(orders[0]))
    written = [line | {"product_id": line["product_id"].written} for line in lines]
    write_parts(draw, folder, "order_products__prior", written, list(written[0]))
    (folder / "order_products__train.csv").write_text("order_id,product_id,add_to_cart_order\n")
    (folder / "products.csv").write_text("product_id,product_name,aisle_id,department_id\na,Apple,1,1\n")
    (folder / "aisles.csv").write_text("aisle_id,aisle\n1,fruit\n")
    (folder / "departments.csv").write_text("department_id,department\n1,produce\n")
    good = [0 <= int(hour) < 24 for hour in hours]
    owner = {f"o{at}": user.right for at, user in enumerate(users) if good[at]}
    right = Counter((owner.get(line["order_id"]), line["product_id"].right, line["order_id"]) for line in lines)
    return Shop("instacart", right, good.count(False))


def event_log(draw: Draw, folder: Path) -> Shop:
    """An earlier ingest, and what was posted since."""
    kind = pa.timestamp("us", "UTC")
    texts = ("event_id", "event_type", "user_id", "item_id", "basket_id")
    schema = pa.schema([*((name, pa.string()) for name in texts), ("event_timestamp", kind), ("quantity", pa.int64()),
                        ("price", pa.float64()), ("discount", pa.float64())])  # fmt: skip
    names = ids.map(lambda cell: cell.right).filter(lambda text: text is not None)
    numbers = draw(st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True))
    events = [
        {"event_id": f"e{at}", "event_type": "purchase", "user_id": draw(names), "item_id": draw(names),
         "basket_id": draw(names), "event_timestamp": datetime(2024, 1, 1 + at % 28, tzinfo=UTC), "quantity": 1 + at,
         "price": None, "discount": None}
        for at in numbers
    ]  # fmt: skip
    cut = draw(st.integers(0, len(events)))
    earlier = events[: max(cut, 1)]
    pq.write_table(pa.Table.from_pylist(earlier, schema), folder / "events.parquet")
    pq.write_table(pa.table({"user_id": sorted({one["user_id"] for one in earlier})}), folder / "users_ids.parquet")
    _canonical(folder, "users", "user_id", earlier)
    _canonical(folder, "items", "item_id", events)
    log = folder / draw(st.sampled_from(["log #1.db", "a?b.db", "50%.db", "events.db"]))
    with closing(sqlite3.connect(log)) as posted:
        for stream in ("interactions", "items"):
            posted.execute(f"CREATE TABLE {stream} (position INTEGER PRIMARY KEY, received REAL, payload TEXT)")
        for one in events[max(cut - 1, 0) :]:  # the last one of the earlier ingest is in the log as well
            payload = json.dumps(one | {"event_timestamp": one["event_timestamp"].isoformat()})
            posted.execute("INSERT INTO interactions (received, payload) VALUES (0, ?)", (payload,))
        posted.commit()
    right = Counter((one["user_id"], one["item_id"], one["event_id"], one["quantity"]) for one in events)
    return Shop("event-log", right, 0, {"event_log": f"sqlite:///{log}"})


def _canonical(folder: Path, table: str, key: str, events: Sequence[dict[str, Any]]) -> None:
    from contracts.events.schema import ITEM_COLUMNS, USER_COLUMNS

    columns = USER_COLUMNS if table == "users" else ITEM_COLUMNS
    types = {"float64": pa.float64(), "timestamp('UTC', 6)": pa.timestamp("us", "UTC")}
    schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in columns.items()])
    rows = [{key: one} for one in sorted({event[key] for event in events})]
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / f"{table}.parquet")


SHOPS = {shop.__name__: shop for shop in (ecommerce, clickstream, retail_baskets, instacart, event_log)}
FIELDS = {
    "ecommerce": ("user_id", "item_id", "event_type", "event_timestamp", "quantity", "price", "basket_id"),
    "clickstream": ("user_id", "item_id", "event_type", "event_timestamp", "quantity"),
    "retail-baskets": ("user_id", "item_id", "event_type", "event_timestamp", "quantity", "price", "basket_id"),
    "instacart": ("user_id", "item_id", "basket_id"),
    "event-log": ("user_id", "item_id", "event_id", "quantity"),
}
