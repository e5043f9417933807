"""Columns that engines take for one, as they differ in case alone."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import DataRejected, InvalidInput
from tests.support.shops.shop_files import read_rows, source_of, write

AT = "2024-01-05T10:00:00Z"
GOODS = "item_id\ntea\ncup\n"
ROW = {"event_type": "view", "User_ID": "X", "user_id": "u1", "item_id": "tea", "event_timestamp": AT}


def as_csv(folder: Path, row: dict[str, Any]) -> None:
    write(folder, interactions_csv="\n".join(map(",".join, (row, row.values()))))


def as_json(folder: Path, row: dict[str, Any]) -> None:
    write(folder, interactions_jsonl=json.dumps(row))


def as_parquet(folder: Path, row: dict[str, Any]) -> None:
    pq.write_table(pa.Table.from_pylist([row]), folder / "interactions.parquet")


def as_parts(folder: Path, row: dict[str, Any]) -> None:
    """One that has the other name alone, and one that has both."""
    (folder / "interactions").mkdir()
    write(folder / "interactions", a_csv="USER_ID,event_type,user_id,item_id,event_timestamp\n")
    as_csv(folder / "interactions", row)


WAYS = pytest.mark.parametrize("written", [as_csv, as_json, as_parquet, as_parts])


def events(root: Path, written: Any, row: dict[str, Any], mapping: dict[str, Any] | None = None) -> Any:
    folder = write(root / "shop", products_csv=GOODS)
    written(folder, row)
    return read_rows(source_of(root, "ecommerce", folder, mapping).events, "user_id", "item_id")


@WAYS
@pytest.mark.parametrize("backwards", [False, True])
def test_the_exact_name_wins(tmp_path: Path, written: Any, *, backwards: bool) -> None:
    row = dict(reversed(ROW.items())) if backwards else ROW
    assert events(tmp_path, written, row) == [("u1", "tea")]


@pytest.mark.parametrize("written", [as_csv, as_json, as_parquet])
def test_what_the_mapping_says_is_the_exact_name(tmp_path: Path, written: Any) -> None:
    assert events(tmp_path, written, ROW, {"interactions": {"user_id": "User_ID"}}) == [("X", "tea")]
    with pytest.raises(InvalidInput, match=r"mapped to 'uSER_id' \(did you mean 'User_ID'\?\); .* User_ID, user_id, "):
        events(tmp_path, written, ROW, {"interactions": {"user_id": "uSER_id"}})


@pytest.mark.parametrize("written", [as_csv, as_json, as_parquet])
def test_two_that_are_read_are_refused_by_name(tmp_path: Path, written: Any) -> None:
    row = {"event_type": "view", "ID": "u1", "id": "tea", "event_timestamp": AT}
    with pytest.raises(
        DataRejected, match=r"interactions\..* has the columns 'ID' and 'id', which differ in case alone"
    ):
        events(tmp_path, written, row, {"interactions": {"user_id": "ID", "item_id": "id"}})


@WAYS
@pytest.mark.parametrize("name", ["__fault", "__raw", "__FAULT"])
def test_a_column_that_is_called_like_one_of_ours_is_one_of_the_shop(tmp_path: Path, written: Any, name: str) -> None:
    assert events(tmp_path, written, ROW | {name: "x"}) == [("u1", "tea")]


def test_parts_that_differ_in_case_are_two_columns(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", products_csv=GOODS)
    header = "event_type,user_id,item_id,event_timestamp,Price\n"
    (folder / "interactions").mkdir()
    write(
        folder / "interactions",
        a_csv=f"{header}view,u1,tea,{AT},1\n",
        b_csv=f"{header.lower()}view,u2,tea,{AT},2\n",
    )
    source = source_of(tmp_path, "ecommerce", folder)
    assert read_rows(source.events, "user_id", "price") == [("u1", None), ("u2", 2.0)]
