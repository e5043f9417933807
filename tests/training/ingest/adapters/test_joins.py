"""Tables that rows of other tables name: the order of a line, the kind of an item."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import parquet, read_rows, rows_of, run, source_of, write

LINES = "order,sku,units\n1,tea,2\n1,cup,1\n2,tea,1\n"
ORDERS = "id,buyer,day\n1,ann,2024-01-05\n2,bob,2024-01-06\n"
GOODS = "sku,name,kind\ntea,Green tea,7\ncup,Cup,8\n"
KINDS = "kind,name,hall\n7,Drinks,A\n8,China,B\n"
HALLS = "hall,title\nA,Food\nB,House\n"
MAPPING: dict[str, Any] = {
    "time_zone": "UTC",
    "interactions": {
        "file": "lines.csv",
        "join": {"order": {"file": "orders.csv", "by": "order", "key": "id"}},
        "event_type": {"value": "purchase"},
        "user_id": "order.buyer",
        "item_id": "sku",
        "event_timestamp": "order.day",
        "basket_id": "order",
        "quantity": "units",
    },
    "products": {
        "file": "goods.csv",
        "join": {"kind": {"file": "kinds.csv", "by": "kind"}, "hall": {"file": "halls.csv", "by": "kind.hall"}},
        "item_id": "sku",
        "title": "name",
        "category": "kind.name",
        "department": "hall.title",
    },
}
MAPPING["products"]["join"]["hall"]["key"] = "hall"
BOUGHT = ("user_id", "item_id", "basket_id", "quantity")


def shop(root: Path, **files: str) -> Path:
    whole = {"lines_csv": LINES, "orders_csv": ORDERS, "goods_csv": GOODS, "kinds_csv": KINDS, "halls_csv": HALLS}
    return write(root / "shop", **(whole | files))


def joined(table: str, **options: str) -> dict[str, Any]:
    """The mapping with other options of a table's first join."""
    (name, said), *others = MAPPING[table]["join"].items()
    return MAPPING | {table: MAPPING[table] | {"join": {name: said | options, **dict(others)}}}


def test_lines_have_what_their_order_says_and_items_what_their_kind_says(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", shop(tmp_path), MAPPING)
    assert (report.events_in, report.events_kept, report.warnings) == (3, 3, ())
    assert rows_of(tmp_path, "events", *BOUGHT) == [
        ("ann", "cup", "1", 1),
        ("ann", "tea", "1", 2),
        ("bob", "tea", "2", 1),
    ]
    assert rows_of(tmp_path, "items", "item_id", "title", "category", "department") == [
        ("cup", "Cup", "China", "House"),
        ("tea", "Green tea", "Drinks", "Food"),
    ]


def test_a_key_is_the_same_whatever_its_type(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    (folder / "orders.csv").unlink()
    orders = [{"id": 1.0, "buyer": "ann", "day": "2024-01-05"}, {"id": 2.0, "buyer": "bob", "day": "2024-01-06"}]
    parquet(folder / "orders.parquet", orders, id=pa.float64(), buyer=pa.string(), day=pa.string())
    source = source_of(tmp_path, "ecommerce", folder, joined("interactions", file="orders"))
    assert len(read_rows(source.events, *BOUGHT)) == 3


def test_values_inside_an_object_are_joined_by_their_path(tmp_path: Path) -> None:
    orders = "".join(
        f'{{"id": {at}, "buyer": {{"id": "{who}"}}, "day": "2024-01-05"}}\n' for at, who in ((1, "ann"), (2, "bob"))
    )
    mapping = joined("interactions", file="orders.jsonl")
    mapping["interactions"] |= {"user_id": "order.buyer.id"}
    source = source_of(tmp_path, "ecommerce", shop(tmp_path, orders_jsonl=orders), mapping)
    assert [row[0] for row in read_rows(source.events, *BOUGHT)] == ["ann", "ann", "bob"]


def test_a_line_without_its_order_is_counted_and_named(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", shop(tmp_path, lines_csv=LINES + "9,tea,1\n,cup,1\n"), MAPPING)
    assert (report.events_in, report.events_kept, report.events_dropped) == (5, 3, {"missing_id": 2})
    (note,) = report.warnings
    assert note == (
        "1 of 5 rows of interactions name by order what orders.csv lacks, 9 first. Its columns are null there."
    )


def test_an_order_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", shop(tmp_path, orders_csv=ORDERS + "3,cid\n"), MAPPING)
    assert (report.events_in, report.events_dropped) == (4, {"malformed_row": 1})


def test_an_order_is_there_once(tmp_path: Path) -> None:
    copied = ORDERS + ORDERS.splitlines()[1] + "\n"
    assert run(tmp_path, "ecommerce", shop(tmp_path, orders_csv=copied), MAPPING).events_kept == 3  # an exact copy
    paid = "id,buyer,day,paid by\n1,ann,2024-01-05,card\n1,ann,2024-01-05,voucher\n2,bob,2024-01-06,card\n"
    assert run(tmp_path, "ecommerce", shop(tmp_path, orders_csv=paid), MAPPING).events_kept == 3  # not read
    with pytest.raises(DataRejected, match=r"orders\.csv has 2 different rows whose id is 1\. It must have one"):
        run(tmp_path, "ecommerce", shop(tmp_path, orders_csv=ORDERS + "1,cid,2024-01-07\n"), MAPPING)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "ordr"}, "interactions.join.order.by is 'ordr'; interactions has order, sku, units."),
        ({"key": "number"}, "interactions.join.order.key is 'number'; orders.csv has id, buyer, day."),
        ({"to": "id"}, "interactions.join.order has by, file, key, to; it takes file, by, key, encoding, header"),
    ],
)
def test_what_a_join_lacks_is_named(tmp_path: Path, options: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(said)):
        source_of(tmp_path, "ecommerce", shop(tmp_path), joined("interactions", **options))


@pytest.mark.parametrize("join", [{"order": {"file": "orders.csv"}}, {"order": "orders.csv"}])
def test_a_join_needs_a_file_and_a_column(tmp_path: Path, join: dict[str, Any]) -> None:
    mapping = MAPPING | {"interactions": MAPPING["interactions"] | {"join": join}}
    with pytest.raises(InvalidInput, match=r"needs file and by, as in `interactions: \{join: \{order: \{file:"):
        source_of(tmp_path, "ecommerce", shop(tmp_path), mapping)


def test_a_column_that_the_other_file_lacks_is_named(tmp_path: Path) -> None:
    mapping = MAPPING | {"interactions": MAPPING["interactions"] | {"user_id": "order.byer"}}
    with pytest.raises(InvalidInput, match=r"order\.byer of interactions is 'byer'; orders\.csv has id, buyer, day\."):
        source_of(tmp_path, "ecommerce", shop(tmp_path), mapping)


def test_a_clock_of_the_order_is_read(tmp_path: Path) -> None:
    timed = "id,buyer,day,clock\n1,ann,2024-01-05,10:30\n2,bob,2024-01-06,11:00\n"
    said = {"event_timestamp": {"column": "order.day", "time": "order.clock"}}
    mapping = MAPPING | {"interactions": MAPPING["interactions"] | said}
    source = source_of(tmp_path, "ecommerce", shop(tmp_path, orders_csv=timed), mapping)
    assert f"{read_rows(source.events, 'event_timestamp')[0][0]:%H:%M}" == "10:30"
