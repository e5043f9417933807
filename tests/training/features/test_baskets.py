"""Sources that know no baskets: what a user buys within a quarter hour is one, in every table made of purchases."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.features import names
from tests.support.shops.purchases import PURCHASES, SETTINGS, seconds, write_ingested
from tests.support.workspaces.workspace import new_workspace
from training.dataset.build import build_dataset
from training.dataset.dataset import Dataset
from training.engine import connect_duckdb
from training.feature_store.store import apply_definitions
from training.features.build import build_features
from training.features.copurchase import build_copurchase
from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """PURCHASES with no basket_id in them."""
    workspace = new_workspace(tmp_path_factory.mktemp("shop") / "root", "{}")
    write_ingested(workspace, PURCHASES)
    events = pq.read_table(workspace.ingested("events"))
    at = events.column_names.index("basket_id")
    pq.write_table(events.set_column(at, "basket_id", pa.nulls(len(events), pa.string())), workspace.ingested("events"))
    connection = connect_duckdb()
    build_features(workspace, SETTINGS, connection, lambda _: None)
    apply_definitions(workspace)
    build_dataset(workspace, connection, lambda _: None)
    return workspace


def test_an_item_bought_again_is_bought_in_each_window(workspace: Workspace) -> None:
    dataset = Dataset(workspace)
    milk = dataset.item_ids.index("milk")
    for day in (1, 11, 21):  # u1 buys it on each
        assert milk in dataset.bought(seconds(day), seconds(day + 1))["u1"]


def test_positives_tell_first_purchases_from_repeats(workspace: Workspace) -> None:
    positives = Dataset(workspace).positives()
    items = [Dataset(workspace).item_ids[row] for row in positives.item_rows]
    found = sorted(zip(positives.seconds.tolist(), items, positives.is_repeat.tolist(), strict=True))
    # The towers learn from the two weeks before the cutoff on the 24th.
    expected = [(11, "milk", True), (20, "bread", False), (21, "milk", True)]
    assert found == [(seconds(day, 12), item, repeat) for day, item, repeat in expected]


def test_companions_are_those_of_one_user_and_one_quarter_hour(workspace: Workspace) -> None:
    report = build_copurchase(workspace, connect_duckdb())
    rows = {row["item_id"]: row[names.COPURCHASE_ITEM_IDS] for row in pq.read_table(workspace.copurchase).to_pylist()}
    # u1 bought milk and bread together on the first; what u2 bought alone has no companion.
    assert rows == {"milk": ["bread"], "bread": ["milk"]}
    assert report.baskets == 5
