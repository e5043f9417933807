"""The point-in-time join of our offline store answers as Feast's own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from feast import FeatureStore

from contracts import features as names
from tests.conftest import new_workspace
from tests.test_features import ITEM_IDS, LOOKS, PURCHASES, built, seconds
from tests.test_online_write import MANY
from training.feature_store import apply_definitions, features_as_of, open_store
from training.workspace import Workspace

ROWS = 2000


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = new_workspace(tmp_path_factory.mktemp("shop") / "root", "{}")
    built(workspace, PURCHASES + MANY, LOOKS)
    apply_definitions(workspace)
    return workspace


def feasts(workspace: Workspace) -> FeatureStore:
    store = FeatureStore(repo_path=str(workspace.feature_repo))
    assert store.config.offline_store.type == "duckdb"
    return store


@pytest.mark.parametrize("service", [names.SERVING_SERVICE, names.CANDIDATE_SERVICE])
def test_answers_are_those_of_feasts_own_join(workspace: Workspace, service: str) -> None:
    """Before, at and after snapshots; equal rows, ids that nobody knows, and one without an id."""
    random = np.random.default_rng(3)
    key, known = (names.USER_ID, ["u1", "u2", "u3", "user 7", "nobody", None])
    if service == names.CANDIDATE_SERVICE:
        key, known = names.ITEM_ID, [*ITEM_IDS, "nothing"]
    ids = np.array(known, dtype=object)[random.integers(len(known), size=ROWS)]
    moments = random.integers(seconds(1), seconds(31) + 86_400, size=ROWS)
    moments[::5] = [seconds(day) for day in random.choice([10, 17, 24, 31], size=ROWS // 5)]
    ours, theirs = (
        features_as_of(store, service, key, ids, moments) for store in (open_store(workspace), feasts(workspace))
    )
    assert ours.num_rows == ROWS
    assert ours.equals(theirs.select(ours.column_names))
    assert 0 < ours.column(ours.num_columns - 1).null_count < ROWS


def test_another_offline_store_of_the_file_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    assert open_store(workspace).config.offline_store.type == "training.asof_store.AsofOfflineStore"
    other = new_workspace(tmp_path / "root", "{}")
    path = other.feature_repo / "feature_store.yaml"
    path.write_text(path.read_text().replace("type: duckdb", "type: dask"))
    assert open_store(other).config.offline_store.type == "dask"


def test_no_rows_are_asked_for(workspace: Workspace) -> None:
    none = np.array([], dtype=np.int64)
    empty = features_as_of(open_store(workspace), names.QUERY_SERVICE, names.USER_ID, [], none)
    assert isinstance(empty, pa.Table)
    assert empty.num_rows == 0
