"""What materializing leaves in the online store is what Feast's own engine leaves there, byte for byte."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis
import yaml
from feast.infra.online_stores.sqlite import SqliteOnlineStore
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from contracts.features.names import USER_VIEWS
from tests.support.each import each
from tests.support.real_parts.redis_server import RedisServer
from tests.support.shops.purchases import MANY, PURCHASES, built
from tests.support.workspaces.workspace import new_workspace
from training.feature_store.online_rows import _list_messages
from training.feature_store.store import apply_definitions, materialize_users, open_store
from training.workspace import Workspace


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ingest and features have written, which each workspace copies."""
    workspace = new_workspace(tmp_path_factory.mktemp("tables"), "{}")
    built(workspace, PURCHASES + MANY)
    return workspace.data


@pytest.fixture(scope="module")
def shop(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose users our engine has materialized in SQLite; each test leaves it so."""
    return materialized(tmp_path_factory.mktemp("shop"), tables, {})


def materialized(
    root: Path, tables: Path, changes: dict[str, Any], without: str = "", slice_rows: int = 7
) -> Workspace:
    """A workspace whose users were materialized; with the store's settings changed, and one of them left out."""
    workspace = new_workspace(root, "{}")
    path = workspace.feature_repo / "feature_store.yaml"
    store = yaml.safe_load(path.read_text()) | changes
    store["materialization_config"] = {"online_write_batch_size": slice_rows}
    store.pop(without, None)
    path.write_text(yaml.safe_dump(store))
    shutil.copytree(tables, workspace.data)
    apply_definitions(workspace)
    materialize_users(workspace)
    return workspace


def sqlite_rows(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(workspace.feature_repo / "data" / "online.db")) as store:
        return {
            view: store.execute(f"SELECT * FROM tandem_{view} ORDER BY entity_key, feature_name").fetchall()  # noqa: S608
            for view in USER_VIEWS
        }


def redis_rows(port: int) -> dict[bytes, dict[bytes, bytes]]:
    with redis.Redis(port=port) as client:
        return {key: client.hgetall(key) for key in client.scan_iter()}


def test_sqlite_holds_what_feasts_engine_writes(shop: Workspace, tables: Path, tmp_path: Path) -> None:
    ours = sqlite_rows(shop)
    feasts = sqlite_rows(materialized(tmp_path, tables, {}, without="batch_engine"))
    assert ours == feasts
    assert {view: len(rows) for view, rows in ours.items()}["user_history"] == 32 * 6  # users by features


def test_writing_again_replaces_what_was_there(shop: Workspace) -> None:
    before = sqlite_rows(shop)
    with closing(sqlite3.connect(shop.feature_repo / "data" / "online.db")) as store, store:
        store.execute("UPDATE tandem_user_statistics SET value = x'00', event_ts = NULL")
    materialize_users(shop)
    assert sqlite_rows(shop) == before


def test_without_a_slice_size_everything_is_written_at_once(tables: Path, tmp_path: Path) -> None:
    """Feast's own engine would write the first Arrow batch only."""
    workspace = materialized(tmp_path, tables, {}, without="materialization_config")
    assert len(sqlite_rows(workspace)["user_statistics"]) == 32


def test_a_view_without_rows_writes_nothing(shop: Workspace) -> None:
    before = sqlite_rows(shop)
    store = open_store(shop)
    long_ago = datetime(1970, 1, 2, tzinfo=UTC)
    store.materialize(start_date=long_ago, end_date=long_ago + timedelta(days=1), feature_views=list(USER_VIEWS))
    assert sqlite_rows(shop) == before


def test_redis_holds_what_feasts_engine_writes(
    tables: Path, tmp_path: Path, redis_server: Callable[..., RedisServer]
) -> None:
    redis_port = redis_server().port
    online = {"online_store": {"type": "redis", "connection_string": f"127.0.0.1:{redis_port}"}}
    materialized(tmp_path / "ours", tables, online)
    ours = redis_rows(redis_port)
    with redis.Redis(port=redis_port) as client:
        client.flushall()
    materialized(tmp_path / "feasts", tables, online, without="batch_engine")
    assert ours == redis_rows(redis_port)
    assert len(ours) == 33  # who bought, and u3, of whom only the profile is known


def test_redis_keeps_what_is_as_new_and_replaces_what_is_older(
    tables: Path, tmp_path: Path, redis_server: Callable[..., RedisServer]
) -> None:
    """As Feast's store does: a hash that knows the same moment, or a later one, is left alone; others expire."""
    port = redis_server().port
    connection = {"type": "redis", "connection_string": f"127.0.0.1:{port}", "key_ttl_seconds": 1000}
    workspace = materialized(tmp_path, tables, {"online_store": connection})
    before = redis_rows(port)
    statistics = {field for row in before.values() for field in row} - {b"_ts:user_statistics"}
    with redis.Redis(port=port) as client:
        assert all(0 < client.ttl(key) <= 1000 for key in each(before))
        same, older, *_ = (key for key, row in before.items() if b"_ts:user_statistics" in row)
        for key in (same, older):
            client.hset(key, mapping=dict.fromkeys(statistics & before[key].keys(), b""))
        for field in [field for field in before[older] if field.startswith(b"_ts:")]:
            client.hset(older, field, b"\x08\x01")  # one second after 1970
        materialize_users(workspace)
        assert client.hgetall(older) == before[older]
        assert client.hgetall(same) != before[same]


def test_lists_that_are_empty_or_not_known_are_messages_of_their_own() -> None:
    lists = pa.array([["never"], None, [], ["a", "b"]], pa.list_(pa.string())).slice(1)
    expected = python_values_to_proto_values([None, [], ["a", "b"]], ValueType.STRING_LIST)
    assert _list_messages(lists, ValueType.STRING_LIST) == expected
    numbers = pa.array([[1.5, -2.0], []], pa.list_(pa.float32()))
    assert _list_messages(numbers, ValueType.FLOAT_LIST) == python_values_to_proto_values(
        [[1.5, -2.0], []], ValueType.FLOAT_LIST
    )


def test_a_store_of_another_kind_gets_what_feast_would_give_it(shop: Workspace) -> None:
    """Everything through `online_write_batch`, rows by key."""
    written: list[tuple[str, Any]] = []

    class Kept(SqliteOnlineStore):  # type: ignore[misc]
        def online_write_batch(self, config: Any, table: Any, data: list[Any], progress: Any) -> None:
            written.extend((table.name, row) for row in data)

    store = open_store(shop)
    engine = store._get_provider().batch_engine
    engine.online_store = Kept()
    engine.repo_config.online_store.type = "kept"
    store.materialize(
        start_date=datetime(1970, 1, 2, tzinfo=UTC),
        end_date=datetime(2030, 1, 1, tzinfo=UTC),
        feature_views=["user_history"],
    )
    assert len(written) == 32
    view, (key, features, moment, created) = written[0]
    assert (view, key.entity_values[0].string_val, created) == ("user_history", "u1", None)
    assert moment == datetime(2024, 1, 31, tzinfo=UTC)
    assert list(features["history_item_ids"].string_list_val.val) == ["milk", "bread"]
