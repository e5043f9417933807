"""Pairs within a basket, counted by hand."""

from typing import Any

import ibis
import pandas as pd
import pytest

from contracts.errors import MissingArtifact
from contracts.features import names
from training.engine import connect_duckdb
from training.features.copurchase import build_copurchase, companions
from training.workspace import Workspace

LINES = [
    *(("b1", item) for item in ("milk", "bread", "salt")),
    *(("b2", item) for item in ("milk", "bread", "milk")),  # a second line of the same item is not a second basket
    *(("b3", item) for item in ("milk", "salt")),
    ("b4", "candle"),
]


def companions_of(lines: list[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    purchases = ibis.memtable(pd.DataFrame(lines, columns=["basket_id", "item_id"]))
    items = ibis.memtable(pd.DataFrame([(i, i.upper()) for _, i in set(lines)], columns=["item_id", "title"]))
    rows = connect_duckdb().execute(companions(purchases, items.distinct(), moment=86_400))
    return {row["item_id"]: row for row in rows.to_dict("records")}


def test_pairs_count_in_both_directions_once_a_basket() -> None:
    found = companions_of(LINES)
    # milk and bread: b1, b2; milk and salt: b1, b3; bread and salt: b1. Equal counts are in order of id.
    assert list(found["milk"][names.COPURCHASE_ITEM_IDS]) == ["bread", "salt"]
    assert list(found["milk"][names.COPURCHASE_COUNTS]) == [2, 2]
    assert list(found["salt"][names.COPURCHASE_ITEM_IDS]) == ["milk", "bread"]
    assert list(found["salt"][names.COPURCHASE_COUNTS]) == [2, 1]
    assert list(found["bread"]["copurchase_titles"]) == ["MILK", "SALT"]


def test_an_item_that_is_always_bought_alone_has_no_row() -> None:
    assert "candle" not in companions_of(LINES)


def test_only_the_five_most_frequent_are_kept() -> None:
    lines = [(f"b{n}", item) for n in range(7) for item in ("milk", *(f"i{k}" for k in range(n + 1)))]
    # i0 is in 7 baskets with milk, i1 in 6, ... i6 in 1.
    assert list(companions_of(lines)["milk"][names.COPURCHASE_ITEM_IDS]) == ["i0", "i1", "i2", "i3", "i4"]
    assert list(companions_of(lines)["milk"][names.COPURCHASE_COUNTS]) == [7, 6, 5, 4, 3]


def test_copurchase_before_ingest_names_the_missing_step(empty_workspace: Workspace) -> None:
    with pytest.raises(MissingArtifact, match="tandem ingest"):
        build_copurchase(empty_workspace, connect_duckdb())
