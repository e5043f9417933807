"""Lines of a mapping that do nothing: each is said, and no line that does something."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tandem.__main__ import app
from tests.support.shops.shop_files import INTERACTIONS, mapping_file, shop, source_of, write

NAMES = {"user_id": "user_id", "event_timestamp": "event_timestamp"}


def idle(root: Path, folder: Path, mapping: dict[str, Any], adapter: str = "ecommerce") -> list[str]:
    return [note for note in source_of(root, adapter, folder, mapping).warnings if "nothing: " in note]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"users": {"region": "state", "age_band": "age"}}, "users.age_band, users.region in the mapping do nothing: "
         "there is no file of users."),
        ({"sessions": {"user_id": "who"}}, "sessions.user_id in the mapping does nothing: there is no file of "
         "sessions."),
        ({"products": {"latest_by": "title"}}, "products.latest_by in the mapping does nothing: it is read with "
         "`repeated: latest` alone."),
        ({"products": {"latest_by": "title", "repeated": "most_frequent"}}, "products.latest_by in the mapping does "
         "nothing: it is read with `repeated: latest` alone."),
        ({"interactions": {"rows": {"separator": "|"}}}, "interactions.rows.separator in the mapping does nothing: "
         "rows names no column (`rows: {column: …}`)."),
        ({"interactions": {"discount": {"decimal": ","}}}, "interactions.discount.decimal in the mapping does nothing: "
         "interactions has no column discount."),
        ({"products": {"date_format": "%Y-%m-%d"}}, "products.date_format in the mapping does nothing: products has no "
         "column of that kind."),
        ({"interactions": {"event_type": {"value": "Buy"}}, "event_types": {"buy": "purchase", "look": "view"}},
         "event_types.look in the mapping does nothing: every row is said to be a Buy."),
    ],
)  # fmt: skip
def test_a_line_that_does_nothing_is_said(tmp_path: Path, mapping: dict[str, Any], said: str) -> None:
    content = INTERACTIONS.replace(",event_type,", ",kind,") if "event_types" in mapping else INTERACTIONS
    assert idle(tmp_path, shop(tmp_path, content), mapping) == [said]


def test_what_only_text_files_need_is_said_of_others(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", interactions_csv="user_id,item_id\n")
    (folder / "interactions.csv").unlink()
    row = {"user_id": "u", "item_id": "tea", "event_type": "view", "event_timestamp": "2024-01-05T10:00:00Z"}
    pq.write_table(pa.Table.from_pylist([row]), folder / "interactions.parquet")
    write(folder, products_jsonl='{"item_id": "tea"}\n')
    written = {"header": "item_id", "encoding": "UTF-8"}
    mapping = {"interactions": written, "products": written, "return_prefix": "C", "returns": "ignore", "decimal": ","}
    assert idle(tmp_path, folder, mapping) == [
        "interactions.encoding in the mapping does nothing: Parquet says its encoding by itself.",
        "interactions.header in the mapping does nothing: Parquet and JSON name their columns by themselves.",
        "products.header in the mapping does nothing: Parquet and JSON name their columns by themselves.",
        "return_prefix in the mapping does nothing: interactions has no column basket_id.",
        "decimal in the mapping does nothing: no table has a column of that kind.",
    ]


def test_lines_that_do_something_are_not_said(tmp_path: Path) -> None:
    folder = write(shop(tmp_path), users_csv="user_id,age,seen\nu1,30,2024-01-01\n")
    mapping = {
        "time_zone": "UTC", "epoch_unit": "s", "date_format": "%Y-%m-%d", "decimal": ".", "encoding": "UTF-8",
        "interactions": {**NAMES, "time_zone": "Europe/Paris", "price": {"column": "price", "decimal": "."}},
        "products": {"title": "title", "category": {"column": "category", "separator": "|"}, "decimal": "."},
        "users": {"age_band": "age", "repeated": "latest", "latest_by": "seen", "date_format": "%Y-%m-%d"},
        "event_types": {"cart": "cart_add"}, "returns": "cancel", "return_prefix": "C", "guests": "ignore",
    }  # fmt: skip
    assert idle(tmp_path, folder, mapping) == []


def test_clicks_have_a_column_that_nothing_reads_and_vectors_that_may_lack(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "raw",
        actions_csv="user_id,action,date,products,page\nu,0,2024-01-05T10:00:00Z,tea,p\n",
        catalog_csv="product_id\ntea\n",
    )
    mapping = {
        "actions": {"pageId": "page"},
        "vectors": {"file": "v.npz"},
        "catalog_vector_mapping": {"vector_id": "v"},
    }
    assert idle(tmp_path, folder, mapping, "clickstream") == [
        "actions.pageId in the mapping does nothing: nothing reads it.",
        "catalog_vector_mapping.vector_id in the mapping does nothing: there is no file of catalog_vector_mapping.",
        "vectors.file in the mapping does nothing: there is no file of catalog_vector_mapping.",
    ]


def test_a_dry_run_says_them_too(tmp_path: Path) -> None:
    options = ["--path", str(shop(tmp_path)), "--mapping", mapping_file(tmp_path, {"users": {"region": "state"}})]
    (tmp_path / "params.yaml").write_text("ingest: {adapter: ecommerce, max_dropped_share: 1.0}")
    result = CliRunner().invoke(app, ["ingest", "--dry-run", "--root", str(tmp_path), *options], catch_exceptions=False)
    assert "users.region in the mapping does nothing: there is no file of users." in result.output
