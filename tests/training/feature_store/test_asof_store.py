"""The point-in-time join of our offline store answers as Feast's own."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import String

from contracts.errors import InvalidInput
from contracts.features import names
from tests.support.shops.purchases import ITEM_IDS, LOOKS, MANY, PURCHASES, built, seconds
from tests.support.workspaces.workspace import new_workspace
from training.engine import connect_duckdb
from training.feature_store.asof_store import refuse_unsupported
from training.feature_store.store import apply_definitions, features_as_of, materialize_users, open_store
from training.settings import DuckDBSettings
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
    assert open_store(workspace).config.offline_store.type == "training.feature_store.asof_store.AsofOfflineStore"
    other = new_workspace(tmp_path / "root", "{}")
    path = other.feature_repo / "feature_store.yaml"
    path.write_text(path.read_text().replace("type: duckdb", "type: dask"))
    assert open_store(other).config.offline_store.type == "dask"


def test_no_rows_are_asked_for(workspace: Workspace) -> None:
    none = np.array([], dtype=np.int64)
    empty = features_as_of(open_store(workspace), names.QUERY_SERVICE, names.USER_ID, [], none)
    assert isinstance(empty, pa.Table)
    assert empty.num_rows == 0


def test_it_works_within_the_limits_that_it_is_given(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[DuckDBSettings | None] = []

    def watched(limits: DuckDBSettings | None = None) -> Any:
        used.append(limits)
        return connect_duckdb(limits)

    monkeypatch.setattr("training.feature_store.asof_store.connect_duckdb", watched)
    limits = DuckDBSettings(memory_gb=0.5, threads=1)
    features_as_of(open_store(workspace, limits=limits), names.QUERY_SERVICE, names.USER_ID, ["u1"], seconds(31))
    materialize_users(workspace, limits=limits)
    assert len(used) == 1 + len(names.USER_VIEWS) + 1  # the last one reads what a history lacks
    assert set(used) == {limits}


def view(ttl: int = 0, entities: int = 1, **source: Any) -> FeatureView:
    keys = [Entity(name=f"key{at}", join_keys=[f"key{at}"], value_type=ValueType.STRING) for at in range(entities)]
    file = FileSource(name="file", path="x.parquet", timestamp_field="event_timestamp", **source)
    schema = [Field(name=key.join_key, dtype=String) for key in keys]
    return FeatureView(name="prices", entities=keys, ttl=timedelta(days=ttl), schema=schema, source=file)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ttl": 3}, "prices has a ttl of 3 days"),
        ({"entities": 2}, "prices has the join keys key0, key1"),
        ({"created_timestamp_column": "created"}, "prices has a created_timestamp_column"),
        ({"field_mapping": {"a": "b"}}, "prices has a field_mapping"),
    ],
)
def test_what_it_would_answer_wrongly_is_refused(asked: dict[str, Any], said: str) -> None:
    refuse_unsupported([view()])
    with pytest.raises(InvalidInput, match=rf"{said}.*needs ttl=timedelta\(0\), one join key"):
        refuse_unsupported([view(), view(**asked)])
