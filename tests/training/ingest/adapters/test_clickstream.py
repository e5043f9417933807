"""Clicks of ten kinds, with a catalogue and title vectors: the exact rows expected."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import NOON, parquet, read_rows, rows_of, run, source_of, write
from training.workspace import Workspace

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
    written = rows_of(tmp_path, "events", "event_type", "item_id")
    assert written == sorted(
        (name, item) for code, name in enumerate(ACTION_NAMES) for item in ["10" if code in (0, 1, 2, 3, 5) else None]
    )
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
    assert not Workspace(tmp_path).ingested("item_vectors").exists()  # the vectors of the run before do not stay


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


def test_prices_of_json_have_a_point_whatever_sign_the_texts_have(tmp_path: Path) -> None:
    goods = [{"product_id": "10", "price": 1.234}, {"product_id": "11", "price": "1.234"}]
    folder = write(
        tmp_path / "raw",
        catalog_jsonl="\n".join(map(json.dumps, goods)),
        actions_csv="user_id,action,date,products\nu,0,2024-01-05T10:00:00Z,10\n",
    )
    items = source_of(tmp_path, "clickstream", folder, {"catalog": {"decimal": ","}}).items
    assert read_rows(items, "item_id", "price") == [("10", 1.234), ("11", 1234.0)]
