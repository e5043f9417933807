"""Objects and lists in a table: paths into them, and a row for each entry."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import InvalidInput
from tests.support.shops.shop_files import read_rows, reasons, rows_of, run, source_of, unreadable, write
from training.ingest.files.literals import nested_value

AT = "2024-01-05T10:00:00Z"
ORDERS: list[dict[str, Any]] = [
    {"no": "1", "buyer": {"id": "b1", "home": {"state": "BY"}}, "at": AT,
     "lines": [{"sku": {"id": "007", "name": "Tea"}, "n": 2, "eur": 1.10}, {"sku": {"id": "8"}, "n": 1},
               {"sku": {"id": "8"}, "n": 1}]},
    {"no": "2", "buyer": {"id": "b2"}, "at": AT, "lines": [{"sku": {"id": "8", "name": "Cup"}, "n": 3}]},
]  # fmt: skip
MAPPING: dict[str, Any] = {
    "interactions": {
        "file": "orders", "rows": "lines", "event_type": {"value": "purchase"}, "user_id": "buyer.id",
        "item_id": "lines.sku.id", "event_timestamp": "at", "basket_id": "no", "quantity": "lines.n",
        "price": "lines.eur",
    },
    "products": {"file": "orders", "rows": "lines", "repeated": "most_frequent", "item_id": "lines.sku.id",
                 "title": "lines.sku.name"},
    "users": {"file": "orders", "user_id": "buyer.id", "region": "buyer.home.state"},
}  # fmt: skip
BOUGHT = [("b1", "007", "1", 2, 1.1), ("b1", "8", "1", 1, None), ("b1", "8", "1", 1, None), ("b2", "8", "2", 3, None)]


def as_lines(root: Path, orders: list[Any]) -> Path:
    return write(root / "shop", orders_jsonl="\n".join(map(json.dumps, orders)))


def test_what_python_prints_keeps_the_digits_of_its_numbers() -> None:
    assert nested_value("[1.10, -12345678901234567890.0, {'ä': 1e5,\r\n 'b': 007.50}, nan]") == [
        "1.10", "-12345678901234567890.0", {"ä": "1e5", "b": "007.50"}, None,
    ]  # fmt: skip
    assert nested_value("['it\\'s', \"a'b\", u'c',\n None, True]") == ["it's", "a'b", "c", None, True]


@pytest.mark.parametrize(
    "text", ["['tea' 'cup']", "['tea'\n 'cup']", '["tea" "cup"]', "[1 2]", "[1, x]", "{1: 2, None: 3}"]
)
def test_what_numpy_prints_is_not_one_text_of_two(text: str) -> None:
    with pytest.raises(ValueError, match=r"expression|neither|no text"):
        nested_value(text)


@pytest.mark.parametrize("deep", ["[" * 700 + "]" * 700, '{"a":' * 700 + "1" + "}" * 700, "[" * 5000])
@pytest.mark.parametrize("mapped", [{"rows": "lines", "item_id": "lines"}, {"item_id": "lines.sku"}])
def test_a_cell_that_nests_too_deeply_costs_only_its_row(tmp_path: Path, deep: str, mapped: dict[str, str]) -> None:
    fine = '["tea"]' if "rows" in mapped else '{"sku": "tea"}'
    nested = f"[{deep}]" if "rows" in mapped else f'{{"sku": {deep}}}'
    quoted = [cell.replace('"', '""') for cell in (fine, nested)]
    lines = "".join(f'view,u{at},{AT},"{cell}"\n' for at, cell in enumerate(quoted))
    folder = write(tmp_path / "shop", products_csv="item_id\ntea\n",
                   interactions_csv=f"event_type,user_id,event_timestamp,lines\n{lines}")  # fmt: skip
    events = source_of(tmp_path, "ecommerce", folder, {"interactions": mapped}).events.to_pyarrow()
    assert (read_rows(events, "user_id", "item_id"), unreadable(events)) == ([("u0", "tea")], {"wrong_type": 1})


def as_csv(root: Path, orders: list[dict[str, Any]]) -> Path:
    def cell(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return '"' + text.replace('"', '""') + '"'

    rows = [",".join(map(cell, order.values())) for order in orders]
    return write(root / "shop", orders_csv="\n".join([",".join(orders[0]), *rows]))


def as_parquet(root: Path, orders: list[dict[str, Any]]) -> Path:
    (root / "shop").mkdir()
    pq.write_table(pa.Table.from_pylist(orders), root / "shop" / "orders.parquet")
    return root / "shop"


@pytest.mark.parametrize("written", [as_lines, as_csv, as_parquet])
def test_each_line_of_an_order_is_an_event(tmp_path: Path, written: Any) -> None:
    report = run(tmp_path, "ecommerce", written(tmp_path, ORDERS), MAPPING)
    # The item that an order lists twice is bought twice.
    assert (report.events_in, report.events_kept) == (4, 4)
    assert rows_of(tmp_path, "events", "user_id", "item_id", "basket_id", "quantity", "price") == BOUGHT
    assert rows_of(tmp_path, "items", "item_id", "title") == [("007", "Tea"), ("8", "Cup")]
    assert rows_of(tmp_path, "users", "user_id", "region") == [("b1", "BY"), ("b2", None)]


def test_an_order_that_is_there_twice_is_an_exact_copy(tmp_path: Path) -> None:
    mapping = {**MAPPING, "users": {**MAPPING["users"], "repeated": "most_frequent"}}
    report = run(tmp_path, "ecommerce", as_lines(tmp_path, [*ORDERS, ORDERS[1]]), mapping)
    assert (report.events_kept, report.events_dropped) == (4, {"exact_copy": 1})


def test_an_order_without_lines_and_what_is_no_list_are_counted(tmp_path: Path) -> None:
    listed: list[Any] = [[], None, "two", {"sku": 1}, "[1"]
    bad = [{**ORDERS[0], "lines": lines} for lines in listed]
    report = run(tmp_path, "ecommerce", as_lines(tmp_path, [*ORDERS, *bad, 5]), MAPPING)
    assert report.events_in == report.events_kept + 6
    assert report.events_dropped == {"basket_without_items": 2, "malformed_row": 1, "wrong_type": 3}
    assert ("wrong_type", "lines=two") in reasons(tmp_path)
    assert ("malformed_row", "5") in reasons(tmp_path)


def test_text_that_is_no_object_is_its_rows_fault(tmp_path: Path) -> None:
    folder = as_lines(tmp_path, [*ORDERS, {**ORDERS[0], "buyer": "b9"}, {**ORDERS[0], "buyer": None}])
    report = run(tmp_path, "ecommerce", folder, MAPPING)
    assert report.events_dropped == {"missing_id": 3, "wrong_type": 3}
    assert ("wrong_type", "buyer=b9") in reasons(tmp_path)


def test_lists_of_ids_are_rows_too(tmp_path: Path) -> None:
    folder = as_lines(tmp_path, [{"no": "1", "buyer": "b", "at": AT, "skus": ["a", "b", 7, 0.50]}])
    interactions = {**MAPPING["interactions"], "rows": "skus", "item_id": "skus", "user_id": "buyer"}
    products = {"file": "orders", "rows": "skus", "item_id": "skus"}
    events = {key: value for key, value in interactions.items() if key not in ("quantity", "price")}
    source = source_of(tmp_path, "ecommerce", folder, {"interactions": events, "products": products})
    assert read_rows(source.events, "item_id") == [("0.5",), ("7",), ("a",), ("b",)]


@pytest.mark.parametrize("written", [as_lines, as_parquet])
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rows", "line", r"rows is 'line', which is no column: there is no, buyer, at, lines\."),
        ("user_id", "buyer.nr", r"interactions\.user_id is mapped to 'buyer\.nr'.*; interactions has "),
        ("user_id", "at.day", r"interactions\.user_id is mapped to 'at\.day'.*; interactions has "),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, written: Any, key: str, value: str, said: str) -> None:
    folder = written(tmp_path, ORDERS)
    with pytest.raises(InvalidInput, match=said):
        run(tmp_path, "ecommerce", folder, {**MAPPING, "interactions": {**MAPPING["interactions"], key: value}})


def test_a_column_with_a_dot_in_its_name_is_itself(tmp_path: Path) -> None:
    folder = as_lines(tmp_path, [{**order, "buyer.id": "own"} for order in ORDERS])
    users = {"file": "orders", "repeated": "most_frequent", "user_id": "buyer.id"}
    source = source_of(tmp_path, "ecommerce", folder, {**MAPPING, "users": users})
    assert read_rows(source.users, "user_id") == [("own",)]


@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"buyer": {"id": "b1"', '"buyer": {"id": "b9", "id": "b1"'),
        ('"home": {"state": "BY"', '"home": {"state": "NI", "state": "BY"'),
        ('{"id": "007"', '{"id": "9", "id": "007"'),
        ('"n": 2', '"n": 3, "n": 2'),
    ],
)
def test_a_key_that_is_there_twice_in_an_object_costs_the_rows_that_need_it(
    tmp_path: Path, once: str, twice: str
) -> None:
    text = "\n".join(map(json.dumps, ORDERS))
    assert text.count(once) == 1
    source = source_of(tmp_path, "ecommerce", write(tmp_path / "shop", orders_jsonl=text.replace(once, twice)), MAPPING)
    events = source.events.to_pyarrow()
    kept, dropped = read_rows(events, "user_id", "item_id", "basket_id"), unreadable(events)
    lost = {row[:3] for row in BOUGHT} - set(kept)
    assert unreadable(source.users) if "state" in once else lost
    assert set(dropped) <= {"wrong_type"}
    assert len(kept) + sum(dropped.values()) == 4


NAN = float("nan")


@pytest.mark.parametrize("as_json", [True, False])
def test_what_pandas_writes_for_nothing_is_nothing_inside_of_lists_and_objects_too(
    tmp_path: Path, as_json: bool
) -> None:
    row = {"user_id": "u", "event_timestamp": AT, "event_type": "purchase", "price": NAN,
           "lines": [{"sku": "tea", "q": NAN}, {"sku": "cup", "q": 2.0}],
           "of": {"basket": NAN, "off": NAN}}  # fmt: skip
    folder = write(tmp_path / "shop", products_csv="item_id\ntea\ncup\n")
    if as_json:
        write(folder, interactions_jsonl=json.dumps(row))
    else:
        pq.write_table(pa.Table.from_pylist([row]), folder / "interactions.parquet")
    mapping = {"rows": "lines", "item_id": "lines.sku", "quantity": "lines.q", "basket_id": "of.basket",
               "discount": "of.off"}  # fmt: skip
    events = source_of(tmp_path, "ecommerce", folder, {"interactions": mapping}).events.to_pyarrow()
    assert unreadable(events) == {}
    assert read_rows(events, "item_id", "quantity", "price", "basket_id", "discount") == [
        ("cup", 2, None, None, None), ("tea", 1, None, None, None),
    ]  # fmt: skip
