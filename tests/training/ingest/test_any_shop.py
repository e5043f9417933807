"""What an export of any shop may look like: each kind of trouble once, with the value that was written."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import mapping_file, read_rows, rows_of, run, source_of, unreadable, write
from training.engine import connect_duckdb
from training.ingest.files.list_text import ids_of
from training.ingest.ingest import ingest, judge_only
from training.settings import Copies, IngestSettings
from training.workspace import Workspace

HEADER = "event_type,user_id,item_id,event_timestamp,basket_id,quantity,price\n"
GOODS = "item_id,title\ntea,Tea\ncup,Cup\n"
AT = "2024-01-05T10:00:00Z"


def shop(root: Path, lines: str, goods: str = GOODS, **more: str | bytes) -> Path:
    return write(root / "shop", interactions_csv=HEADER + lines, products_csv=goods, **more)


def test_only_exact_copies_are_duplicates_and_the_settings_may_keep_them(tmp_path: Path) -> None:
    line = f"purchase,u,tea,{AT},o1,1,2\n"
    others = [line.replace("o1", "o2"), line.replace(",1,2", ",3,2"), line.replace(",1,2", ",1,3")]
    folder = shop(tmp_path, line + "".join(others) + line)
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.events_dropped, report.exact_copies_kept) == (4, {"exact_copy": 1}, 0)
    keep = IngestSettings("ecommerce", str(folder), exact_copies=Copies.KEEP)
    kept = ingest(Workspace(tmp_path), keep, connect_duckdb())
    assert (kept.events_kept, kept.events_dropped, kept.exact_copies_kept) == (5, {}, 1)
    assert len({row[0] for row in rows_of(tmp_path, "events", "event_id")}) == 5


def test_ids_that_join_to_the_same_text_are_two_events(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"purchase,a-b,c,{AT},,,\npurchase,a,b-c,{AT},,,\n", "item_id\nc\nb-c\n")
    assert run(tmp_path, "ecommerce", folder).events_kept == 2


def test_a_buyer_without_a_row_is_a_user_without_a_profile(tmp_path: Path) -> None:
    lines = f"purchase,u1,tea,{AT},,,\npurchase,u2,tea,{AT},,,\n"
    report = run(tmp_path, "ecommerce", shop(tmp_path, lines, users_csv="user_id,region\nu1,north\nu3,south\n"))
    assert (report.users, report.users_not_in_table, report.users_without_profile) == (3, 1, 1)
    assert rows_of(tmp_path, "users", "user_id", "region") == [("u1", "north"), ("u2", None), ("u3", "south")]


@pytest.mark.parametrize("name", ["brand=acme", "stores [12]", "50% #1?", "a::b"])
def test_a_folder_is_what_it_is_called(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    (root / "in").mkdir(parents=True)
    events = {
        "event_type": ["view"],
        "user_id": ["u"],
        "item_id": ["x"],
        "event_timestamp": [datetime(2024, 1, 5, tzinfo=UTC)],
    }
    pq.write_table(pa.table(events), root / "in" / "interactions.parquet")
    pq.write_table(pa.table({"item_id": ["x"], "brand": ["own"]}), root / "in" / "products.parquet")
    report = ingest(Workspace(root), IngestSettings("ecommerce", str(root / "in")), connect_duckdb())
    assert report.events_kept == 1
    with (root / "data" / "ingested" / "items.parquet").open("rb") as file:
        assert pq.read_table(file)["brand"].to_pylist() == ["own"]


def test_a_column_has_its_own_unit_and_a_decimal_comma_is_said(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "shop",
        interactions_csv="event_type;user_id;item_id;at;price\npurchase;u;tea;1704448800000;1.234,50\npurchase;u;tea;1704448800001;1.5\n",
        products_csv="item_id,available_from\ntea,2023-05-01T00:00:00Z\n",
    )
    mapping = {"interactions": {"event_timestamp": {"column": "at", "epoch_unit": "ms"}, "decimal": ","}}
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert rows_of(tmp_path, "events", "event_timestamp", "price") == [(datetime(2024, 1, 5, 10, tzinfo=UTC), 1234.5)]
    assert report.events_dropped == {"wrong_type": 1}  # 1.5 has no decimal comma
    assert rows_of(tmp_path, "items", "available_from") == [(datetime(2023, 5, 1, tzinfo=UTC),)]


def _priced(root: Path, prices: list[str], mapping: dict[str, Any] | None = None) -> Any:
    """(the report, the price of each event that is kept) of events with these texts as prices."""
    lines = "".join(f'purchase,u,tea,{AT},o{at:02},1,"{price}"\n' for at, price in enumerate(prices))
    report = run(root, "ecommerce", shop(root, lines), mapping)
    return report, [price for _, price in rows_of(root, "events", "basket_id", "price")]


def test_money_is_read_where_it_can_be_one_number_alone(tmp_path: Path) -> None:
    either = ["1,234", "$1.234", "1,5", "12.-", "12 kg", "5k", "EUR", "$ -"]
    read = {
        "$1,234.50": 1234.5, "$ 12": 12.0, "12.00 $": 12.0, "1,234,567": 1234567.0, "1 234.50\u00a0$": 1234.5,
        "$.50": 0.5, "1'234.50 $": 1234.5, "7": 7.0,
    }  # fmt: skip
    report, prices = _priced(tmp_path, [*read, *either])
    assert (prices, report.events_dropped) == (list(read.values()), {"wrong_type": len(either)})
    assert [note for note in report.warnings if "currency" in note] == [
        "price names no currency in 2 rows of interactions. They are taken for $, as the others are."
    ]
    german = {"1.234,50 €": 1234.5, "EUR 12": 12.0, "1.234": 1234.0, "1 234,5 euro": 1234.5, ",5": 0.5}
    assert _priced(tmp_path, list(german), {"decimal": ","})[1] == list(german.values())
    assert _priced(tmp_path, ["Rs. 1,23,456", "1,234"], {"decimal": "."})[1] == [123456.0, 1234.0]
    negative = ["(12.00)", "-$12", "$-12", "($12)", "12-", "\u221212"]
    assert _priced(tmp_path, ["1", *negative])[0].events_dropped == {"negative_money": len(negative)}


def test_a_number_of_json_or_parquet_has_a_point_whatever_sign_the_texts_have(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=GOODS)
    (folder / "interactions").mkdir()
    common: dict[str, Any] = {"event_type": "purchase", "item_id": "tea", "event_timestamp": AT}
    amounts = ["1.234", "1.5e1", "-0.0", "7", '"1,5"', '"1.234"', '"2.5"']
    lines = [json.dumps(common | {"user_id": f"j{at}"})[:-1] + f', "price": {one}}}' for at, one in enumerate(amounts)]
    cells = ["1.234,5", "12"]
    rows = [common | {"user_id": f"p{at}", "price": price} for at, price in enumerate([1.234, 1e-7, None])]
    pq.write_table(pa.Table.from_pylist(rows), folder / "interactions" / "a.parquet")
    write(
        folder / "interactions",
        b_jsonl="\n".join(lines),
        c_csv=HEADER + "".join(f'purchase,c{at},tea,{AT},,,"{cell}"\n' for at, cell in enumerate(cells)),
    )
    events = source_of(tmp_path, "ecommerce", folder, {"decimal": ","}).events.to_pyarrow()
    assert read_rows(events, "user_id", "price") == [
        ("c0", 1234.5), ("c1", 12.0), ("j0", 1.234), ("j1", 15.0), ("j2", 0.0), ("j3", 7.0), ("j4", 1.5),
        ("j5", 1234.0), ("p0", 1.234), ("p1", 1e-7), ("p2", None),
    ]  # fmt: skip
    assert unreadable(events) == {"wrong_type": 1}  # the text 2.5 is none with a comma


def test_a_number_inside_of_lists_and_objects_has_a_point_too(tmp_path: Path) -> None:
    lines = [{"sku": "tea", "n": 2.0, "paid": {"eur": 1.234}}, {"sku": "cup", "n": 3, "paid": {"eur": 12.5}}]
    texts = [{"sku": "tea", "n": "2", "paid": {"eur": "1,234"}}]
    mapping = {
        "decimal": ",",
        "interactions": {"rows": "lines", "item_id": "lines.sku", "quantity": "lines.n", "price": "lines.paid.eur",
                         "event_type": {"value": "purchase"}},
    }  # fmt: skip
    cells = [json.dumps(lines).replace('"', '""'), str(lines), json.dumps(texts).replace('"', '""')]
    rows = "".join(f'u,{AT},"{cell}"\n' for cell in cells)
    folder = write(tmp_path / "shop", products_csv=GOODS, interactions_csv=f"user_id,event_timestamp,lines\n{rows}")
    bought = [("cup", 3, 12.5), ("tea", 2, 1.234)]
    events = source_of(tmp_path, "ecommerce", folder, mapping).events
    assert read_rows(events, "item_id", "quantity", "price") == sorted([*bought, *bought, ("tea", 2, 1.234)])
    (folder / "interactions.csv").unlink()
    row = {"user_id": "u", "event_timestamp": AT, "lines": lines}
    pq.write_table(pa.Table.from_pylist([row]), folder / "interactions.parquet")
    events = source_of(tmp_path, "ecommerce", folder, mapping).events
    assert read_rows(events, "item_id", "quantity", "price") == bought


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (["$1", "2 €", "$3"], r"price of interactions is in several currencies: \$ in 2 rows, EUR in 1 rows"),
        (["EUR 1 USD"], "several currencies: EUR in 1 rows, USD in 1 rows.*leave the column out"),
    ],
)
def test_money_in_several_currencies_is_not_added_up(tmp_path: Path, prices: list[str], said: str) -> None:
    with pytest.raises(DataRejected, match=said):
        _priced(tmp_path, prices)


def test_a_column_of_several_currencies_next_to_the_prices_is_named(tmp_path: Path) -> None:
    lines = f"user_id,item_id,event_timestamp,price,Currency\nu,tea,{AT},1,EUR\nv,tea,{AT},1,EUR\nw,cup,{AT},1,USD\n"
    folder = write(tmp_path / "shop", interactions_csv=lines, products_csv=GOODS)
    source = source_of(tmp_path, "ecommerce", folder, {"interactions": {"event_type": {"value": "purchase"}}})
    (said,) = (note for note in source.warnings if "currencies" in note)
    assert said.startswith(
        "Currency of interactions names several currencies: EUR in 2 rows, USD in 1 rows. Prices are"
    )


def test_units_have_no_currency(tmp_path: Path) -> None:
    folder = shop(tmp_path, f'purchase,u,tea,{AT},o1,"1,234,567",1\npurchase,u,tea,{AT},o2,$5,1\n')
    events = source_of(tmp_path, "ecommerce", folder).events.to_pyarrow()
    assert (read_rows(events, "quantity"), unreadable(events)) == ([(1234567,)], {"wrong_type": 1})


def _parts(root: Path, *columns: pa.Array) -> Path:
    folder = write(root / "shop", products_csv="item_id\n1\n2\n")
    (folder / "interactions").mkdir()
    for number, items in enumerate(columns):
        rows = {"event_type": ["view"], "user_id": [f"u{number}"], "event_timestamp": ["2024-01-05T10:00:00Z"]}
        pq.write_table(pa.table({**rows, "item_id": items}), folder / "interactions" / f"{number}.parquet")
    return folder


def test_parts_may_differ_in_type(tmp_path: Path) -> None:
    kinds = [pa.array([1]), pa.array([2.0]), pa.array(["1"]), pa.nulls(1), pa.array([b"2"]), pa.array([1], pa.int8())]
    folder = _parts(tmp_path, *kinds)
    (folder / "interactions" / "6.csv").write_text(f"event_type,user_id,item_id,event_timestamp\nview,u6,2.0,{AT}\n")
    report = run(tmp_path, "ecommerce", folder)
    assert rows_of(tmp_path, "events", "user_id", "item_id") == [
        ("u0", "1"), ("u1", "2"), ("u2", "1"), ("u4", "2"), ("u5", "1"), ("u6", "2"),
    ]  # fmt: skip
    assert report.events_dropped == {"missing_id": 1}


def test_parts_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=GOODS)
    write(
        folder / "interactions",
        a_csv=f"user_id,item_id,event_type,event_timestamp\nu1,tea,view,{AT}\nu2,tea,view,{AT}\n",
        b_csv=f"price,event_timestamp,event_type,item_id,user_id,quantity\n2.5,{AT},purchase,cup,u3,2\n",
        c_jsonl=json.dumps({"user_id": "u4", "item_id": "tea", "event_type": "view", "event_timestamp": AT}),
    )
    at = datetime(2024, 1, 5, 10, tzinfo=UTC)
    row = {"price": 4.5, "user_id": "u5", "event_type": "purchase", "item_id": "cup", "event_timestamp": at}
    pq.write_table(pa.Table.from_pylist([row]), folder / "interactions" / "d.parquet")
    source = source_of(tmp_path, "ecommerce", folder)
    assert read_rows(source.events, "user_id", "item_id", "event_type", "quantity", "price") == [
        ("u1", "tea", "view", 1, None), ("u2", "tea", "view", 1, None), ("u3", "cup", "purchase", 2, 2.5),
        ("u4", "tea", "view", 1, None), ("u5", "cup", "purchase", 1, 4.5),
    ]  # fmt: skip
    notes = sorted(note for note in source.warnings if "no such column" in note)
    assert notes == [  # a line of JSON has only the keys that it needs
        "2 rows of interactions have no price: interactions/a.csv has no such column. It is null there.",
        "3 rows of interactions have no quantity: 2 parts, interactions/a.csv first, have no such column. "
        "It is null there.",
    ]


@pytest.mark.parametrize("column", ["at", "clock", "buyer"])
def test_a_part_that_lacks_what_is_needed_is_refused_and_not_read_as_midnight(tmp_path: Path, column: str) -> None:
    rows = {"at": ["2024-01-05"], "clock": ["10:00"], "item_id": ["tea"], "buyer": [{"id": "u"}]}
    folder = write(tmp_path / "shop", products_csv=GOODS)
    (folder / "interactions").mkdir()
    for part in ("a", "b"):
        pq.write_table(pa.table(rows), folder / "interactions" / f"{part}.parquet")
        rows = {("buyers" if name == column else name): value for name, value in rows.items() if part == "a"}
    mapping = {
        "event_timestamp": {"column": "at", "time": "clock"},
        "user_id": "buyer.id",
        "event_type": {"value": "view"},
    }
    said = rf"interactions needs the column '{column}' in each part, and interactions/b\.parquet has none"
    with pytest.raises(DataRejected, match=said + (r" \(did you mean 'buyers'\?\)" if column == "buyer" else "")):
        run(tmp_path, "ecommerce", folder, {"time_zone": "UTC", "interactions": mapping})


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("date={:%Y-%m-%d}/part-0.csv", {"path": "date=*"}),
        ("{:%Y-%m-%d}/part-0.csv", {"path": "interactions/*"}),
        ("export_{:%Y%m%d}.csv", {"path": "export_*.csv", "date_format": "%Y%m%d"}),
        ("year={:%Y}/month={:%m}/day={:%d}/a.csv", {"path": "year=*/month=*/day=*"}),
    ],
)
def test_a_day_that_stands_in_the_path_alone_is_read_from_it(tmp_path: Path, name: str, said: dict[str, str]) -> None:
    folder = write(tmp_path / "date=1999-09-09", products_csv=GOODS)  # above the source's folder, which says nothing
    for day in (5, 6):
        path = folder / "interactions" / name.format(*[datetime(2024, 1, day, tzinfo=UTC)] * 3)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("user_id,item_id,event_type,clock\nu,tea,view,10:00\n")
    mapping = {"time_zone": "UTC", "interactions": {"event_timestamp": said}}
    events = source_of(tmp_path, "ecommerce", folder, mapping).events.to_pyarrow()
    days = [datetime(2024, 1, 5, tzinfo=UTC), datetime(2024, 1, 6, tzinfo=UTC)]
    assert ([row[0] for row in read_rows(events, "event_timestamp")], unreadable(events)) == (days, {})


def test_what_the_path_lacks_is_named_and_a_refusal_says_how_it_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=GOODS)
    write(folder / "interactions", views_csv=f"user_id,item_id,event_timestamp\nu,tea,{AT}\n")
    mapping = {"interactions": {"event_type": {"path": "*.csv"}}, "event_types": {"views": "view"}}
    assert read_rows(source_of(tmp_path, "ecommerce", folder, mapping).events, "event_type") == [("view",)]
    for pattern in ("date=*", "views.csv", "iew*.csv"):
        with pytest.raises(DataRejected, match=r"interactions/views\.csv has no folder and no name like"):
            run(tmp_path, "ecommerce", folder, {"interactions": {"event_type": {"path": pattern}}})
    with pytest.raises(InvalidInput, match=r"`event_type: \{path: \"date=\*\"\}`"):
        run(tmp_path, "ecommerce", folder)


def test_a_line_of_totals_is_no_user_and_no_product(tmp_path: Path) -> None:
    totals = ["Summe,,,,,14", ",Grand Total:,,,2,14", "c1 Total,,,,,14", "350,12,Total,,,14"]
    header = "customer,sku,at,name,units,amount\n"
    rows = f"c1,tea,{AT},Tea,1,7\nTotal,sum,{AT},,,\n"  # both are what somebody calls a user and a product
    folder = write(tmp_path / "shop", orders_csv="\n".join([header + rows, *totals]))
    names = {"file": "orders", "item_id": "sku"}
    events = {**names, "user_id": "customer", "event_timestamp": "at", "event_type": {"value": "purchase"}}
    products = {**names, "title": "name", "repeated": "most_frequent"}
    users = {"file": "orders", "user_id": "customer", "repeated": "most_frequent"}
    both: dict[str, Any] = {"interactions": events, "products": products}
    for mapping in (both, both | {"users": users}):
        report = run(tmp_path, "ecommerce", folder, mapping, share=0.01)
        assert (report.events_kept, report.events_dropped) == (2, {"totals_row": len(totals)})
        assert rows_of(tmp_path, "users", "user_id") == [("Total",), ("c1",)]
        assert rows_of(tmp_path, "items", "item_id") == [("sum",), ("tea",)]


def test_a_row_without_a_time_is_no_line_of_totals_because_of_a_products_name(tmp_path: Path) -> None:
    lines = f"user_id,item_id,event_timestamp,name,price\nc1,tea,{AT},Tea,7\nc2,tea,,Colgate Total,3\n"
    folder = write(tmp_path / "shop", interactions_csv=lines, products_csv=GOODS)
    report = run(tmp_path, "ecommerce", folder, {"interactions": {"event_type": {"value": "purchase"}}})
    assert report.events_dropped == {"missing_timestamp": 1}


def test_a_header_in_the_middle_is_no_user_and_no_product(tmp_path: Path) -> None:
    lines = [f"purchase,u{at},tea,{AT},,,\n" for at in range(2)]
    folder = shop(tmp_path, HEADER.join(lines), GOODS + GOODS.splitlines(keepends=True)[0])
    report = run(tmp_path, "ecommerce", folder, share=0.0)
    assert (report.events_kept, report.events_dropped) == (2, {"repeated_header": 1})
    assert report.profiles_dropped == {"items": {"repeated_header": 1}}
    assert rows_of(tmp_path, "users", "user_id") == [("u0",), ("u1",)]
    assert rows_of(tmp_path, "items", "item_id") == [("cup",), ("tea",)]


def test_a_line_of_totals_in_a_list_of_products_is_none_and_a_product_called_total_is_one(tmp_path: Path) -> None:
    goods = "item_id,title,brand,price\ntea,Tea,,7\nTotal,Whitening,,3\nsum,,acme,1\ntotal,,,11\n"
    folder = shop(tmp_path, f"purchase,u,tea,{AT},,,\npurchase,u,Total,{AT},,,\n", goods)
    report = run(tmp_path, "ecommerce", folder, share=0.01)
    assert (report.events_kept, report.profiles_dropped) == (2, {"items": {"totals_row": 1}})
    assert rows_of(tmp_path, "items", "item_id") == [("Total",), ("sum",), ("tea",)]


def test_parts_with_lists_and_without_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"differ in the type of item_id: array<string> in interactions/0\.parquet"):
        run(tmp_path, "ecommerce", _parts(tmp_path, pa.array([["1"]]), pa.array(["1"])))


def test_text_columns_of_parquet_keep_their_value(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"view,u,1,{AT},,,\n")
    (folder / "products.csv").unlink()
    broken = b"\xff\xfe"
    rows = {
        "item_id": [1.0, 2.0, 3.0],
        "package_size": [0.5, 2.0, None],
        "title": ["Käse".encode(), "日本".encode(), broken],
    }
    pq.write_table(pa.table(rows), folder / "products.parquet")
    report = run(tmp_path, "ecommerce", folder)
    assert rows_of(tmp_path, "items", "item_id", "package_size", "title") == [("1", "0.5", "Käse"), ("2", "2", "日本")]
    assert report.profiles_dropped == {"items": {"not_utf8": 1}}
    assert rows_of(tmp_path, "quarantine_items", "raw") == [("title=\\xff\\xfe",)]


def test_text_that_is_no_utf8_costs_its_row_where_parquet_says_it_is(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv="item_id\n1\n")
    users = pa.array([b"u1", b"u\xff"]).cast(pa.binary()).view(pa.string())
    rows = {"event_type": ["view"] * 2, "item_id": ["1"] * 2, "event_timestamp": [AT] * 2}
    pq.write_table(pa.table({**rows, "user_id": users}), folder / "interactions.parquet")
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.events_dropped) == (1, {"not_utf8": 1})


def test_moments_out_of_range_are_quarantined(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv="item_id\n1\n")
    times = pa.array([1704448800000, 2**62, -(2**62)], pa.timestamp("ms", "UTC"))
    rows = {"event_type": ["view"] * 3, "item_id": ["1"] * 3, "user_id": ["a", "b", "c"], "event_timestamp": times}
    pq.write_table(pa.table(rows), folder / "interactions.parquet")
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.events_dropped) == (1, {"wrong_type": 2})


def test_one_bad_line_of_json_costs_itself(tmp_path: Path) -> None:
    good = {"event_type": "purchase", "user_id": "u", "item_id": "tea", "event_timestamp": AT}
    lines = [
        json.dumps(good),
        json.dumps(good | {"user_id": "v"})[:-1] + ', "x": ' + "[" * 5000 + "]" * 5000 + "}",
        json.dumps(good | {"user_id": "w"})[:-1] + ', "quantity": ' + "9" * 5000 + "}",
    ]
    folder = write(
        tmp_path / "shop",
        interactions_jsonl="\n".join(lines),
        products_jsonl='{"item_id": "tea", "title": "cut \\ud83c"}',
    )
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.events_dropped) == (1, {"malformed_row": 1, "wrong_type": 1})
    assert rows_of(tmp_path, "items", "title") == [("cut \ufffd",)]


def test_blanks_alone_name_nobody(tmp_path: Path) -> None:
    lines = f"view, ,tea,{AT},,,\nview,\t,tea,{AT},,,\nview,u 1,tea,{AT},  ,,\n"
    folder = shop(tmp_path, lines, goods=GOODS.replace("Cup", " "))
    report = run(tmp_path, "ecommerce", folder, {"guests": "ignore"})
    assert rows_of(tmp_path, "events", "user_id", "basket_id") == [("u 1", None)]
    assert report.events_dropped == {"guest": 2}
    assert rows_of(tmp_path, "items", "title") == [("Tea",), (None,)]
    assert run(tmp_path, "ecommerce", folder, share=1).events_kept == 1


def test_old_macs_end_lines_with_a_carriage_return(tmp_path: Path) -> None:
    lines = f"view,u1,tea,{AT},,,\nview,u2,tea,{AT},,,\n"
    folder = shop(tmp_path, "")
    (folder / "interactions.csv").write_bytes((HEADER + lines).replace("\n", "\r").encode())
    assert read_rows(source_of(tmp_path, "ecommerce", folder).events, "user_id") == [("u1",), ("u2",)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("sku 2", ["sku 2"]),
        ("[sku 2, ü-5]", ["sku 2", "ü-5"]),
        ("it'm", ["it'm"]),
        ("x[1]", ["x[1]"]),
        ('["a, b", 7, null]', ["a, b", "7", None]),
        ("['a b', 'c']", ["a b", "c"]),
        ("a,b", ["a", "b"]),
        ('5" pipe, x', ['5" pipe', "x"]),
        ("[]", []),
        ("", []),
    ],
)
def test_lists_of_ids_are_taken_apart_and_ids_are_not(text: str, ids: list[str | None]) -> None:
    assert ids_of(text) == ids


def test_an_item_that_an_order_lists_twice_is_two_units(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "raw",
        catalog_csv="product_id\n10\n11\n",
        actions_csv=f'user_id,loc_user_id,action,date,products,pageId\nu,,5,{AT},"[10, 10, 11]",p\n',
    )
    events = source_of(tmp_path, "clickstream", folder).events
    assert read_rows(events, "item_id", "quantity") == [("10", 1), ("10", 1), ("11", 1)]


def test_returns_take_their_units_off_what_was_bought(tmp_path: Path) -> None:
    day = "2024-01-0{}T10:00:00Z".format
    lines = [
        f"purchase,u,tea,{day(1)},1,5,2",
        f"purchase,u,tea,{day(2)},2,3,2",
        f"purchase,u,tea,{day(3)},C3,-4,2",
        f"purchase,u,tea,{day(4)},4,1,2",
        f"purchase,v,cup,{day(5)},C5,-1,2",
        f"purchase,,cup,{day(5)},6,1,2",
    ]
    folder = shop(tmp_path, "\n".join(lines) + "\n")
    policy = {"returns": "cancel", "return_prefix": "C", "guests": "ignore"}
    report = run(tmp_path, "ecommerce", folder, policy, share=0.0)
    # The four units that came back on day 3 were the three of day 2 and one of the five of day 1.
    assert rows_of(tmp_path, "events", "basket_id", "quantity") == [("1", 4), ("4", 1)]
    assert report.events_dropped == {"guest": 1, "return": 2, "returned": 1}
    assert report.units_returned == 4
    ignored = run(tmp_path, "ecommerce", folder, policy | {"returns": "ignore"}, share=0.0)
    assert (ignored.events_kept, ignored.events_dropped) == (3, {"guest": 1, "return": 2})


def test_a_return_that_has_no_place_in_the_log_takes_nothing_back(tmp_path: Path) -> None:
    at_fault = {
        "after_last_day": "2024-01-09T10:00:00Z",
        "missing_timestamp": "",
        "timestamp_before_1970": "1969-01-01T10:00:00Z",
        "timestamp_in_future": "2999-01-01T10:00:00Z",
    }
    lines = [
        f"purchase,{reason},tea,{AT},1,1,2\npurchase,{reason},tea,{when},2,-1,2\n" for reason, when in at_fault.items()
    ]
    folder = shop(tmp_path, "".join(lines))
    mapping = mapping_file(tmp_path, {"returns": "cancel"})
    settings = IngestSettings("ecommerce", str(folder), mapping, max_dropped_share=1, last_day="2024-01-08")
    report = ingest(Workspace(tmp_path), settings, connect_duckdb())
    assert rows_of(tmp_path, "events", "user_id", "quantity") == [(user, 1) for user in at_fault]
    assert rows_of(tmp_path, "quarantine", "user_id", "reason") == [(user, user) for user in at_fault]
    assert (report.events_kept, report.events_dropped, report.units_returned) == (4, dict.fromkeys(at_fault, 1), 0)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"returns": "burn"}, "returns is 'burn', expected ignore or cancel"),
        ({"return_prefix": "C"}, "say with returns"),
        ({"guests": "greet"}, "guests is 'greet', expected ignore"),
        ({"event_types": {"buy": "purchased"}}, "maps to unknown event types: buy: purchased. There are view, like"),
        ({"products": {"repeated": "first"}}, "repeated is 'first', expected latest"),
        ({"interactions": {"decimal": ";"}}, "decimal is ';', expected"),
    ],
)
def test_a_policy_that_there_is_not_is_refused(tmp_path: Path, mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(tmp_path, "ecommerce", shop(tmp_path, f"purchase,u,tea,{AT},1,1,2\n"), mapping)


@pytest.mark.parametrize(("how", "title"), [("most_frequent", "Tea"), ("latest", "TEA!")])
def test_products_and_users_may_be_in_the_file_of_the_events(tmp_path: Path, how: str, title: str) -> None:
    lines = "when,who,what,name\n2024-01-01,u,tea,Tea\n2024-01-02,u,tea,Tea\n2024-01-03,v,tea,TEA!\n"
    folder = write(tmp_path / "shop", invoices_csv=lines)
    shared = {"file": "invoices.csv", "item_id": "what"}
    events = {**shared, "event_type": {"value": "purchase"}, "user_id": "who", "event_timestamp": "when"}
    goods = {**shared, "title": "name", "repeated": how, "latest_by": "when"}
    mapping = {"time_zone": "UTC", "interactions": events, "products": goods}
    source = source_of(tmp_path, "ecommerce", folder, mapping)
    assert read_rows(source.items, "item_id", "title") == [("tea", title)]
    assert (len(read_rows(source.events)), source.repeats_folded) == (3, {"items": 2})


def test_a_list_in_a_column_is_several_categories(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"view,u,tea,{AT},,,\n", "item_id,genres\ntea,Animation|Comedy||\ncup,\n")
    source = source_of(
        tmp_path, "ecommerce", folder, {"products": {"category": {"column": "genres", "separator": "|"}}}
    )
    assert read_rows(source.items, "item_id", "category") == [("cup", None), ("tea", "Animation | Comedy")]


def test_ids_longer_than_can_be_asked_for_are_quarantined(tmp_path: Path) -> None:
    long, fits = "u" * 129, "u" * 128
    lines = f"view,{long},tea,{AT},,,\nview,{fits},tea,{AT},,,\n"
    report = run(tmp_path, "ecommerce", shop(tmp_path, lines, f"item_id,brand\ntea,b\n{long},b\ncup,{'b' * 257}\n"))
    assert report.events_dropped == {"id_too_long": 1}
    assert report.profiles_dropped == {"items": {"id_too_long": 1, "text_too_long": 1}}


def test_a_time_of_0_is_named(tmp_path: Path) -> None:
    lines = "purchase,u,tea,1970-01-01T00:00:00Z,,,\n"
    lines += "".join(f"purchase,u{at},tea,2024-01-01T00:00:00Z,,,\n" for at in range(9))
    (warning,) = run(tmp_path, "ecommerce", shop(tmp_path, lines)).warnings
    assert warning.startswith("1 of 10 events have the time 1970-01-01T00:00")
    lines = lines.replace("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z")
    assert run(tmp_path, "ecommerce", shop(tmp_path, lines)).warnings == ()


def test_a_stray_late_date_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    lines = "".join(f"purchase,u{day},tea,2024-01-{day:02}T10:00:00Z,,,\n" for day in range(1, 29))
    folder = shop(tmp_path, lines + "purchase,u,tea,2025-06-01T10:00:00Z,,,\n")
    report = run(tmp_path, "ecommerce", folder)
    assert report.last_event == "2025-06-01T10:00:00+00:00"
    (warning,) = report.warnings
    assert "The last 1 of 29 events lie 490 days after all others, from 2025-06-01 on" in warning
    settings = IngestSettings("ecommerce", str(folder), last_day="2024-01-28")
    left_out = ingest(Workspace(tmp_path), settings, connect_duckdb())
    assert (left_out.events_dropped, left_out.warnings) == ({"after_last_day": 1}, ())
    with pytest.raises(InvalidInput, match=r"ingest\.last_day is 'soon', expected a day"):
        ingest(Workspace(tmp_path), IngestSettings("ecommerce", str(folder), last_day="soon"), connect_duckdb())


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"view,u,tea,{AT},,,\n")
    assert judge_only(IngestSettings("ecommerce", str(folder)), connect_duckdb()).events_kept == 1
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_a_refused_dry_run_names_no_file_that_it_has_not_written(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"purchase,u,tea,{AT},,,\npurchase,u,tea,yesterday,,,\n")
    with pytest.raises(
        DataRejected, match=r"1 of 2 .*`tandem ingest` without --dry-run leaves them in quarantine\.par"
    ):
        judge_only(IngestSettings("ecommerce", str(folder)), connect_duckdb())
    with pytest.raises(DataRejected, match=r"1 of 2 .*Look at quarantine\.parquet in data/ingested\. Mend"):
        ingest(Workspace(tmp_path), IngestSettings("ecommerce", str(folder)), connect_duckdb())
    assert Workspace(tmp_path).ingested("quarantine").exists()
    folder = shop(tmp_path, f"purchase,u,tea,{AT},,,\n", "item_id,price\ntea,2\ncup,much\n")
    with pytest.raises(DataRejected, match=r"1 of 2 rows of items .* leaves them in quarantine_items\.parquet"):
        judge_only(IngestSettings("ecommerce", str(folder)), connect_duckdb())


def test_a_refusal_names_the_column_that_could_not_be_read(tmp_path: Path) -> None:
    lines = "".join(f"purchase,u,tea,{AT},o{k},1,2.50/kg\n" for k in range(3)) + f"purchase,u,tea,{AT},o9,some,1\n"
    with pytest.raises(DataRejected, match=r"One of wrong_type \(column price, 3 of them\): .*2\.50/kg\. .*currency"):
        run(tmp_path, "ecommerce", shop(tmp_path, lines), share=0.5)
    assert rows_of(tmp_path, "quarantine", "wrong_column") == [("price",), ("price",), ("price",), ("quantity",)]
    goods = "item_id,price\ntea,2\ncup,much\n"
    good = f"purchase,u,tea,{AT},,,\n"
    for mapping in ({}, {"products": {"repeated": "most_frequent"}}):
        with pytest.raises(DataRejected, match=r"items .*One of wrong_type \(column price, 1 of them\): .*price=much"):
            run(tmp_path, "ecommerce", shop(tmp_path, good, goods), mapping, share=0.1)


def test_exact_copies_that_are_dropped_are_a_note_with_the_setting_that_keeps_them(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", shop(tmp_path, f"purchase,u,tea,{AT},o1,1,2\n" * 3))
    assert [note for note in report.warnings if "repeat another row in everything: 2." in note and "keep`" in note]


def test_a_day_and_a_clock_in_two_columns_are_one_moment(tmp_path: Path) -> None:
    lines = "05.01.2024;17:18\n06.01.2024;\n;09:00\n07.01.2024;late\n"
    text = "user_id;item_id;Datum;Uhrzeit\n" + "".join(f"u;tea;{line}\n" for line in lines.split())
    folder = write(tmp_path / "shop", interactions_csv=text, products_csv=GOODS)
    moment = {"column": "Datum", "time": "Uhrzeit", "date_format": "%d.%m.%Y %H:%M"}
    mapping = {
        "time_zone": "Europe/Berlin",
        "interactions": {"event_type": {"value": "purchase"}, "event_timestamp": moment},
    }
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert rows_of(tmp_path, "events", "event_timestamp") == [(datetime(2024, 1, 5, 16, 18, tzinfo=UTC),)]
    assert report.events_dropped == {"missing_timestamp": 1, "wrong_type": 2}  # a day alone is not in the format
    moment["time"] = "Zeit"
    with pytest.raises(
        InvalidInput, match=r"interactions\.event_timestamp\.time is mapped to 'Zeit'; .* Datum, Uhrzeit"
    ):
        run(tmp_path, "ecommerce", folder, mapping)


@pytest.mark.parametrize("column", ["quantity", "event_timestamp"])
def test_a_number_beyond_all_bounds_costs_its_own_row_alone(tmp_path: Path, column: str) -> None:
    numbers = ["1e30", "-1e30", "1e99", "9" * 19, "9" * 30, "9" * 300, "1e400", "-" + "9" * 30]
    good = {"event_timestamp": "1704448800", "quantity": "1"}
    rows = {"good": good} | {f"with {number[:6]} of {len(number)}": good | {column: number} for number in numbers}
    lines = "".join(f"purchase,{user},tea,{row['event_timestamp']},,{row['quantity']},\n" for user, row in rows.items())
    report = run(tmp_path, "ecommerce", shop(tmp_path, lines), {"epoch_unit": "s"})
    assert rows_of(tmp_path, "events", "user_id", "quantity") == [("good", 1)]
    assert sum(report.events_dropped.values()) == len(numbers) == len(rows) - 1


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array([1e300, 13085.0, 1.5]), ["13085", "1.5", "1e+300"]),
        (pa.array([2**64 - 1, 7, 8], pa.uint64()), ["18446744073709551615", "7", "8"]),
    ],
)
def test_ids_that_are_huge_numbers_stop_nothing(tmp_path: Path, values: pa.Array, ids: list[str]) -> None:
    folder = write(tmp_path / "shop", products_csv=GOODS)
    columns = {"event_type": ["view"] * 3, "item_id": ["tea"] * 3, "event_timestamp": [AT] * 3}
    pq.write_table(pa.table({**columns, "user_id": values, "quantity": values}), folder / "interactions.parquet")
    assert run(tmp_path, "ecommerce", folder, {"interactions": {"quantity": {"value": "1"}}}).events_kept == 3
    assert rows_of(tmp_path, "events", "user_id") == [(one,) for one in sorted(ids)]
    report = run(tmp_path, "ecommerce", folder)  # now of units
    assert report.events_dropped["wrong_type"] == 3 - report.events_kept


def test_a_row_without_the_id_that_others_have_is_known_by_its_content(tmp_path: Path) -> None:
    line = f"purchase,u,tea,{AT},o1,1,2\n"
    lines = f"e1,{line}e1,{line},{line},{line},{line.replace('o1', 'o2')}"
    folder = write(tmp_path / "shop", interactions_csv="event_id," + HEADER + lines, products_csv=GOODS)
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.events_dropped) == (3, {"duplicate_event_id": 1, "exact_copy": 1})


@pytest.mark.parametrize(
    ("said", "delimiter"), [("sep=;\r\n", ";"), ("\ufeffSEP=|\n\n", "|"), ("sep=\t\n", "\t"), ("sep=,\n", ",")]
)
def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path, said: str, delimiter: str) -> None:
    text = said + (HEADER + f"purchase,u,tea,{AT},,1,2\n").replace(",", delimiter)
    folder = write(tmp_path / "shop", interactions_csv=text, products_csv=GOODS)
    assert read_rows(source_of(tmp_path, "ecommerce", folder).events, "item_id", "price") == [("tea", 2.0)]


def test_a_refusal_names_the_column_that_breaks_a_rule(tmp_path: Path) -> None:
    lines = f"purchase,,tea,{AT},,,\npurchase,u,,{AT},,,\npurchase,v,,{AT},,,\n"
    with pytest.raises(DataRejected, match=r"One of missing_id \(column item_id, 2 of them\): .*user_id=[uv]"):
        run(tmp_path, "ecommerce", shop(tmp_path, lines))
    many = f"purchase,{'u' * 200},tea,{AT},,,\n"
    with pytest.raises(DataRejected, match=r"One of id_too_long \(column user_id, 1 of them\): "):
        run(tmp_path, "ecommerce", shop(tmp_path, many))
    with pytest.raises(DataRejected, match=r"One of item_not_in_catalogue: event_id="):
        run(tmp_path, "ecommerce", shop(tmp_path, f"purchase,u,pot,{AT},,,\n"))


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("view", "view"), ["features: `target: view`."]),
        (("view", "like"), ["features: `target: like`."]),
        (("hide", "hide"), ["Nor is there an event that could stand for it: like, cart_add, view."]),
        (("view", "purchase"), []),
    ],
)
def test_a_log_without_purchases_is_a_note_with_the_event_that_it_has(
    tmp_path: Path, kinds: tuple[str, ...], said: list[str]
) -> None:
    report = run(
        tmp_path, "ecommerce", shop(tmp_path, "".join(f"{kind},u,tea,{AT},{n},,\n" for n, kind in enumerate(kinds)))
    )
    assert len(report.warnings) == len(said)
    assert all(note.endswith(end) for note, end in zip(report.warnings, said, strict=True))


def test_the_last_day_of_all_is_refused(tmp_path: Path) -> None:
    folder = shop(tmp_path, f"purchase,u,tea,{AT},,,\n")
    for day in ("9999-12-31", "yesterday"):
        with pytest.raises(InvalidInput, match=rf"last_day is '{day}', expected a day like"):
            ingest(Workspace(tmp_path), IngestSettings("ecommerce", str(folder), last_day=day), connect_duckdb())


def test_prices_beyond_what_features_can_sum_are_left_out(tmp_path: Path) -> None:
    lines = "".join(
        f"purchase,u{n},tea,{AT},,1,{price}\n" for n, price in enumerate(("1e12", "1000000000001", "1e300"))
    )
    report = run(tmp_path, "ecommerce", shop(tmp_path, lines, "item_id,price\ntea,1e12\npot,1e13\n"))
    assert report.events_dropped == {"money_too_large": 2}
    assert report.profiles_dropped == {"items": {"money_too_large": 1}}
