"""Files by what they are: names in any case, folders of folders, and what is not a table."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.errors import DataRejected, InvalidInput, MissingArtifact
from tests.support.shops.shop_files import (
    EVENT,
    INTERACTIONS,
    PRODUCTS,
    SHOP_EVENTS,
    parquet,
    read_rows,
    reasons,
    run,
    shop,
    source_of,
    unreadable,
    write,
)
from training.ingest.files.json_lines import parsed

HEADER, *LINES = INTERACTIONS.splitlines()
AS_JSON = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in LINES]


def named(root: Path, name: str, content: bytes) -> dict[str, Any]:
    """A mapping onto a file of events that is called so."""
    write(root / "shop", products_csv=PRODUCTS)
    (root / "shop" / name).write_bytes(content)
    return {"interactions": {"file": name}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("EVENTS.CSV", INTERACTIONS.encode()),
        ("events.txt", INTERACTIONS.encode()),
        ("Events.Tsv", INTERACTIONS.replace(",", "\t").encode()),
        ("events.csv", INTERACTIONS.replace(",", "\t").encode()),
        ("events.psv", INTERACTIONS.replace(",", "|").encode()),
        ("EVENTS.CSV.GZ", gzip.compress(INTERACTIONS.encode())),
        ("events.json", "\n".join(map(json.dumps, AS_JSON)).encode()),
        ("EVENTS.JSONL", "\n".join(map(json.dumps, AS_JSON)).encode()),
        ("events.json", json.dumps(AS_JSON).encode()),
        ("events.json", json.dumps(AS_JSON, indent=1).encode()),
        ("events.json.gz", gzip.compress(b"\xef\xbb\xbf" + json.dumps(AS_JSON).encode())),
    ],
)
def test_a_file_is_read_as_what_its_name_or_its_header_says(tmp_path: Path, name: str, content: bytes) -> None:
    mapping = named(tmp_path, name, content)
    assert read_rows(source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping).events, *EVENT) == SHOP_EVENTS


@pytest.mark.parametrize("depth", [101, 700, 950, 5000])
@pytest.mark.parametrize("name", ["e.jsonl", "e.json", "one.json"])
def test_a_row_that_nests_too_deeply_costs_only_itself(tmp_path: Path, name: str, depth: int) -> None:
    deep = json.dumps(AS_JSON[0])[:-1] + f', "more": {"[" * depth}"}}, [,"{"]" * depth}}}'
    rows = [json.dumps(AS_JSON[0]), deep, "[" * depth + "]" * depth, *map(json.dumps, AS_JSON[1:])]
    between = {"e.jsonl": "\n", "e.json": ",", "one.json": ", \n"}[name]
    text = between.join(rows) if name == "e.jsonl" else f"[\n{between.join(rows)} ]"
    mapping = named(tmp_path, name, text.encode())
    events = source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping).events.to_pyarrow()
    assert read_rows(events, *EVENT) == SHOP_EVENTS
    assert unreadable(events) == {"malformed_row": 2}
    assert deep in events["raw"].to_pylist()


def test_an_array_with_a_deep_row_is_refused_where_it_is_cut_short(tmp_path: Path) -> None:
    for content in (f"[{'[' * 999}{']' * 999}, {{", f"[{'[' * 999}{']' * 999}] 7"):
        mapping = named(tmp_path, "e.json", content.encode())
        with pytest.raises(DataRejected, match=r"e\.json is not a whole JSON array: it does not end"):
            source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping)


@pytest.mark.parametrize("mapped", [{}, {"user_id": "buyer.id", "region": "state", "repeated": "most_frequent"}])
def test_a_table_that_is_an_empty_list_has_no_rows(tmp_path: Path, mapped: dict[str, str]) -> None:
    folder = write(shop(tmp_path), users_json=" [ ]\n", sessions_json="[]")
    sessions = {"started_at": {"column": "day", "time": "clock"}}
    source = source_of(tmp_path, "ecommerce", folder, {"users": mapped, "sessions": sessions})
    assert source.users is not None
    users = source.users.to_pyarrow()
    assert (read_rows(source.events, *EVENT), read_rows(users, "user_id")) == (SHOP_EVENTS, [])
    assert unreadable(users) == {}


@pytest.mark.parametrize("mapped", [{}, {"rows": "order.lines", "item_id": "order.lines.sku"}])
def test_events_that_are_an_empty_list_are_none(tmp_path: Path, mapped: dict[str, str]) -> None:
    empty = dict.fromkeys(("users_json", "sessions_json", "interactions_json"), "[]")
    folder = write(tmp_path / "shop", products_csv=PRODUCTS, **empty)
    with pytest.raises(DataRejected, match="The source has no events"):
        run(tmp_path, "ecommerce", folder, {"interactions": mapped})


ROW = json.dumps(AS_JSON[0])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("e.jsonl", (ROW + ROW).encode(), r"'malformed_row': 1.*JSON has one object a line"),
        ("e.json", json.dumps({"orders": AS_JSON}, indent=1).encode(), "One of malformed_row.*one array of objects"),
        ("e.jsonl", ROW.replace("tea", "té").encode("latin-1"), "'not_utf8': 1.*`encoding: WINDOWS-1252`"),
        ("e.json", f"[{ROW}]".replace("tea", "té").encode("latin-1"), "not UTF-8 at byte.*`encoding: WINDOWS-1252`"),
        ("e.json", f"[{ROW}]".encode("utf-16"), "e.json is UTF-16.*`encoding: UTF-16`"),
        ("e.jsonl", ROW.encode("utf-32"), "e.jsonl is UTF-32.*`encoding: UTF-32`"),
        ("e.jsonl", ROW.encode("utf-16"), "e.jsonl is UTF-16.*`encoding: UTF-16`"),
    ],
)
def test_json_of_which_no_line_can_be_read_says_why(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataRejected, match=said):
        run(tmp_path, "ecommerce", tmp_path / "shop", named(tmp_path, name, content))


def test_lists_of_clicks_may_be_empty(tmp_path: Path) -> None:
    folder = write(tmp_path / "raw", actions_json="[]", catalog_json="[]")
    with pytest.raises(DataRejected, match="The source has no events"):
        run(tmp_path, "clickstream", folder)


def test_brackets_inside_of_texts_are_no_lists() -> None:
    assert parsed(json.dumps(["[" * 500, '\\"{' * 500])) == ["[" * 500, '\\"{' * 500]
    assert parsed(f"[{'[1],' * 500}[2]]")[-1] == ["2"]


def test_a_table_is_found_by_its_name_in_any_case_of_the_suffix(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    (folder / "interactions.csv").rename(folder / "interactions.CSV")
    parquet(folder / "users.PARQUET", [{"user_id": "u1"}], user_id=pa.string())
    report = run(tmp_path, "ecommerce", folder)
    assert (report.events_kept, report.users_not_in_table) == (3, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PAR1\x15\x04", r"events is a Parquet file: end its name in \.parquet"),
        (b"PK\x03\x04\x14", "events is an Excel workbook or a zip file: save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "events is an Excel workbook"),
        (gzip.compress(b"a,b", mtime=0), r"events is compressed by gzip: end its name in \.csv\.gz, or unpack it"),
        ("user_id,item_id\n".encode("utf-16"), "events is UTF-16. Save .* `encoding: UTF-16`"),
        (json.dumps(AS_JSON[0]).encode(), r"events is JSON: end its name in \.jsonl"),
        (json.dumps(AS_JSON, indent=1).encode(), r"events is JSON: end its name in \.jsonl"),
        ("Stück,Käufer\n".encode("latin-1"), "The header of events is not UTF-8.*`encoding: WINDOWS-1252`"),
    ],
)
def test_what_is_no_table_is_named_with_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    mapping = named(tmp_path, "events", content)
    with pytest.raises(DataRejected, match=said):
        run(tmp_path, "ecommerce", tmp_path / "shop", mapping)


def test_brackets_of_a_header_are_no_json(tmp_path: Path) -> None:
    mapping = named(tmp_path, "events.csv", INTERACTIONS.replace("user_id", "[user_id]", 1).encode())
    mapping["interactions"]["user_id"] = "[user_id]"
    assert read_rows(source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping).events, *EVENT) == SHOP_EVENTS


def test_one_bad_line_of_json_is_lost_alone_though_it_looks_like_an_array(tmp_path: Path) -> None:
    for bad in ("[1, 2]", "[1, 2", "5"):
        lines = [bad, *map(json.dumps, AS_JSON)]
        mapping = named(tmp_path, "events.jsonl", "\n".join(lines).encode())
        events = source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping).events.to_pyarrow()
        assert (read_rows(events, *EVENT), unreadable(events)) == (SHOP_EVENTS, {"malformed_row": 1})
    mapping = named(tmp_path, "events.json", json.dumps([*AS_JSON, 7]).encode())
    events = source_of(tmp_path, "ecommerce", tmp_path / "shop", mapping).events.to_pyarrow()
    assert (read_rows(events, *EVENT), unreadable(events)) == (SHOP_EVENTS, {"malformed_row": 1})


def test_an_object_that_has_a_key_twice_is_lost_alone(tmp_path: Path) -> None:
    good = list(map(json.dumps, AS_JSON))
    twice = good[0][:-1] + ', "user_id": "u9"}'
    for text in ("\n".join([*good, twice]), f"[{', '.join([*good, twice])}]"):
        mapping = named(tmp_path, "events.json", text.encode())
        report = run(tmp_path, "ecommerce", tmp_path / "shop", mapping)
        assert (report.events_kept, report.events_dropped) == (3, {"malformed_row": 1})
        assert reasons(tmp_path) == [("malformed_row", twice)]


def test_an_array_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    for text in (json.dumps(AS_JSON), json.dumps(AS_JSON, indent=1)):
        mapping = named(tmp_path, "events.json", text[:-20].encode())
        with pytest.raises(DataRejected, match=r"events\.json is not a whole JSON array"):
            run(tmp_path, "ecommerce", tmp_path / "shop", mapping)


def test_a_star_in_a_name_stands_for_the_parts_of_a_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS, sales_2024_csv="\n".join([HEADER, *LINES[:1]]) + "\n")
    write(folder, sales_2025_csv="\n".join([HEADER, *LINES[1:]]) + "\n", sales_csv=INTERACTIONS)
    (folder / ".sales_2026.csv").write_text(INTERACTIONS)
    mapped: dict[str, Any] = {"interactions": {"file": "sales_*.csv"}}
    assert read_rows(source_of(tmp_path, "ecommerce", folder, mapped).events, *EVENT) == SHOP_EVENTS
    part = folder / "sales_2027.csv"
    part.mkdir()  # a folder may be a part
    (part / "_a.csv").write_text(INTERACTIONS)
    (note,) = source_of(tmp_path, "ecommerce", folder, mapped).warnings
    assert note.startswith("Not read: _a.csv in sales_*.csv.")
    (folder / "sales_2026.xlsx").write_text("x")
    with pytest.raises(InvalidInput, match=r"sales_\* holds sales_2026.xlsx: only files of .parquet"):
        source_of(tmp_path, "ecommerce", folder, {"interactions": {"file": "sales_*"}})
    with pytest.raises(MissingArtifact, match=r"has no file orders_\*"):
        source_of(tmp_path, "ecommerce", folder, {"interactions": {"file": "orders_*"}})
    (folder / "sales_*.csv").write_text(INTERACTIONS)  # what is called so is meant
    assert read_rows(source_of(tmp_path, "ecommerce", folder, mapped).events, *EVENT) == SHOP_EVENTS


def test_parts_lie_in_folders_of_folders_next_to_what_programs_leave_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    for at, line in enumerate(LINES):
        day = folder / "interactions" / f"dt=2024-01-0{at}"
        day.mkdir(parents=True)
        (day / "part-0.csv").write_text(f"{HEADER}\n{line}\n")
        (day / "_SUCCESS").touch()
        (day / ".part-0.csv.crc").touch()
    (folder / "interactions" / "_temporary").mkdir()
    (folder / "interactions" / "_temporary" / "part-1.csv").write_text(INTERACTIONS)
    source = source_of(tmp_path, "ecommerce", folder)
    assert read_rows(source.events, *EVENT) == SHOP_EVENTS
    (note,) = (note for note in source.warnings if note.startswith("Not read"))
    assert note.startswith("Not read: _temporary/part-1.csv in interactions. Programs leave")


@pytest.mark.parametrize("name", ["_b.csv", ".b.CSV.GZ", "_2024/b.csv", "day/._b.parquet"])
def test_what_looks_like_a_part_and_is_not_read_is_said(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "interactions", a_csv=INTERACTIONS)
    part = folder / "interactions" / name
    part.parent.mkdir(exist_ok=True)
    part.write_text("")
    said = f"Not read: {name} in interactions. "
    assert any(note.startswith(said) for note in source_of(tmp_path, "ecommerce", folder).warnings)
    (folder / "interactions" / "a.csv").unlink()
    with pytest.raises(MissingArtifact, match=f"It holds: interactions, products.csv. {re.escape(said)}"):
        source_of(tmp_path, "ecommerce", folder)


@pytest.mark.parametrize(
    "name", ["sub/clicks.csv", "sub/clicks", "./sub//clicks.csv", "sub/../sub/clicks.csv", "sub", "sub/"]
)
def test_a_file_may_lie_in_a_folder_of_the_source(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "sub", clicks_csv=INTERACTIONS)
    source = source_of(
        tmp_path, "ecommerce", folder, {"interactions": {"file": name}, "products": {"file": "./products"}}
    )
    assert read_rows(source.events, *EVENT) == SHOP_EVENTS


@pytest.mark.parametrize("name", ["none/clicks.csv", "products.csv/clicks.csv", "sub/none.csv"])
def test_a_file_that_is_not_in_such_a_folder_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "sub", clicks_csv=INTERACTIONS)
    with pytest.raises(MissingArtifact, match=f"has no file {name} "):
        source_of(tmp_path, "ecommerce", folder, {"interactions": {"file": name}})


def test_a_part_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=PRODUCTS)
    write(folder / "interactions", a_csv=INTERACTIONS, b_xlsx="PK", c_zip="PK", d_txt="x", e_txt="x")
    with pytest.raises(InvalidInput, match=r"interactions holds b\.xlsx, c\.zip, d\.txt, …: only files of \.parquet, "):
        run(tmp_path, "ecommerce", folder)
