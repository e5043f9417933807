"""The same Ibis code on DuckDB and on Spark (two worker processes) gives the same rows. Needs Java and PySpark."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.features import names
from tests.support.shops.purchases import ACTIVITY, LOOKS, PURCHASES, SETTINGS, write_ingested
from tests.support.workspaces.workspace import new_workspace
from training.dataset.build import build_dataset
from training.dataset.dataset import Dataset
from training.engine import connect, remove
from training.feature_store.store import apply_definitions, features_as_of, materialize_users, open_store
from training.features.build import build_features
from training.features.copurchase import build_copurchase
from training.ingest.ingest import ingest
from training.settings import Engine, FeatureSettings, IngestSettings
from training.workspace import Workspace

pytest.importorskip("pyspark", reason="PySpark is not installed: `make test-spark` installs it")
pytestmark = [
    pytest.mark.spark,
    # PySpark with pandas and with Ibis; each entry goes when the libraries have moved on.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

VIEWS = (*names.USER_VIEWS, names.ITEM_PROFILE_VIEW, names.ITEM_STATISTICS_VIEW, names.ITEM_HOLIDAYS_VIEW)


@pytest.fixture(scope="module")
def spark() -> Iterator[ibis.BaseBackend]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        connection = connect(Engine.SPARK, "local-cluster[2,1,1024]")
        yield connection
        connection.disconnect()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, spark: ibis.BaseBackend) -> tuple[Workspace, Workspace]:
    """The same 40 households of real purchases through ingest, features and copurchase on each engine."""
    duckdb = connect(Engine.DUCKDB, "")
    workspaces = []
    for name, connection in (("duckdb", duckdb), ("spark", spark)):
        workspace = new_workspace(tmp_path_factory.mktemp(name) / "root", "{}")
        ingest(workspace, IngestSettings(max_users=40), connection)
        settings = FeatureSettings(ranker_windows=1, two_tower_weeks=6, holidays="US")
        build_features(workspace, settings, connection, lambda _: None)
        build_copurchase(workspace, connection)
        workspaces.append(workspace)
    return workspaces[0], workspaces[1]


def rows(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    keys = [c for c in (names.USER_ID, names.ITEM_ID, "event_id", names.EVENT_TIMESTAMP) if c in frame.columns]
    if names.EVENT_TIMESTAMP in frame.columns:
        frame[names.EVENT_TIMESTAMP] = pd.to_datetime(frame[names.EVENT_TIMESTAMP], utc=True)
    ordered: pd.DataFrame = frame.sort_values(keys, ignore_index=True)
    return ordered


def equal(left: Any, right: Any) -> bool:
    if isinstance(left.iloc[0], np.ndarray):
        same = np.allclose if left.iloc[0].dtype.kind == "f" else np.array_equal
        return all(len(a) == len(b) and same(a, b) for a, b in zip(left, right, strict=True))
    if left.dtype.kind == "f":
        return bool(np.allclose(left, right.astype(float), rtol=1e-9, equal_nan=True))
    return bool(((left == right) | (left.isna() & right.isna())).all())


def assert_same(duckdb: Path, spark: Path) -> None:
    expected, found = rows(duckdb), rows(spark)
    assert list(expected.columns) == list(found.columns)
    assert len(expected) == len(found) > 0
    different = [column for column in expected if not equal(expected[column], found[column])]
    assert different == []


@pytest.mark.parametrize("table", ["events", "users", "items", "quarantine"])
def test_ingest_is_the_same_on_spark(both: tuple[Workspace, Workspace], table: str) -> None:
    assert_same(both[0].ingested(table), both[1].ingested(table))


@pytest.mark.parametrize("view", VIEWS)
def test_every_feature_is_the_same_on_spark(both: tuple[Workspace, Workspace], view: str) -> None:
    assert_same(both[0].feature_table(view), both[1].feature_table(view))


def test_windows_of_the_other_event_types_are_the_same_on_spark(
    both: tuple[Workspace, Workspace], spark: ibis.BaseBackend, tmp_path: Path
) -> None:
    """Households only buy: their tables are without rows, the made-up shop's are not."""
    views = (names.USER_ACTIVITY_VIEW, names.ITEM_ACTIVITY_VIEW)
    assert [rows(workspace.feature_table(view)).empty for workspace in both for view in views] == [True] * 4
    workspaces = []
    for name, connection in (("duckdb", connect(Engine.DUCKDB, "")), ("spark", spark)):
        workspace = new_workspace(tmp_path / name, "{}")
        write_ingested(workspace, PURCHASES, [*LOOKS, *ACTIVITY])
        build_features(workspace, SETTINGS, connection, lambda _: None)
        workspaces.append(workspace)
    for view in views:
        assert_same(workspaces[0].feature_table(view), workspaces[1].feature_table(view))


