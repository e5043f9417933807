"""Orders as web shops export them: of several lines, with lists in a cell, and events of types that nobody wants."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import read_rows, reasons, rows_of, run, source_of, unreadable, write

AT = "2024-01-05 10:00:00 +0100"
ORDERS = f"""Name,Email,Created at,Lineitem sku,Lineitem quantity,Discount code
#1,a@x,{AT},tea,1,WELCOME
#1,,,cup,2,
#1,,,pot,1,
#2,b@x,{AT},tea,1,
#3,,{AT},tea,1,
"""
GOODS = "item_id\ntea\ncup\npot\n"
MAPPING: dict[str, Any] = {
    "interactions": {
        "user_id": "Email", "item_id": "Lineitem sku", "event_timestamp": "Created at", "basket_id": "Name",
        "quantity": "Lineitem quantity", "event_type": {"value": "purchase"},
    },
}  # fmt: skip
BOUGHT = [("a@x", "cup", 2), ("a@x", "pot", 1), ("a@x", "tea", 1), ("b@x", "tea", 1)]


def orders(root: Path, lines: str = ORDERS) -> Path:
    return write(root / "shop", interactions_csv=lines, products_csv=GOODS)


def test_further_lines_of_an_order_have_its_user_and_time(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", orders(tmp_path), {**MAPPING, "follow_up_lines": "fill"})
    assert rows_of(tmp_path, "events", "user_id", "item_id", "quantity") == BOUGHT
    assert len({moment for (moment,) in rows_of(tmp_path, "events", "event_timestamp")}) == 1
    assert report.events_dropped == {"missing_id": 1}  # order 3 names nobody


def test_an_order_of_several_users_fills_no_line(tmp_path: Path) -> None:
    lines = ORDERS.replace("#2,b@x", "#1,b@x")
    report = run(tmp_path, "ecommerce", orders(tmp_path, lines), {**MAPPING, "follow_up_lines": "fill"})
    assert (report.events_kept, report.events_dropped) == (2, {"missing_id": 3})


def test_lines_of_an_order_are_not_taken_for_guests_in_silence(tmp_path: Path) -> None:
    report = run(tmp_path, "ecommerce", orders(tmp_path), {**MAPPING, "guests": "ignore"})
    assert report.events_dropped == {"guest": 3}
    assert report.warnings[0] == (
        "2 rows of interactions were left out as guests', but other rows of their baskets name a user. If they are "
        "further lines of an order, say `follow_up_lines: fill`."
    )
    with pytest.raises(DataRejected, match=r"missing_id.*further lines of an order.*`follow_up_lines: fill`"):
        run(tmp_path, "ecommerce", tmp_path / "shop", MAPPING, share=0.1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"follow_up_lines": "yes"}, "follow_up_lines is 'yes', expected fill, or no such line"),
        ({"follow_up_lines": "fill", "interactions": {"user_id": "Email"}},
         "follow_up_lines: fill needs the column that names the order of a line: map it as basket_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_is_refused(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        run(tmp_path, "ecommerce", orders(tmp_path), {**MAPPING, **more})


EVENTS = """who,what,at,kind,got
u,tea,2024-01-05T10:00:00Z,charge,1
u,tea,2024-01-06T10:00:00Z,Failed,
u,,2024-01-07T10:00:00Z,scroll,
u,tea,2024-01-08T10:00:00Z,ignore,
"""


def test_events_of_a_type_that_is_ignored_are_no_fault_of_the_data(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", interactions_csv=EVENTS, products_csv=GOODS)
    names = {"user_id": "who", "item_id": "what", "event_timestamp": "at", "event_type": "kind"}
    kinds = {"charge": "purchase", "failed": "ignore", "scroll": "ignore"}
    report = run(tmp_path, "ecommerce", folder, {"interactions": names, "event_types": kinds}, share=0.25)
    # What the shop itself calls ignore is mapped to nothing.
    assert (report.events_kept, report.events_dropped) == (1, {"ignored": 2, "unknown_event_type": 1})


def test_events_without_items_need_no_list(tmp_path: Path) -> None:
    lines = [
        '{"u": "a", "t": 1704448800123456, "e": "session_start", "items": []}',
        '{"u": "a", "t": 1704448800123457, "e": "scroll", "items": []}',
        '{"u": "a", "t": 1704448800123458, "e": "view_item", "items": [{"id": "tea"}, {"id": "cup"}]}',
        '{"u": "a", "t": 1704448800123459, "e": "view_item", "items": []}',
        '{"u": "a", "t": 1704448800123460, "e": "scroll", "items": "x"}',
    ]
    folder = write(tmp_path / "shop", interactions_jsonl="\n".join(lines), products_csv=GOODS)
    mapping = {
        "epoch_unit": "us",
        "interactions": {"rows": "items", "item_id": "items.id", "user_id": "u", "event_timestamp": "t",
                         "event_type": "e"},
        "event_types": {"session_start": "visit", "scroll": "ignore"},
    }  # fmt: skip
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert rows_of(tmp_path, "events", "event_type", "item_id") == [
        ("view", "cup"), ("view", "tea"), ("visit", None),
    ]  # fmt: skip
    assert report.events_dropped == {"basket_without_items": 1, "ignored": 1, "wrong_type": 1}


@pytest.mark.parametrize(
    ("cell", "separator", "items"),
    [
        ("tea|cup", "|", ["cup", "tea"]),
        (" tea ;; cup;", ";", ["cup", "tea"]),
        ("['tea', \"cup\"]", "", ["cup", "tea"]),
        ('["tea", "cup"]', "", ["cup", "tea"]),
        ("('tea',)", "", ["tea"]),
    ],
)
def test_lists_in_a_cell_are_rows(tmp_path: Path, cell: str, separator: str, items: list[str]) -> None:
    quoted = cell.replace('"', '""')
    lines = f'user_id,event_timestamp,skus\nu,2024-01-05T10:00:00Z,"{quoted}"\n'
    folder = write(tmp_path / "shop", interactions_csv=lines, products_csv=GOODS)
    rows = {"column": "skus", "separator": separator} if separator else "skus"
    mapping = {"interactions": {"rows": rows, "item_id": "skus", "event_type": {"value": "purchase"}}}
    run(tmp_path, "ecommerce", folder, mapping)
    assert rows_of(tmp_path, "events", "item_id") == [(item,) for item in items]


def test_a_list_of_objects_that_python_has_printed_is_read(tmp_path: Path) -> None:
    cells = [
        "[{'sku': 'tea', 'n': 2, 'eur': 1.5, 'of': nan}, {'sku': \"cu'p\", 'n': 1, 'eur': -1, 'of': None}]",
        "[{'sku': 'tea', 'sku': 'cup'}]",  # a key that is there twice
        "[tea]", "[__import__('os')]", "{1: 2}", "[" * 50_000, "[" + "-" * 50_000 + "1]",
    ]  # fmt: skip
    lines = "".join(f'u,2024-01-05T10:00:00Z,"{cell.replace(chr(34), chr(34) * 2)}"\n' for cell in cells)
    folder = write(
        tmp_path / "shop", interactions_csv="user_id,event_timestamp,l\n" + lines, products_csv="item_id\ntea\ncu'p\n"
    )
    interactions = {"rows": "l", "item_id": "l.sku", "quantity": "l.n", "event_type": {"value": "purchase"}}
    report = run(tmp_path, "ecommerce", folder, {"interactions": interactions})
    assert rows_of(tmp_path, "events", "item_id", "quantity") == [("cu'p", 1), ("tea", 2)]
    assert report.events_dropped == {"wrong_type": 6}


def test_rows_are_those_of_a_list_inside_an_object(tmp_path: Path) -> None:
    lines = '{"u": "a", "t": "2024-01-05T10:00:00Z", "order": {"no": 7, "lines": [{"sku": "tea"}, {"sku": "cup"}]}}'
    folder = write(tmp_path / "shop", interactions_jsonl=lines, products_csv=GOODS)
    interactions = {
        "rows": "order.lines", "user_id": "u", "event_timestamp": "t", "item_id": "order.lines.sku",
        "basket_id": "order.no", "event_type": {"value": "purchase"},
    }  # fmt: skip
    run(tmp_path, "ecommerce", folder, {"interactions": interactions})
    assert rows_of(tmp_path, "events", "item_id", "basket_id") == [("cup", "7"), ("tea", "7")]


def test_a_file_without_names_of_columns_is_given_them(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "shop",
        ratings_dat='1::10::5::978300760\r\n1::11::3::978300761\r\n2::1"0::4::978300762\r\n2::10\r\n',
        movies_csv="10::Misérables, Les (1995)::Drama|War\n11::a::b\n".encode("latin-1"),
    )
    mapping = {
        "epoch_unit": "s",
        "interactions": {"file": "ratings.dat", "header": "user_id::item_id::rating::event_timestamp",
                         "event_type": {"value": "like"}},
        "products": {"file": "movies.csv", "header": "item_id::title::genres", "encoding": "latin-1",
                     "category": {"column": "genres", "separator": "|"}},
    }  # fmt: skip
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert rows_of(tmp_path, "events", "user_id", "item_id") == [("1", "10"), ("1", "11")]
    assert report.events_dropped == {"item_not_in_catalogue": 1, "malformed_row": 1}
    assert ("malformed_row", "2::10") in reasons(tmp_path)
    assert rows_of(tmp_path, "items", "item_id", "title")[0] == ("10", "Misérables, Les (1995)")


def test_an_id_of_something_else_is_no_events_id(tmp_path: Path) -> None:
    lines = "event_id,no,user_id,event_timestamp,event_type\n" + "".join(
        f"E1,{no},u,2024-01-05T10:00:00Z,purchase\n" for no in range(3)
    )
    folder = write(tmp_path / "shop", interactions_csv=lines, products_csv="item_id\nE1\n")
    with pytest.raises(DataRejected, match=r"duplicate_event_id.*such as that of a concert.*`event_id: ticket_no`"):
        run(tmp_path, "ecommerce", folder, {"interactions": {"item_id": "event_id"}}, share=0.1)
    for own in ("no", {"value": ""}):
        report = run(tmp_path, "ecommerce", folder, {"interactions": {"item_id": "event_id", "event_id": own}})
        assert (report.events_kept, report.events_dropped) == (3, {})


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"item_id": {"column": "a", "separator": "|"}},
         r"interactions\.item_id\.separator says nothing: separator is of texts, and item_id has none\. Of several ids "
         r"in a cell each is a row by `interactions: \{rows: \{column: a, separator: …\}\}`"),
        ({"price": {"column": "a", "date_format": "%Y"}}, r"interactions\.price\.date_format says .* is of times"),
        ({"user_id": {"column": "a", "decimal": ","}}, "decimal is of numbers, and user_id has none"),
    ],
)  # fmt: skip
def test_an_option_that_says_nothing_of_its_column_is_refused(tmp_path: Path, column: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        run(tmp_path, "ecommerce", orders(tmp_path), {"interactions": column})


def test_a_column_that_another_table_of_the_file_reads_is_used(tmp_path: Path) -> None:
    lines = "user_id,item_id,event_timestamp,Price\nu,tea,2024-01-05T10:00:00Z,2\n"
    folder = write(tmp_path / "shop", interactions_csv=lines)
    interactions = {"file": "interactions", "event_type": {"value": "purchase"}}
    products = {"file": "interactions"}
    unread = run(tmp_path, "ecommerce", folder, {"interactions": interactions, "products": products})
    assert len([note for note in unread.warnings if "is not used" in note]) == 2
    read = {"interactions": {**interactions, "price": "Price"}, "products": products}
    assert not run(tmp_path, "ecommerce", folder, read).warnings


@pytest.mark.parametrize(
    ("column", "value", "said", "other"),
    [
        ("n", "0.345", r"Units are whole numbers.*leave the column out of the mapping", "ISO 8601"),
        ("at", "soon", r"Timestamps are read as ISO 8601", "Units are"),
        ("eur", "abc", r"Numbers have a decimal point", "ISO 8601"),
        ("l", "x", r"Lists and objects are read as JSON or Python writes them", "ISO 8601"),
    ],
)
def test_advice_is_on_the_column_at_fault(tmp_path: Path, column: str, value: str, said: str, other: str) -> None:
    row = {"u": "a", "at": "2024-01-05T10:00:00Z", "l": '["tea"]', "n": "1", "eur": "2", column: value}
    cells = ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row.values())
    folder = write(tmp_path / "shop", interactions_csv=f"{','.join(row)}\n{cells}\n", products_csv=GOODS)
    interactions = {
        "rows": "l", "item_id": "l", "user_id": "u", "event_timestamp": "at", "quantity": "n", "price": "eur",
        "event_type": {"value": "purchase"},
    }  # fmt: skip
    with pytest.raises(DataRejected, match=said) as refused:
        run(tmp_path, "ecommerce", folder, {"interactions": interactions})
    assert other not in str(refused.value)


def test_a_first_line_that_is_a_row_is_said_to_be_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", interactions_csv="1::10::978300760\n", products_csv=GOODS)
    with pytest.raises(InvalidInput, match=r"no line of column names: its first line is 1, 10, 978300760\. Say in the"):
        run(tmp_path, "ecommerce", folder, {"interactions": {"event_type": {"value": "like"}}})


def test_products_of_lists_that_are_empty_are_no_fault(tmp_path: Path) -> None:
    lines = '{"u": "a", "e": "view", "t": "2024-01-05T10:00:00Z", "l": [{"id": "tea"}]}\n' + (
        '{"u": "a", "e": "visit", "t": "2024-01-05T10:00:00Z", "l": []}\n' * 3
    )
    folder = write(tmp_path / "shop", interactions_jsonl=lines)
    table = {"file": "interactions", "rows": "l", "item_id": "l.id"}
    mapping = {"interactions": {**table, "user_id": "u", "event_timestamp": "t", "event_type": "e"},
               "products": {**table, "repeated": "most_frequent"}}  # fmt: skip
    report = run(tmp_path, "ecommerce", folder, mapping, share=0.5)
    assert (report.items, report.profiles_dropped) == (1, {"items": {"basket_without_items": 3}})


def test_a_blank_of_a_column_of_numbers_is_filled_and_may_be_of_a_line_of_totals(tmp_path: Path) -> None:
    nan = float("nan")
    lines = pa.table({"event_type": ["purchase", None, "Total"], "user_id": [5.0, nan, nan],
                      "basket_id": [1.0, 1.0, nan], "item_id": ["tea", "cup", None],
                      "event_timestamp": [1704448800.0, nan, nan]})  # fmt: skip
    folder = write(tmp_path / "shop", products_csv="item_id\ntea\ncup\n")
    pq.write_table(lines, folder / "interactions.parquet")
    mapping = {"follow_up_lines": "fill", "epoch_unit": "s"}
    events = source_of(tmp_path, "ecommerce", folder, mapping).events.to_pyarrow()
    at = datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert read_rows(events, "user_id", "item_id", "event_type", "event_timestamp") == [
        ("5", "cup", "purchase", at), ("5", "tea", "purchase", at),
    ]  # fmt: skip
    assert unreadable(events) == {"totals_row": 1}
