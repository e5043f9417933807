"""Types of Parquet that engines take for others, in columns that are read, and in ones that nobody reads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected
from tests.support.shops.shop_files import read_rows, reasons, run, source_of, unreadable, write

AT = "2024-01-05T10:00:00Z"
FAR = 2**62
KEESE = "Käse".encode()
LATIN = "Käse".encode("latin-1")
BINARY_LISTS = pa.list_(pa.binary())
PICTURED = pa.struct({"id": pa.binary(), "picture": pa.binary()})


def text(value: bytes) -> pa.Array:
    """A column of text that holds these bytes, whatever they are."""
    return pa.Array.from_buffers(pa.string(), 1, pa.array([value]).buffers())


def folder_of(root: Path, **columns: Any) -> Path:
    """A shop with one event; its products are Käse and tea."""
    folder = write(root / "shop", products_csv="item_id\nKäse\ntea\n")
    row = {"event_type": ["view"], "user_id": ["u1"], "item_id": ["tea"], "event_timestamp": [AT]}
    pq.write_table(pa.table(row | columns), folder / "interactions.parquet")
    return folder


UNREAD = {
    "picture": pa.array([b"\xff\xd8"]),
    "hash": pa.array([bytes([200] * 16)], pa.binary(16)),
    "view": pa.array([b"\xff"], pa.binary_view()),
    "inside": pa.array([{"a": b"\xff", "b": [{"c": LATIN}]}]),
    "uuid": pa.array([b"a" * 16], pa.uuid()),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
    "half": pa.array(np.array([1.5], "float16")),
    "long": pa.array([1], pa.decimal256(50, 0)),
    "pairs": pa.array([[(b"\xff", None)]], pa.map_(pa.binary(), pa.null())),
    "views": pa.array([["a"]], pa.list_view(pa.string())),
    "twins": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["A", "a"]),
}


@pytest.mark.parametrize("name", UNREAD)
@pytest.mark.parametrize("beside", [{}, {"price": pa.nulls(1)}])
def test_a_column_that_nobody_reads_costs_no_row(tmp_path: Path, name: str, beside: dict[str, Any]) -> None:
    events = source_of(tmp_path, "ecommerce", folder_of(tmp_path, **beside, other=UNREAD[name])).events
    assert (read_rows(events, "user_id", "item_id"), unreadable(events)) == ([("u1", "tea")], {})


@pytest.mark.parametrize("other", [text(LATIN), pa.array([FAR], pa.timestamp("ms"))])
def test_nor_does_one_that_the_engine_stops_at(tmp_path: Path, other: pa.Array) -> None:
    assert run(tmp_path, "ecommerce", folder_of(tmp_path, other=other), share=0.0).events_kept == 1


def test_a_product_is_not_lost_for_its_picture(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "products.csv").unlink()
    pq.write_table(pa.table({"item_id": ["tea"], "picture": [b"\xff\xd8"]}), folder / "products.parquet")
    assert run(tmp_path, "ecommerce", folder, share=0.0).events_kept == 1


@pytest.mark.parametrize(
    ("column", "path"),
    [
        (pa.array([KEESE]), "x"),
        (pa.array([KEESE], pa.binary_view()), "x"),
        (pa.array([KEESE]).dictionary_encode(), "x"),
        (pa.array([{"id": KEESE}]), "x.id"),
        (pa.array([{"a": {"id": KEESE, "picture": b"\xff"}}]), "x.a.id"),
        (pa.array([[KEESE]]), "x"),
        (pa.array([[{"id": KEESE}]]), "x.id"),
        (pa.array([[{"id": KEESE, "picture": b"\xff"}]]).cast(pa.large_list(PICTURED)), "x.id"),
    ],
)  # fmt: skip
def test_text_that_is_not_marked_as_such_is_text_wherever_it_is(tmp_path: Path, column: pa.Array, path: str) -> None:
    rows = {"rows": "x"} if "list" in str(column.type) else {}
    folder = folder_of(tmp_path, x=column)
    events = source_of(tmp_path, "ecommerce", folder, {"interactions": {"item_id": path} | rows}).events
    assert (read_rows(events, "item_id"), unreadable(events)) == ([("Käse",)], {})


def test_lists_of_a_click_are_text_too(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", catalog_csv="product_id\nKäse\n")
    lists = pa.array([[KEESE, None], None, [], [KEESE, LATIN]], BINARY_LISTS)
    columns = {"user_id": list("abcd"), "action": [0] * 4, "date": [AT] * 4, "products": lists}
    pq.write_table(pa.table(columns), folder / "actions.parquet")
    events = source_of(tmp_path, "clickstream", folder).events
    assert read_rows(events, "user_id", "item_id") == [("a", "Käse"), ("a", None), ("b", None), ("c", None)]
    assert unreadable(events) == {"not_utf8": 2}


@pytest.mark.parametrize("beside", [{}, {"quantity": pa.nulls(1)}, {"quantity": pa.array([1], pa.timestamp("ms"))}])
def test_an_id_of_sixteen_bytes_is_written_as_such_ids_are(tmp_path: Path, beside: dict[str, Any]) -> None:
    folder = folder_of(tmp_path, user_id=pa.array([bytes(range(16))], pa.uuid()), **beside)
    mapping = {"interactions": {"quantity": {"value": "1"}}}
    events = source_of(tmp_path, "ecommerce", folder, mapping).events
    assert read_rows(events, "user_id") == [("00010203-0405-0607-0809-0a0b0c0d0e0f",)]


def test_a_field_without_a_type_is_empty(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, x=pa.array([{"basket": None, "at": 1}]))
    events = source_of(tmp_path, "ecommerce", folder, {"interactions": {"basket_id": "x.basket"}}).events
    assert read_rows(events, "user_id", "basket_id") == [("u1", None)]


def test_what_is_read_and_cannot_be_had_is_its_rows_fault(tmp_path: Path) -> None:
    buyers = pa.array([{"id": b"u1", "at": 0}, None, {"id": LATIN, "at": 0}, {"id": b"u2", "at": FAR}],
                      pa.struct({"id": pa.binary(), "at": pa.timestamp("ms")}))  # fmt: skip
    columns = {name: pa.array([value] * 4) for name, value in (("event_type", "view"), ("item_id", "tea"))}
    folder = folder_of(tmp_path)
    pq.write_table(pa.table({**columns, "buyer": buyers}), folder / "interactions.parquet")
    mapping = {"interactions": {"user_id": "buyer.id", "event_timestamp": "buyer.at"}, "time_zone": "UTC"}
    source = source_of(tmp_path, "ecommerce", folder, mapping)
    assert read_rows(source.events, "user_id", "event_timestamp") == [
        ("u1", datetime(1970, 1, 1, tzinfo=UTC)), (None, None),
    ]  # fmt: skip
    assert unreadable(source.events) == {"not_utf8": 1, "wrong_type": 1}
    run(tmp_path, "ecommerce", folder, mapping)
    assert {("not_utf8", "buyer.id=K\\xe4se"), ("wrong_type", f"buyer.at={FAR}")} <= set(reasons(tmp_path))


def test_a_refusal_says_what_helps_for_parquet(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, item_id=pa.array([LATIN]))
    with pytest.raises(DataRejected, match=r"'not_utf8': 1.*Text in Parquet is UTF-8 whatever is said: export it anew"):
        run(tmp_path, "ecommerce", folder)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    row = pq.read_table(folder / "interactions.parquet")
    for more in ([], [pa.nulls(1)]):
        columns = [*row.columns, pa.array([1.0]), pa.array([2.0]), *more]
        names = [*row.column_names, "price", "price", *("n" for _ in more)]
        pq.write_table(pa.Table.from_arrays(columns, names=names), folder / "interactions.parquet")
        with pytest.raises(DataRejected, match=r"interactions\.parquet names a column twice: .*price, price"):
            run(tmp_path, "ecommerce", folder)
