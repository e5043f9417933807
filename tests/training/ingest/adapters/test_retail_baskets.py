"""Baskets as JSON, products as text: the exact rows expected."""

import json
from pathlib import Path

import pytest

from contracts.errors import DataRejected
from tests.support.shops.shop_files import EVENT, NOON, read_rows, reasons, rows_of, run, source_of, write

GOODS = "10\tA1\tMilk 1 l\n11\tA2\tBread\n"


BASKETS = [
    {"id": 1, "customer_id": 7, "timestamp": "2024-01-02T12:00:00Z", "items": [10, 11, 10]},
    {"id": "x", "customer_id": "8", "timestamp": "2024-01-02T12:00:00Z", "items": [{"id": 11, "price": 1.5}]},
]


BASKET_EVENTS = [
    ("purchase", "7", "10", NOON, "1", 2, None),  # listed twice: two units
    ("purchase", "7", "11", NOON, "1", 1, None),
    ("purchase", "8", "11", NOON, "x", 1, 1.5),
]


@pytest.mark.parametrize("as_array", [True, False])
def test_baskets_are_an_array_or_one_object_a_line(tmp_path: Path, as_array: bool) -> None:
    text = json.dumps(BASKETS, indent=1) if as_array else "".join(json.dumps(basket) + "\n" for basket in BASKETS)
    run(tmp_path, "retail-baskets", write(tmp_path / "raw", products_txt=GOODS, transactions_txt="\ufeff" + text))
    assert rows_of(tmp_path, "events", *EVENT[1:]) == BASKET_EVENTS
    assert rows_of(tmp_path, "items", "item_id", "category", "title") == [
        ("10", "A1", "Milk 1 l"),
        ("11", "A2", "Bread"),
    ]


@pytest.mark.parametrize("as_array", [True, False])
def test_a_basket_that_nests_too_deeply_costs_only_itself(tmp_path: Path, as_array: bool) -> None:
    baskets = [json.dumps(basket) for basket in BASKETS]
    baskets.insert(1, f'{{"id": 2, "items": [10], "more": {"[" * 700}{"]" * 700}}}')
    text = f"[{','.join(baskets)}]" if as_array else "\n".join(baskets)
    report = run(tmp_path, "retail-baskets", write(tmp_path / "raw", products_txt=GOODS, transactions_txt=text))
    assert rows_of(tmp_path, "events", *EVENT[1:]) == BASKET_EVENTS
    assert report.events_dropped == {"malformed_row": 1}
    assert reasons(tmp_path) == [("malformed_row", baskets[1])]


def test_baskets_key_names_are_mapped(tmp_path: Path) -> None:
    basket = {"nr": 1, "card": 7, "when": "2024-01-02 13:00:00", "lines": [{"sku": 10, "n": 3, "paid": "2.5"}]}
    folder = write(tmp_path / "raw", goods_txt=GOODS, log_json=json.dumps([basket]))
    mapping = {
        "time_zone": "Europe/Berlin",
        "products": {"file": "goods.txt"},
        "transactions": {
            "file": "log.json",
            "transaction_id": "nr",
            "user_id": "card",
            "event_timestamp": "when",
            "items": "lines",
        },
        "items": {"item_id": "sku", "quantity": "n", "price": "paid"},
    }
    run(tmp_path, "retail-baskets", folder, mapping)
    assert rows_of(tmp_path, "events", *EVENT[1:]) == [("purchase", "7", "10", NOON, "1", 3, 2.5)]


def test_numbers_of_baskets_have_a_point_whatever_sign_the_texts_have(tmp_path: Path) -> None:
    items = [{"id": 10, "price": 1.234, "discount": "0,5"}, {"id": 11, "price": "1.234"}]
    basket = {"id": 1, "customer_id": 5, "timestamp": NOON.isoformat(), "items": items}
    folder = write(tmp_path / "raw", products_txt=GOODS, transactions_txt=json.dumps(basket))
    events = source_of(tmp_path, "retail-baskets", folder, {"decimal": ","}).events
    assert read_rows(events, "item_id", "price", "discount") == [("10", 1.234, 0.5), ("11", 1234.0, None)]


def test_faulty_lines_of_baskets_cost_only_themselves(tmp_path: Path) -> None:
    faulty = [
        b'{"id": 3',
        b"[1]",
        b'{"id": "\xff"}',
        b'{"id": 4, "items": []}',
        b'{"id": 5, "items": "10"}',
        b'{"id": 6, "items": [[10]]}',
        b'{"id": 7, "items": [{"id": 10, "id": 11}]}',
    ]
    lines = [*faulty, *(json.dumps(basket).encode() for basket in BASKETS)]
    products = GOODS.encode() + b"12\tA3\n13\tA3\tCaf\xe9\n"
    folder = write(tmp_path / "raw", products_txt=products, transactions_txt=b'{"id": 9}\n' + b"\n".join(lines))
    report = run(tmp_path, "retail-baskets", folder)
    assert (report.events_in, report.events_kept) == (11, 3)
    assert reasons(tmp_path) == [
        ("basket_without_items", '{"id": 4, "items": []}'),
        ("basket_without_items", '{"id": 9}'),
        ("malformed_row", "[1]"),
        ("malformed_row", '{"id": 3'),
        ("not_utf8", '{"id": "\\xff"}'),
        ("wrong_type", '{"id": 5, "items": "10"}'),
        ("wrong_type", '{"id": 6, "items": [[10]]}'),
        ("wrong_type", '{"id": 7, "items": [{"id": 10, "id": 11}]}'),
    ]
    assert reasons(tmp_path, "quarantine_items") == [("malformed_row", "12\tA3"), ("not_utf8", "13\tA3\tCaf\\xe9")]


def test_a_first_line_that_is_not_utf8_is_counted_too(tmp_path: Path) -> None:
    lines = b'{"id": "\xff"}\n' + json.dumps(BASKETS[0]).encode()
    folder = write(tmp_path / "raw", products_txt=GOODS, transactions_txt=lines)
    assert run(tmp_path, "retail-baskets", folder).events_dropped == {"not_utf8": 1}


def test_a_basket_array_cut_short_is_refused(tmp_path: Path) -> None:
    for text, message in (
        (json.dumps(BASKETS)[:-20], r"transactions\.txt is not a whole JSON array"),
        (b'[{"id": "\xff"}]', r"transactions\.txt is not UTF-8 at byte 9"),
        ("", r"transactions\.txt is empty"),
    ):
        folder = write(tmp_path / "raw", products_txt=GOODS, transactions_txt=text)
        with pytest.raises(DataRejected, match=message):
            run(tmp_path, "retail-baskets", folder)
