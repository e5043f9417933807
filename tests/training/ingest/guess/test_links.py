"""Exports of a database, in which lines have their order, and items their category, in files of their own."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from training.ingest.guess.mapping import guessed_mapping
from training.ingest.guess.sample import sample

LINES = "InvoiceLineId,InvoiceId,TrackId,UnitPrice,Quantity\n1,7,1,0.99,1\n2,7,2,0.99,1\n3,8,1,0.99,1\n"
ORDERS = "InvoiceId,CustomerId,InvoiceDate,Total\n8,3,2009-01-02 00:00:00,0.99\n7,2,2009-01-01 00:00:00,1.98\n"
TRACKS = "TrackId,Name,GenreId,ZoneCode\n1,Rock it,5,X\n2,Wave,6,Y\n"
GENRES = "GenreId,Name\n5,Rock\n6,Jazz\n"


def guessed(folder: Path, **files: str) -> tuple[str, Any]:
    samples = []
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
        samples.append(sample(folder / f"{name}.csv"))
    text = guessed_mapping(samples)
    return text, yaml.safe_load(text)


def test_lines_are_joined_with_their_orders_and_items_with_their_genre(tmp_path: Path) -> None:
    text, found = guessed(tmp_path, Genre=GENRES, Invoice=ORDERS, InvoiceLine=LINES, Track=TRACKS)
    assert found["interactions"] == {
        "file": "InvoiceLine.csv",
        "join": {"order": {"file": "Invoice.csv", "by": "InvoiceId"}},
        "user_id": "order.CustomerId",
        "item_id": "TrackId",
        "event_timestamp": "order.InvoiceDate",
        "event_type": {"value": "purchase"},
        "basket_id": "InvoiceId",
        "quantity": "Quantity",
        "price": "UnitPrice",
    }
    assert found["products"]["join"] == {"genre": {"file": "Genre.csv", "by": "GenreId"}}
    assert (found["products"]["title"], found["products"]["category"]) == ("Name", "genre.Name")
    assert "is not used: it has" not in text


def test_what_a_joined_file_names_is_joined_too(tmp_path: Path) -> None:
    kinds = "KindKey,KindName,GroupKey\n5,Tyres,1\n6,Caps,2\n"
    _, found = guessed(
        tmp_path,
        groups="GroupKey,CategoryName\n1,Parts\n2,Clothing\n",
        kinds=kinds.replace("KindName", "SubcategoryName"),
        products="ProductKey,ProductName,KindKey\n1,Tyre 26,5\n2,Cap,6\n",
        sales="CustomerKey,ProductKey,OrderDate\n1,1,2024-01-05\n1,2,2024-01-06\n",
    )
    assert found["products"]["join"] == {
        "kinds": {"file": "kinds.csv", "by": "KindKey"},
        "groups": {"file": "groups.csv", "by": "kinds.GroupKey", "key": "GroupKey"},
    }
    assert found["products"]["category"] == "groups.CategoryName"


def test_a_file_of_which_nothing_is_read_is_not_joined(tmp_path: Path) -> None:
    """Each value is there once, but it says nothing that Tandem knows."""
    text, found = guessed(
        tmp_path, zones="ZoneCode,Founded\nX,1901\nY,1902\n", Track=TRACKS, Invoice=ORDERS, InvoiceLine=LINES
    )
    assert "join" not in found["products"]
    assert "zones.csv is not used: it has" in text


def test_a_file_in_which_a_key_is_there_twice_is_not_joined(tmp_path: Path) -> None:
    twice = ORDERS + "7,4,2009-01-05 00:00:00,1\n"
    _, found = guessed(tmp_path, Invoice=twice, InvoiceLine=LINES, Track=TRACKS)
    assert "join" not in found["interactions"]


def test_a_bare_id_is_of_what_its_file_holds(tmp_path: Path) -> None:
    """As frameworks name the keys of their tables; ids of two files are no key of each other."""
    _, found = guessed(
        tmp_path,
        categories="id,name\n5,Drinks\n6,China\n",
        customers="id,email,city\n1,a@x,Paris\n2,b@x,Rome\n",
        order_items="id,order_id,product_id,price\n1,7,1,2.5\n2,7,2,3\n3,8,1,2.5\n",
        orders="id,customer_id,created_at\n7,1,2024-01-05 10:00:00\n8,2,2024-01-06 11:00:00\n",
        products="id,name,category_id\n1,Tea,5\n2,Cup,6\n",
    )
    assert found["interactions"]["join"] == {"order": {"file": "orders.csv", "by": "order_id", "key": "id"}}
    assert found["interactions"]["item_id"] == "product_id"
    products, users = found["products"], found["users"]
    assert products["join"] == {"categories": {"file": "categories.csv", "by": "category_id", "key": "id"}}
    assert (products["file"], products["item_id"], products["category"]) == ("products.csv", "id", "categories.name")
    assert (users["file"], users["user_id"], users["region"]) == ("customers.csv", "id", "city")


@pytest.mark.parametrize(
    ("key", "order", "kind"),  # the key in its own file; and what lines and items call it
    [
        ("id", "id_pedido", "id_categoria"),
        ("nr", "bestellungnr", "kategorienr"),
        ("ref", "order_ref", "category_ref"),
        ("no", "OrderNo", "CategoryNo"),
        ("编号", "订单编号", "类别编号"),
    ],
)
def test_keys_are_known_in_the_ways_in_which_shops_write_them(key: str, order: str, kind: str, tmp_path: Path) -> None:
    """Before or after the name, as one word or two, in any of the languages; bare in a file of its own."""
    stems = {"id": ("pedidos", "categorias"), "nr": ("bestellungen", "kategorien"), "编号": ("订单", "类别")}
    orders, kinds = stems.get(key, ("orders", "categories"))
    _, found = guessed(
        tmp_path,
        **{
            kinds: f"{key},name\n5,Drinks\n6,China\n",
            "lines": f"{order},sku,price\n7,a,2.5\n7,b,3\n8,a,2.5\n",
            orders: f"{key},customer_id,created_at\n7,1,2024-01-05 10:00:00\n8,2,2024-01-06 11:00:00\n",
            "products": f"sku,title,{kind}\na,Tea,5\nb,Cup,6\n",
        },
    )
    assert found["interactions"]["join"] == {"order": {"file": f"{orders}.csv", "by": order, "key": key}}
    assert found["products"]["join"] == {kinds: {"file": f"{kinds}.csv", "by": kind, "key": key}}


def test_joined_files_have_names_of_their_own(tmp_path: Path) -> None:
    _, found = guessed(
        tmp_path,
        brand_names="BrandCode,Brand\nx,Leaf\ny,Clay\n",
        kind_names="KindCode,Category\n5,Drinks\n6,China\n",
        products="ProductId,Title,BrandCode,KindCode\n1,Tea,x,5\n2,Cup,y,6\n",
        sales="CustomerId,ProductId,OrderDate\n1,1,2024-01-05\n",
    )
    products = found["products"]
    assert (products["brand"], products["category"]) == ("names.Brand", "kind_names.Category")
