"""A shop's interactions and products, as CSV, TSV, JSON lines or Parquet: the exact rows expected."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import (
    EVENT,
    INTERACTIONS,
    NOON,
    SHOP_EVENTS,
    parquet_shop,
    read_rows,
    reasons,
    rows_of,
    run,
    shop,
    source_of,
    write,
)


def test_a_shops_csv_files_need_no_mapping_when_the_names_are_ours(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", shop(tmp_path))
    assert (report.events_in, report.events_kept, report.time_zone) == (3, 3, "UTC")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS
    assert rows_of(tmp_path, "items", "item_id", "title", "category", "description", "price") == [
        ("cup", "Cup", None, None, 3.0),
        ("tea", 'Tea, "green"', "drinks", "Two\nlines", 9.5),
    ]
    assert rows_of(tmp_path, "users", "user_id", "region") == [("u1", None), ("u2", None)]


def test_a_mapping_names_files_columns_and_event_types(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "raw",
        clicks_tsv="visitor\tsku\taction\tat\nv1\t7\tBought\t2024-07-01 10:00\nv1\t7\tlook\t2024-01-01 10:00:00\n",
        goods_csv="sku,name,shelf\n7,Soap,bath\n",
        users_csv="user_id,age,region\nv1,30,north\nv2,,\n",
        sessions_csv="session_id,user_id,session_start\ns1,v2,2024-01-03 00:30:00\n",
    )
    mapping = {
        "time_zone": "Europe/Paris",
        "interactions": {
            "file": "clicks.tsv",
            "user_id": "visitor",
            "item_id": "sku",
            "event_type": "action",
            "event_timestamp": "at",
        },
        "event_types": {"bought": "purchase", "look": "view"},
        "products": {"file": "goods.csv", "item_id": "sku", "category": "shelf"},
    }
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert report.time_zone == "Europe/Paris"
    # Paris is one hour ahead of UTC in winter, two in summer; a session is a visit.
    assert rows_of(tmp_path, "events", "event_timestamp", "event_type", "user_id", "item_id", "basket_id") == [
        (datetime(2024, 1, 1, 9, tzinfo=UTC), "view", "v1", "7", None),
        (datetime(2024, 1, 2, 23, 30, tzinfo=UTC), "visit", "v2", None, "s1"),
        (datetime(2024, 7, 1, 8, tzinfo=UTC), "purchase", "v1", "7", None),
    ]
    assert rows_of(tmp_path, "items", "item_id", "title", "category") == [("7", "Soap", "bath")]
    assert rows_of(tmp_path, "users", "user_id", "age_band", "region") == [("v1", "30", "north"), ("v2", None, None)]


def test_parquet_parts_are_one_table(tmp_path: Path) -> None:
    run(tmp_path, "ecommerce", parquet_shop(tmp_path / "parts"))
    assert rows_of(tmp_path, "events", "event_timestamp", "user_id", "item_id") == [
        (NOON, "1", "7"),
        (NOON + timedelta(days=1), "1", "7"),
    ]


def test_whole_numbers_are_moments_in_the_unit_that_the_mapping_says(tmp_path: Path) -> None:
    folder = shop(tmp_path, "user_id,item_id,event_type,timestamp\nu,tea,view,1704196800123\nu,tea,view,soon\n")
    report = run(tmp_path, "ecommerce", folder, {"epoch_unit": "ms"})
    assert rows_of(tmp_path, "events", "event_timestamp") == [(NOON + timedelta(milliseconds=123),)]
    assert report.events_dropped == {"wrong_type": 1}
    with pytest.raises(DataRejected, match="say their unit: `epoch_unit: ms` in the mapping"):
        run(tmp_path, "ecommerce", folder)
    with pytest.raises(InvalidInput, match="epoch_unit is 'weeks', expected one of s, ms, us"):
        run(tmp_path, "ecommerce", folder, {"epoch_unit": "weeks"})


def test_semicolons_separate_where_the_header_says_so(tmp_path: Path) -> None:
    # Commas may stand in values then, and the products' file may be another kind.
    run(
        tmp_path,
        "ecommerce",
        shop(tmp_path, INTERACTIONS.replace(",", ";").replace("tea", '"te,a"'), 'item_id\n"te,a"\ncup\n'),
    )
    assert rows_of(tmp_path, "events", "event_id", "item_id") == [("e1", "te,a"), ("e2", "te,a"), ("e3", "cup")]


JSON_LINES = """{"user_id": 7, "product_id": "tea", "event_type": "view", "timestamp": "2024-01-02T12:00:00Z", "q": [1]}
{"user_id": 12345678901234567890123, "product_id": "tea", "event_type": "order", "timestamp": "2024-01-02 13:00Z"}
{"user_id": "7", "product_id": "tea"
[1, 2]
{"user_id": "7", "product_id": null, "event_type": "search", "timestamp": "2024-01-02T14:00:00Z", "quantity": ""}
{"user_id": "7", "product_id": "tea", "event_type": "purchase", "timestamp": "2024-01-02T14:00:00Z", "quantity": true}
"""


def test_json_lines_are_rows_whatever_keys_they_have(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "raw",
        interactions_jsonl=b"\xef\xbb\xbf" + JSON_LINES.encode() + b'{"user_id": "\xff"}\n',
        products_ndjson='{"product_id": "tea", "name": "Tea"}\n',
    )
    report = run(tmp_path, "ecommerce", folder)
    assert rows_of(tmp_path, "events", "event_type", "user_id", "item_id", "quantity", "price") == [
        ("purchase", "12345678901234567890123", "tea", 1, None),
        ("search", "7", None, 1, None),
        ("view", "7", "tea", 1, None),
    ]
    assert report.events_dropped == {"malformed_row": 2, "not_utf8": 1, "wrong_type": 1}
    assert report.events_in == 7
    assert [text for reason, text in reasons(tmp_path) if reason == "malformed_row"] == [
        "[1, 2]",
        '{"user_id": "7", "product_id": "tea"',
    ]
    (folder / "interactions.jsonl").write_text("\n")
    with pytest.raises(DataRejected, match=r"interactions\.jsonl is empty"):
        run(tmp_path, "ecommerce", folder)


def test_event_types_are_read_whatever_their_case_and_the_blanks_around_them(tmp_path: Path) -> None:
    rows = "".join(
        f"u,tea,{kind},2024-01-01T00:00:00Z\n" for kind in (" Order Completed", "ORDER COMPLETED ", " View ")
    )
    folder = shop(tmp_path, interactions=f"user_id,item_id,event_type,event_timestamp\n{rows}")
    run(tmp_path, "ecommerce", folder, {"event_types": {" order completed": "purchase"}})
    assert rows_of(tmp_path, "events", "event_type") == [("purchase",), ("purchase",), ("view",)]


LISTS: dict[str, str | pa.Table] = {
    "json.jsonl": '{"item_id": "tea", "category": ["A", " B ", null, ""], "title": "[1, 2]", "brand": [7, 1.10]}\n',
    "python.csv": "item_id,category,title,brand\ntea,\"['A', 'B', None]\",\"[1, 2]\",\"[7, 1.10]\"\n",
    "texts.parquet": pa.table({"item_id": ["tea"], "category": ['["A", "B"]'], "title": ["[1, 2]"],
                               "brand": ["[7, 1.10]"]}),
    "arrays.parquet": pa.table({"item_id": ["tea"], "category": [["A", " B", "", None]], "title": ["[1, 2]"],
                                "brand": [["7", "1.10"]]}),
}  # fmt: skip


@pytest.mark.parametrize("separator", ["", ",", "|"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_categories_is_several_in_every_format(tmp_path: Path, name: str, separator: str) -> None:
    folder, content = write(tmp_path / "shop", interactions_csv=INTERACTIONS), LISTS[name]
    if isinstance(content, str):
        (folder / name).write_text(content)
    else:
        pq.write_table(content, folder / name)
    said = {"column": "category", "separator": separator} if separator else "category"
    items = source_of(tmp_path, "ecommerce", folder, {"products": {"file": name, "category": said}}).items
    assert read_rows(items, "category", "title", "brand") == [("A | B", "[1, 2]", "7 | 1.10")]


def test_what_only_looks_like_a_list_stays_as_it_is_written(tmp_path: Path) -> None:
    odd = ["[Sale]", "['A' 'B']", "[[1]]", '[{"a": 1}]', "[", "[]", "[nan]", "A | B"]
    goods = "item_id,category\n" + "".join(
        f'{at},"{text.replace(chr(34), chr(34) * 2)}"\n' for at, text in enumerate(odd)
    )
    items = source_of(tmp_path, "ecommerce", shop(tmp_path, products=goods)).items
    assert [row[1] for row in read_rows(items, "item_id", "category")] == [*odd[:5], None, None, "A | B"]
