"""The mapping file: what it may name, and what it is refused for."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import InvalidInput
from tandem.__main__ import app
from tests.support.shops.shop_files import (
    EVENT,
    INTERACTIONS,
    SHOP_EVENTS,
    read_rows,
    rows_of,
    run,
    shop,
    source_of,
    unreadable,
    write,
)
from training.ingest.adapters.event_names import event_types_of
from training.ingest.adapters.mapping import load_mapping
from training.workspace import Workspace


def test_a_mapped_column_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"interactions\.user_id is mapped to 'visitor'; interactions has event_id"):
        run(tmp_path, "ecommerce", shop(tmp_path), {"interactions": {"user_id": "visitor"}})


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "Europe"])
def test_a_zone_must_exist(tmp_path: Path, zone: str) -> None:
    with pytest.raises(InvalidInput, match="expected an IANA name"):
        run(tmp_path, "ecommerce", shop(tmp_path), {"time_zone": zone})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- a", "holds no mapping"),
        ("a: [1]", r"a in .* is \['1'\], expected a name"),
        ("{", "Cannot read the mapping"),
        ("interactions: {user_id: a}\ninteractions: {price: p}", "the key 'interactions' is there twice"),
        (
            "interactions: {user_id: a}\ninteractions.user_id: b",
            r"says twice what interactions\.user_id is: 'a' and 'b'",
        ),
        ("x: {column: a}\nx.column: b", "says twice what x is"),
    ],
)
def test_a_mapping_that_is_none_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "m.yaml").write_text(content)
    with pytest.raises(InvalidInput, match=message):
        load_mapping(str(tmp_path / "m.yaml"))


@pytest.mark.parametrize(
    "more", [{"column": "user_id", "value": "x"}, {"column": "user_id", "path": "u=*"}, {"value": "x", "path": "u=*"}]
)
def test_a_column_is_filled_in_one_way(tmp_path: Path, more: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=r"Of a column one thing can be said.*interactions\.user_id\.(value|path)"):
        run(tmp_path, "ecommerce", shop(tmp_path), {"interactions": {"user_id": more}})


def test_the_command_line_overrides_the_parameters(tmp_path: Path) -> None:
    folder = shop(tmp_path, INTERACTIONS.replace("user_id", "visitor"))
    (tmp_path / "params.yaml").write_text("ingest: {adapter: complete-journey, max_dropped_share: 0.5}")
    (tmp_path / "shop.yaml").write_text("interactions: {user_id: visitor}")
    options = ["--adapter", "ecommerce", "--path", str(folder), "--mapping", str(tmp_path / "shop.yaml")]
    result = CliRunner().invoke(app, ["ingest", "--root", str(tmp_path), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(Workspace(tmp_path).ingest_report.read_text())["adapter"] == "ecommerce"
    assert rows_of(tmp_path, "events", *EVENT) == SHOP_EVENTS


def test_the_help_shows_a_mapping() -> None:
    shown = CliRunner().invoke(app, ["ingest", "--help"]).output
    assert "user_id: visitor" in shown
    assert "bought: purchase" in shown


def test_all_columns_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", interactions_csv="visitor,sku\nv,s\n", products_csv="item_id\ns\n")
    said = r"a column event_type and a column user_id and a column event_timestamp: interactions has visitor, sku\. Say"
    with pytest.raises(InvalidInput, match=said):
        run(tmp_path, "ecommerce", folder)


def test_a_column_that_is_there_under_a_name_like_the_mapped_one_is_offered(tmp_path: Path) -> None:
    folder = write(tmp_path / "shop", interactions_csv="userId,sku\nv,s\n", products_csv="item_id\ns\n")
    with pytest.raises(InvalidInput, match=r"mapped to 'userid' \(did you mean 'userId'\?\); interactions has userId"):
        run(tmp_path, "ecommerce", folder, {"interactions": {"user_id": "userid"}})


def test_return_is_an_event_type_where_a_policy_says_what_returns_do(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"unknown event types: back: return\. .* `returns: cancel` or `returns: ignore`"
    ):
        event_types_of({"event_types.back": "return"})
    assert event_types_of({"event_types.back": "return", "returns": "cancel"}) == {"back": "return"}


def test_two_spellings_of_an_event_name_are_one_type() -> None:
    assert event_types_of({"event_types.Buy": "purchase", "event_types.buy ": "purchase"}) == {"buy": "purchase"}
    with pytest.raises(InvalidInput, match="says two things of 'buy': purchase and view"):
        event_types_of({"event_types.Buy": "purchase", "event_types.buy": "view"})


@pytest.mark.parametrize("kind", ["like", "ignore"])
@pytest.mark.parametrize(
    "names",
    [{"İNCELE": "İNCELE", "ΑΓΟΡΑΣ": "αγορας", "gekauft-größe": "GEKAUFT-GRÖSSE", "buy": "Buy\u00a0",
      "column": "column", "my.column": "My.Column", "value": "value", "path": "PATH", "geöffnet": "GEO\u0308FFNET"},
     {"geo\u0308ffnet": "Geöffnet"}],
    ids=["many", "the last of them the other way round"],
)  # fmt: skip
def test_an_event_name_is_matched_whatever_its_letters(tmp_path: Path, names: dict[str, str], kind: str) -> None:
    rows = [f"{mapped},tea,{written},2024-01-05T10:00:00Z\n" for mapped, written in names.items()]
    folder = shop(tmp_path, "".join(["user_id,item_id,event_type,event_timestamp\n", *rows]))
    events = source_of(tmp_path, "ecommerce", folder, {"event_types": dict.fromkeys(names, kind)}).events.to_pyarrow()
    liked = sorted((mapped, "like") for mapped in names) if kind == "like" else []
    assert read_rows(events, "user_id", "event_type") == liked
    assert unreadable(events) == ({} if liked else {"ignored": len(names)})


def test_columns_that_differ_from_ours_in_case_or_blanks_are_offered_and_named(tmp_path: Path) -> None:
    events = "event_type,User ID,item_id,event_timestamp,Price,Quantity\nview,u,s,2024-01-05T10:00:00Z,1,2\n"
    folder = write(tmp_path / "shop", interactions_csv=events, products_csv="item_id,Title,BRAND \ns,Salt,b\n")
    with pytest.raises(InvalidInput, match=r'Say in the mapping which they are: `interactions: {user_id: "User ID"}`'):
        run(tmp_path, "ecommerce", folder)
    mapping = {"interactions": {"user_id": "User ID", "basket_id": "Quantity"}}
    report = run(tmp_path, "ecommerce", folder, mapping)
    assert report.warnings[:3] == (
        "The column 'Price' of interactions is not used. If it is price, map it: `price: \"Price\"`.",
        "The column 'Title' of products is not used. If it is title, map it: `title: \"Title\"`.",
        "The column 'BRAND ' of products is not used. If it is brand, map it: `brand: \"BRAND \"`.",
    )
