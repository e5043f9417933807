"""Feast as the pipeline uses it: apply, point-in-time reads that count their rows, materialize."""

import contextlib
import importlib.util
import io
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import TandemError
from contracts.features.names import (
    EVENT_TIMESTAMP,
    HISTORY_ITEM_IDS,
    ITEM_ACTIVITY,
    ITEM_ACTIVITY_VALUES,
    ITEM_COPURCHASE_VIEW,
    SERVING_SERVICE,
    USER_ACTIVITY,
    USER_ACTIVITY_VALUES,
    USER_BOUGHT_VIEW,
    USER_HISTORY_VIEW,
    USER_ID,
    USER_STATISTICS,
    USER_STATISTICS_VALUES,
    USER_VIEWS,
)
from training.engine import remove
from training.feature_store.feast_import import Entity, FeatureService, FeatureStore, FeatureView
from training.settings import DuckDBSettings, Engine
from training.timeline import Timeline
from training.workspace import Workspace, require

ROW_ID = "row_id"
ASOF_OFFLINE_STORE = "training.feature_store.asof_store.AsofOfflineStore"
SPARK_OFFLINE_STORE = "training.feature_store.spark_store.ParquetSparkOfflineStore"
READ_BACK_USERS = 200
PACKED = {
    USER_STATISTICS_VALUES: USER_STATISTICS,
    USER_ACTIVITY_VALUES: USER_ACTIVITY,
    ITEM_ACTIVITY_VALUES: ITEM_ACTIVITY,
}
"""Array features, and the names of the numbers in them."""