def test_companions_are_the_same_on_spark(both: tuple[Workspace, Workspace]) -> None:
    assert_same(both[0].copurchase, both[1].copurchase)


@pytest.mark.parametrize("service", [names.SERVING_SERVICE, names.CANDIDATE_SERVICE])
def test_the_point_in_time_join_is_the_same_in_feasts_spark_store(
    both: tuple[Workspace, Workspace], service: str
) -> None:
    """Both stores read the files that DuckDB wrote, each row as of a moment of its own; one id is unknown."""
    workspace = both[0]
    apply_definitions(workspace)
    key = names.USER_ID if service == names.SERVING_SERVICE else names.ITEM_ID
    events = pq.read_table(workspace.ingested("events"), columns=[key, names.EVENT_TIMESTAMP]).slice(20_000, 3000)
    ids = [*events.column(key).to_pylist(), "nobody"]
    seconds = events.column(names.EVENT_TIMESTAMP).cast(pa.timestamp("s", "UTC")).cast("int64").to_numpy()
    moments = np.append(seconds, seconds[-1])
    found = {
        engine: features_as_of(open_store(workspace, engine), service, key, ids, moments).to_pandas()
        for engine in Engine
    }
    expected, joined = found[Engine.DUCKDB], found[Engine.SPARK][found[Engine.DUCKDB].columns]
    assert len(expected) == len(joined) == len(ids)
    known = expected[names.SEQUENCE_ITEM_IDS if key == names.USER_ID else "item_price"].notna()
    assert 1000 < known.sum() < len(ids)
    different = [
        column
        for column in expected
        if list(expected[column].isna()) != list(joined[column].isna())
        or not equal(expected[column].dropna(), joined[column].dropna())
    ]
    assert different == []
    remove(workspace.spark_staging)


def test_users_materialized_by_spark_are_those_of_duckdb(both: tuple[Workspace, Workspace]) -> None:
    workspace = both[0]
    apply_definitions(workspace)
    users = pq.read_table(workspace.ingested("users")).column(names.USER_ID).to_pylist()
    read = {}
    for engine in Engine:
        (workspace.feature_repo / "data" / "online.db").unlink(missing_ok=True)
        apply_definitions(workspace)
        materialize_users(workspace, engine)
        store = open_store(workspace)
        service = store.get_feature_service(names.SERVING_SERVICE)
        asked = [{names.USER_ID: user} for user in users]
        read[engine] = store.get_online_features(features=service, entity_rows=asked).to_dict()
    duckdb, spark = read[Engine.DUCKDB], read[Engine.SPARK]
    values = [duckdb.pop(names.USER_STATISTICS_VALUES), spark.pop(names.USER_STATISTICS_VALUES)]
    assert np.allclose(*values)
    assert duckdb == spark
    assert not workspace.spark_staging.exists()


