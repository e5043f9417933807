"""What `tandem init` makes of the exports of shop programs, whose columns are called like no other's."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from training.ingest.guess.events import meaning
from training.ingest.guess.mapping import guessed_mapping
from training.ingest.guess.parts import joined
from training.ingest.guess.sample import sample

AT = "2024-01-05 10:00:00 +0100"


def guessed(folder: Path, **files: str | bytes) -> tuple[str, Any]:
    """(the text, what it says) of the guess from the files; `orders_csv` is orders.csv."""
    samples = []
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        samples.append(sample(path))
    text = guessed_mapping(joined(samples))
    return text, yaml.safe_load(text)


def test_an_order_of_several_lines_is_known_by_its_blanks(tmp_path: Path) -> None:
    text, found = guessed(tmp_path, orders_csv=(
        "Name,Email,Paid at,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Vendor\n"
        f"#1,a@x,{AT},{AT},1,Tea,2.5,S1,Leaf\n#1,,,,2,Cup,3,S2,Clay\n"
    ))  # fmt: skip
    interactions, products = found["interactions"], found["products"]
    assert found["follow_up_lines"] == "fill"
    assert {name: interactions[name] for name in ("user_id", "item_id", "basket_id", "quantity", "price")} == {
        "user_id": "Email", "item_id": "Lineitem sku", "basket_id": "Name", "quantity": "Lineitem quantity",
        "price": "Lineitem price",
    }  # fmt: skip
    assert (products["title"], products["brand"]) == ("Lineitem name", "Vendor")
    assert 'user_id: "Email"  # ? chosen by its name and values: is it who bought?  # ' in text
    assert "# ?  #" not in text  # each doubt says what it is about


def test_of_several_lists_the_one_with_items_is_opened(tmp_path: Path) -> None:
    event = {
        "event_date": "20240105", "event_timestamp": "1704448800123456", "event_name": "view_item",
        "event_params": [{"key": "page", "value": {"string_value": "x"}}], "user_pseudo_id": "1.2",
        "device": {"category": "mobile"}, "geo": {"country": "JP"},
        "items": [{"item_id": "G1", "item_name": "Hat", "item_category": "Apparel", "price": 2.5, "quantity": 1}],
    }  # fmt: skip
    lines = [event, {**event, "event_name": "scroll", "items": []}]
    text, found = guessed(tmp_path, events_json="\n".join(map(json.dumps, lines)))
    assert found["epoch_unit"] == "us"
    assert found["interactions"] == {
        "file": "events.json", "rows": "items", "user_id": "user_pseudo_id", "item_id": "items.item_id",
        "event_timestamp": "event_timestamp", "event_type": "event_name", "quantity": "items.quantity",
        "price": "items.price",
    }  # fmt: skip
    assert found["event_types"] == {"scroll": "ignore"}
    assert (found["products"]["title"], found["products"]["category"]) == ("items.item_name", "items.item_category")
    assert found["users"]["region"] == "geo.country"
    assert "are basket_without_items. Events without an item are kept where their type needs none" in text


def test_a_list_inside_an_object_is_opened(tmp_path: Path) -> None:
    lines = {"u": {"id": "a"}, "at": AT, "order": {"id": 7, "lines": [{"sku": "s", "qty": 1}]}, "tags": [{"t": 1}]}
    pq.write_table(pa.Table.from_pylist([lines]), tmp_path / "orders.parquet")
    for text in (
        guessed(tmp_path, a_json=json.dumps(lines))[0],
        guessed_mapping([sample(tmp_path / "orders.parquet")]),
    ):
        interactions = yaml.safe_load(text)["interactions"]
        assert [interactions[name] for name in ("rows", "item_id", "basket_id", "quantity")] == [
            "order.lines", "order.lines.sku", "order.id", "order.lines.qty",
        ]  # fmt: skip


def test_the_moment_is_the_one_that_is_not_to_come(tmp_path: Path) -> None:
    text, found = guessed(tmp_path, tickets_csv=(
        "ticket_no,event_id,event_name,event_date,city,buyer_id,purchase_time\n"
        "1,E1,Jazz,2150-01-01,Bern,b,2024-01-04T05:22:53+01:00\n2,E1,Jazz,2150-01-01,Chur,b,2024-01-05T05:22:53+01:00\n"
    ))  # fmt: skip
    interactions = found["interactions"]
    assert (interactions["event_timestamp"], interactions["event_type"]) == ("purchase_time", {"value": "purchase"})
    assert interactions["event_id"] == {"value": ""}
    assert found["products"]["title"] == "event_name"
    assert "users" not in found  # the city is the concert's: a user has several
    assert '# not used: "event_id"  # E1' in text


def test_events_are_named_by_what_they_most_likely_mean(tmp_path: Path) -> None:
    kinds = ["charge", "refund", "failed", "Add to cart", "page view", "product_click", "wishlist", "xyz"]
    means = ["purchase", "return", "ignore", "cart_add", "visit", "view", "like", "ignore"]
    assert [meaning(kind) for kind in kinds] == means
    lines = "".join(f"u,s,{AT},{kind}\n" for kind in kinds)
    _, found = guessed(tmp_path, log_csv="user,sku,at,type\n" + lines)
    assert found["event_types"] == dict(zip(kinds, means, strict=True))
    assert found["returns"] == "cancel"


def test_states_of_orders_that_were_not_bought_are_asked_about(tmp_path: Path) -> None:
    text, found = guessed(tmp_path, log_csv=f"user,sku,at,status\nu,s,{AT},completed\nu,s,{AT},cancelled\n")
    assert found["interactions"]["event_type"] == {"value": "purchase"}
    assert (
        '# ? "status" is completed, cancelled. Are rows with cancelled purchases? If not, say `event_type: "status"`, '
        'and `event_types: {"completed": purchase, "cancelled": ignore}`'
    ) in text


def test_several_items_in_a_cell_are_rows(tmp_path: Path) -> None:
    text, found = guessed(tmp_path, sales_csv=f"customer,at,skus\nu,{AT},a|b\n")
    assert found["interactions"]["rows"] == found["products"]["rows"] == {"column": "skus", "separator": "|"}
    text, found = guessed(tmp_path, sales_csv=f"customer,at,items\nu,{AT},\"[{{'sku': 'a', 'name': 'Tea'}}]\"\n")
    assert (found["interactions"]["item_id"], found["products"]["title"]) == ("items.sku", "items.name")
    php = 'a:1:{i:0;a:1:{s:3:""sku"";s:1:""a"";}}'
    text, found = guessed(tmp_path, sales_csv=f'customer,at,items\nu,{AT},"{php}"\n')
    assert "item_id" not in found["interactions"]
    assert '# ? "items" of sales.csv is written by PHP\'s serialize(), which is not read. Export it by json_enc' in text


def test_a_file_without_names_of_columns_is_known_by_its_first_line(tmp_path: Path) -> None:
    text, _ = guessed(tmp_path, ratings_csv="1::1193::5::978300760\n1::661::3::978302109\n")
    assert "# ? the first line of ratings.csv looks like a row." in text
    assert "looks like a row" not in guessed(tmp_path, sales_csv="1,user,at\nx,y,z\n")[0]


@pytest.mark.parametrize(
    ("part", "pattern"),
    [
        ("date=2024-01-31/a.csv", "date=*"),
        ("year=2024/month=01/day=31/a.csv", "year=*/month=*/day=*"),
        ("sales-2024-01-31.csv", "sales-*.csv"),
        ("20240131/a.csv", "*"),
        ("a.csv", None),
    ],
)
def test_a_day_that_only_the_path_says_is_found(tmp_path: Path, part: str, pattern: str | None) -> None:
    path = tmp_path / "sales" / part
    path.parent.mkdir(parents=True)
    path.write_text("user,sku\nu,s\n")
    interactions = yaml.safe_load(guessed_mapping([sample(tmp_path / "sales")]))["interactions"]
    assert interactions.get("event_timestamp") == (None if pattern is None else {"path": pattern})


def test_a_day_that_only_the_name_of_a_file_says_is_found(tmp_path: Path) -> None:
    _, found = guessed(tmp_path, **{"sales-2024-01-31_csv": "user,sku\nu,s\n"})
    assert found["interactions"]["event_timestamp"] == {"path": "sales-*.csv"}


SALES = "customer,sku,at\nu,s,2024-01-05\n"
GOODS = "sku,name\ns,Tea\n"


@pytest.mark.parametrize(
    ("names", "others", "file"),
    [
        (("sales_2023", "sales_2024"), (), "sales_*.csv"),  # and not sales_202*: 2030 is one, too
        (("sales_jan", "sales_feb", "sales_march"), (), "sales_*.csv"),
        (("jan_sales", "feb_sales"), (), "*_sales.csv"),
        (("january", "february"), (), "*.csv"),
        (("orders", "orders (1)"), ("goods",), "orders*.csv"),  # *.csv would take goods.csv, too
        (("north", "south"), ("path",), "north.csv"),  # there is no name for them alone
        (("sales_2023",), (), "sales_2023.csv"),
    ],
)
def test_files_of_the_same_columns_are_parts_of_one_table(
    tmp_path: Path, names: tuple[str, ...], others: tuple[str, ...], file: str
) -> None:
    files = {f"{name}_csv": SALES for name in names} | {f"{name}_csv": GOODS for name in others}
    text, found = guessed(tmp_path, **files)
    assert found["interactions"]["file"] == file
    assert f"{len(names)} files with the same columns: are they parts of one table?" in text or "*" not in file


def test_parts_stay_apart_where_the_same_name_is_of_other_things(tmp_path: Path) -> None:
    for name, kind in (("a1", pa.string()), ("a2", pa.list_(pa.string()))):
        values = pa.array(["x"] if kind == pa.string() else [["x"]], kind)
        pq.write_table(
            pa.table({"customer": ["u"], "sku": ["s"], "at": [AT], "tags": values}), tmp_path / f"{name}.parquet"
        )
    apart = joined([sample(tmp_path / f"{name}.parquet") for name in ("a1", "a2")])
    assert [one.path.name for one in apart] == ["a1.parquet", "a2.parquet"]


@pytest.mark.parametrize(
    ("texts", "date_format", "asked"),
    [
        (["01/02/19", "13/02/19"], "%d/%m/%y", ""),
        (["1-DEC-09"], "%d-%b-%y", ""),
        (["1/31/2024, 5:03:00 PM"], "%m/%d/%Y, %I:%M:%S %p", ""),
        (["Fri, 05 Jan 2024 11:00:00 +0100"], "%a, %d %b %Y %H:%M:%S %z", ""),
        (["31/Jan/2024:11:00:00 +0100"], "%d/%b/%Y:%H:%M:%S %z", ""),
        (["01/02/2024"], "%m/%d/%Y", "%d/%m/%Y would fit as well"),
        # A spreadsheet of another country has made some of them its own: 01-05-2024 is of January as well.
        (["01-05-2024", "1/13/2024"], "%m-%d-%Y | %m/%d/%Y", "01-05-2024 and 1/13/2024 are written in two ways"),
        (["01-05-2024", "13/1/2024"], "%d-%m-%Y | %d/%m/%Y", "is the month or the day first in each?"),
    ],
)
def test_how_times_are_written_is_known(tmp_path: Path, texts: list[str], date_format: str, asked: str) -> None:
    text, found = guessed(tmp_path, sales_csv="customer;sku;at\n" + "".join(f"u;s;{one}\n" for one in texts))
    assert found["date_format"] == date_format
    assert asked in text


def test_things_without_ids_are_known_by_name(tmp_path: Path) -> None:
    _, found = guessed(tmp_path, till_csv="Member_number,Date,itemDescription\n7,31-12-2024,whole milk\n")
    assert found["interactions"]["item_id"] == "itemDescription"
    assert (found["products"]["item_id"], found["products"]["title"]) == ("itemDescription", "itemDescription")


@pytest.mark.parametrize(
    ("marks", "types"),
    [
        ((3, 5, 4, 1), '{"1": ignore, "3": ignore, "4": like, "5": like}'),
        (("0.5", "10.0", "8.0"), '{"0.5": ignore, "8.0": like, "10.0": like}'),
    ],
)
def test_ratings_are_asked_about(tmp_path: Path, marks: tuple[Any, ...], types: str) -> None:
    rows = "".join(f"u,s{at},{AT},{mark}\n" for at, mark in enumerate(marks))
    text, found = guessed(tmp_path, log_csv=f"user,movie,at,rating\n{rows}")
    assert found["interactions"]["event_type"] == {"value": "purchase"}
    assert f'say `event_type: "rating"`, `event_types: {types}`' in text


@pytest.mark.parametrize("rows", ["u,s,{AT},good\nu,s,{AT},bad\n", "u,s,{AT},5\n", "u,s,{AT},-1\nu,s,{AT},1\n"])
def test_what_is_no_scale_is_no_rating(tmp_path: Path, rows: str) -> None:
    text, _ = guessed(tmp_path, log_csv="user,movie,at,score\n" + rows.format(AT=AT))
    assert "To learn from the good ones" not in text


def test_columns_in_other_languages_are_known(tmp_path: Path) -> None:
    _, found = guessed(
        tmp_path,
        orders_csv="注文番号,顧客ID,商品コード,数量,単価,購入日時\n1,k,s,1,500,2024年1月5日 10時30分\n",
        goods_csv="商品コード,商品名,カテゴリ\ns,茶,飲料\n",
    )
    assert found["date_format"] == "%Y年%m月%d日 %H時%M分"
    assert [found["interactions"][name] for name in ("user_id", "item_id", "event_timestamp", "basket_id")] == [
        "顧客ID", "商品コード", "購入日時", "注文番号",
    ]  # fmt: skip
    assert (found["products"]["file"], found["products"]["title"]) == ("goods.csv", "商品名")
    _, found = guessed(tmp_path, bons_csv="Bonnummer;Kundennr.;Artikelnr.;Bezeichnung;Datum;Menge;Einzelpreis\n"
                                          "1;k;s;Tee;31.12.2024;1;2,50\n")  # fmt: skip
    assert list(found["interactions"].values())[2:] == [
        "Kundennr.", "Artikelnr.", "Datum", {"value": "purchase"}, "Bonnummer", "Menge", "Einzelpreis",
    ]  # fmt: skip


@pytest.mark.parametrize("column", ["price", "discount"])
def test_what_cannot_be_read_and_is_called_like_ours_is_left_out(tmp_path: Path, column: str) -> None:
    text, found = guessed(tmp_path, log_csv=f"user,sku,at,{column}\nu,s,{AT},10%\n")
    assert found["interactions"][column] == {"value": ""}
    assert "'10%' is no number that can be read: export it like 1234.50" in text