def apply_definitions(workspace: Workspace) -> None:
    """Registers feature_definitions.py; what `feast apply` in the folder does, without its eight seconds of start.

    Raises MissingArtifact where there is no such file.
    """
    path = require(workspace.feature_repo / "feature_definitions.py", "git checkout feature_repo")
    (workspace.feature_repo / "data").mkdir(exist_ok=True)
    # Loaded under a name of its own: each workspace has definitions that point at its own files.
    spec = importlib.util.spec_from_file_location("applied_feature_definitions", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    registered = (Entity, FeatureView, FeatureService)
    store = open_store(workspace)
    store.apply([value for value in vars(module).values() if isinstance(value, registered)])
    _let_readers_go_on(store)


def _let_readers_go_on(store: FeatureStore) -> None:
    """Puts an SQLite online store into write-ahead mode, which the file keeps.

    In its default mode a large write locks readers out for as long as it takes, and some of them give up.
    """
    online = store.config.online_store
    if online.type == "sqlite":
        with contextlib.closing(sqlite3.connect(store.repo_path / online.path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def open_store(
    workspace: Workspace, engine: Engine = Engine.DUCKDB, limits: DuckDBSettings | None = None
) -> FeatureStore:
    """The feature store of the workspace; with Spark, point-in-time joins and reads run on the active session.

    With the engine duckdb, whatever offline store feature_store.yaml names; for Feast's DuckDB store one that joins
    faster and within the limits. The file does not name that one: the server reads it too, without the packages of
    training.
    """
    store = FeatureStore(repo_path=str(workspace.feature_repo))
    if store.config.offline_config in ("duckdb", {"type": "duckdb"}):
        store.config.offline_config = {"type": ASOF_OFFLINE_STORE, "limits": limits or DuckDBSettings()}
    if engine is Engine.SPARK:
        # Results pass through files that workers write, as Ibis' do, and not through this process' memory as rows.
        spark = {"type": SPARK_OFFLINE_STORE, "staging_location": str(workspace.spark_staging)}
        store.config.offline_config = spark
    return store


def features_as_of(
    store: FeatureStore,
    service: str,
    join_key: str,
    ids: Sequence[str] | npt.NDArray[np.object_],
    seconds: npt.NDArray[np.int64] | int,
) -> pa.Table:
    """Features known at each moment; row i belongs to ids[i] at seconds[i], by point-in-time join.

    DuckDB returns rows in any order and other stores were seen to lose some, so a row id travels along and the
    count is checked. Raises TandemError when rows are lost or doubled.
    """
    entity_rows = pd.DataFrame(
        {
            ROW_ID: np.arange(len(ids), dtype=np.int64),
            join_key: np.asarray(ids, dtype=object),
            EVENT_TIMESTAMP: pd.to_datetime(np.broadcast_to(seconds, len(ids)), unit="s", utc=True),
        }
    )
    job = store.get_historical_features(entity_df=entity_rows, features=store.get_feature_service(service))
    table: pa.Table = job.to_arrow()
    table = table.sort_by(ROW_ID)
    rows = table.column(ROW_ID).to_numpy()
    if len(rows) != len(ids) or not np.array_equal(rows, entity_rows[ROW_ID].to_numpy()):
        raise TandemError(
            f"The point-in-time join of {service} was asked for {len(ids)} rows and returned {len(rows)} "
            f"({len(np.unique(rows))} distinct). No training set is written from it."
        )
    return _unpacked(table.drop_columns([ROW_ID, EVENT_TIMESTAMP]))


def _unpacked(table: pa.Table) -> pa.Table:
    """The table with a column for each number of PACKED instead of their arrays.

    Raises TandemError where an array has another length: the feature tables are of another version.
    """
    for packed in [name for name in table.column_names if name in PACKED]:
        arrays, numbers = table.column(packed).combine_chunks(), PACKED[packed]
        if len(arrays.flatten()) != (len(arrays) - arrays.null_count) * len(numbers):
            raise TandemError(f"{packed} must hold {len(numbers)} numbers. Run `tandem features`.")
        table = table.drop_columns([packed])
        for at, name in enumerate(numbers):
            table = table.append_column(name, pc.list_element(arrays, at).cast(pa.float64()))
    return table


def materialize_users(
    workspace: Workspace, engine: Engine = Engine.DUCKDB, limits: DuckDBSettings | None = None
) -> None:
    """Writes each user's latest features to the online store, and reads a sample of users back.

    Raises TandemError when a user that was written cannot be read: such a store would serve popular items to everybody.
    """
    timeline = Timeline.read(require(workspace.timeline, "tandem features"))
    store = open_store(workspace, engine, limits)
    registered = {view.name for view in store.list_feature_views()}  # a workspace may have earlier definitions
    also = [USER_BOUGHT_VIEW] if USER_BOUGHT_VIEW in registered else []
    _materialize(store, [*USER_VIEWS, *also], timeline.data_end)
    remove(workspace.spark_staging)
    _check_written(store, workspace)


def materialize_copurchase(
    workspace: Workspace, engine: Engine = Engine.DUCKDB, limits: DuckDBSettings | None = None
) -> None:
    """Writes each item's companions to the online store."""
    timeline = Timeline.read(require(workspace.timeline, "tandem features"))
    require(workspace.copurchase, "tandem copurchase")
    _materialize(open_store(workspace, engine, limits), [ITEM_COPURCHASE_VIEW], timeline.data_end)
    remove(workspace.spark_staging)


def _materialize(store: FeatureStore, views: Sequence[str], until_seconds: int) -> None:
    end = datetime.fromtimestamp(until_seconds, UTC)
    with contextlib.redirect_stdout(io.StringIO()):  # Feast prints its own progress
        store.materialize(start_date=datetime(1970, 1, 2, tzinfo=UTC), end_date=end, feature_views=list(views))


def _check_written(store: FeatureStore, workspace: Workspace) -> None:
    latest = pq.read_table(workspace.feature_table(USER_HISTORY_VIEW), columns=[USER_ID, EVENT_TIMESTAMP])
    written = latest.filter(pc.equal(latest[EVENT_TIMESTAMP], pc.max(latest[EVENT_TIMESTAMP])))[USER_ID].to_pylist()
    sample = written[:: max(len(written) // READ_BACK_USERS, 1)]
    service = store.get_feature_service(SERVING_SERVICE)
    read = store.get_online_features(features=service, entity_rows=[{USER_ID: user} for user in sample]).to_dict()
    lost = [user for user, items in zip(sample, read[HISTORY_ITEM_IDS], strict=True) if items is None]
    if lost:
        raise TandemError(
            f"{len(lost)} of {len(sample)} users read back from the online store have no history, the first is "
            f"{lost[0]!r}. Remove the store and run `tandem materialize` again."
        )