def test_the_training_sets_are_the_same_on_spark(both: tuple[Workspace, Workspace], spark: ibis.BaseBackend) -> None:
    workspace = both[0]
    apply_definitions(workspace)
    queries = {}
    for engine, connection in ((Engine.DUCKDB, connect(Engine.DUCKDB, "")), (Engine.SPARK, spark)):
        build_dataset(workspace, connection, lambda _: None, engine)
        dataset = Dataset(workspace)
        positives, moment = dataset.positives(), dataset.moment(dataset.timeline.cutoff)
        queries[engine] = [*positives.queries.values(), positives.query_rows, positives.item_rows, positives.is_repeat,
                           positives.item_statistics, *moment.queries.values(), moment.item_statistics, dataset.text,
                           *(history.counts for history in moment.histories)]  # fmt: skip
        bought = dataset.bought(dataset.timeline.cutoff, dataset.timeline.data_end)
        queries[engine] += [np.sort(bought[user]) for user in sorted(bought)]
    assert len(queries[Engine.DUCKDB]) == len(queries[Engine.SPARK]) > 30
    for expected, found in zip(queries[Engine.DUCKDB], queries[Engine.SPARK], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_files_behind_a_url_are_read_on_spark(tmp_path: Path, spark: ibis.BaseBackend) -> None:
    """Through fsspec in this process, whatever the scheme; Spark needs no connector for it."""
    folder = fsspec.filesystem("memory")
    interactions = pa.table(
        {
            "user_id": ["u1", "u2"], "item_id": ["milk", "milk"], "event_type": ["view", "purchase"],
            "event_timestamp": pa.array([1_704_110_400, 1_704_114_000], pa.timestamp("s", "UTC")),
        }
    )  # fmt: skip
    with folder.open("/shop/interactions.parquet", "wb") as file:
        pq.write_table(interactions, file)
    with folder.open("/shop/products.csv", "wb") as file:
        file.write(b"item_id,title\nmilk,Milk\n")
    workspace = Workspace(tmp_path)
    report = ingest(workspace, IngestSettings(adapter="ecommerce", path="memory://shop"), spark)
    assert (report.events_in, report.events_kept, report.items) == (2, 2, 1)


@pytest.mark.usefixtures("spark")
def test_a_shops_own_texts_are_read_the_same_on_spark(tmp_path: Path) -> None:
    """Functions of ours read times, numbers, lists and names of events; Spark hands over one text, or a null."""
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "interactions.csv").write_text(
        "user_id;item_id;event_type;event_timestamp;price;quantity\n"
        "u1;tea; View ;2024-01-01 10:00;;\n"
        "u1;tea;KÖPA;2024-01-01T11:00:00+02:00;1.234,50 EUR;2\n"
        "u2;tea;köpa;2024-01-02 10:00;EUR 7,5;1\n"
        "u2;milk;köpa;2024-01-02 10:00;;1\n"
        "u2;milk;köpa;2024-01-03 10:00;0,99;-1\n"
        "u3;milk;köpa;yesterday;1;1\n"
        "u3;milk;waved;2024-01-02 10:00;1;1\n"
    )
    (shop / "products.csv").write_text(
        'item_id;title;category;hall\ntea;Tea;"[""hot"", ""leaves""]";1\nmilk;Milk;cold;2\nsalt;Salt;;9\n'
    )
    (shop / "halls.csv").write_text("hall;name\n1;Dry\n2;Fresh\n")
    (shop / "mapping.yaml").write_text(
        'event_types: {köpa: purchase}\ndecimal: ","\ntime_zone: Europe/Stockholm\nreturns: cancel\n'
        "products: {join: {hall: {file: halls.csv, by: hall}}, department: hall.name}\n"
    )
    given = str(shop / "mapping.yaml")
    settings = IngestSettings(adapter="ecommerce", path=str(shop), mapping=given, max_dropped_share=1.0)
    found, reports = [], []
    for engine in (Engine.DUCKDB, Engine.SPARK):  # as a command connects, after Feast has used the session
        workspace, connection = Workspace(tmp_path / engine), connect(engine, "local-cluster[2,1,1024]")
        reports.append(ingest(workspace, settings, connection))
        found.append({table: rows(workspace.ingested(table)) for table in ("events", "items", "users")})
    assert (reports[0].events_in, reports[0].events_kept) == (reports[1].events_in, reports[1].events_kept) == (7, 3)
    assert [report.warnings[-1] for report in reports] == [reports[0].warnings[-1]] * 2
    assert found[0]["items"]["department"].tolist().count("Dry") == 1
    for table, expected in found[0].items():
        pd.testing.assert_frame_equal(found[1][table][expected.columns], expected, check_dtype=False)


def test_nothing_is_left_of_the_scratch_tables(both: tuple[Workspace, Workspace]) -> None:
    left = [path for workspace in both for path in workspace.data.rglob(".*") if path.suffix == ".parquet"]
    assert left == []
    for workspace in both:
        shutil.rmtree(workspace.root)
