"""A person's row in Feast's online store: every feature view, past and present, has it under one key."""

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import redis
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from contracts.errors import InvalidInput
from contracts.features.names import ONLINE_SERVICE, USER_ID
from serving.features.lookup import OnlineStoreError
from serving.features.reader import definitions_of
from serving.runtime.sqlite_rewrite import rewrite

BUSY_SECONDS: Final = 30.0


class OnlineRows:
    """Rows of users in the online store of a feature repository."""

    def __init__(self, feature_repo: Path) -> None:
        """Raises MissingArtifact where the definitions have not been applied, InvalidInput for another store."""
        with definitions_of(feature_repo, ONLINE_SERVICE) as self._store:
            self._service = self._store.get_feature_service(ONLINE_SERVICE)
        self._kind = self._store.config.online_store.type
        if self._kind not in ("sqlite", "redis"):
            raise InvalidInput(f"Nobody can be erased from an online store of type {self._kind!r}: sqlite or redis.")

    def erase(self, user_id: str) -> int:
        """How many feature values, or keys of Redis, were removed. Raises OnlineStoreError."""
        try:
            return self._from_sqlite(user_id) if self._kind == "sqlite" else self._from_redis(user_id)
        except (sqlite3.Error, redis.RedisError) as error:
            raise OnlineStoreError(f"The online store could not be written: {type(error).__name__}.") from error

    def stored(self, user_id: str) -> dict[str, Any]:
        """Feature name to value, of everything that is kept of the user; empty where nothing is."""
        try:
            rows = [{USER_ID: user_id}]
            columns = self._store.get_online_features(features=self._service, entity_rows=rows).to_dict()
        except Exception as error:  # every online store has exceptions of its own
            raise OnlineStoreError(f"The online store did not answer: {type(error).__name__}.") from error
        found = {name: values[0] for name, values in columns.items() if name != USER_ID}
        return {name: value for name, value in found.items() if value is not None}

    def _key(self, user_id: str) -> bytes:
        version = self._store.config.entity_key_serialization_version
        entity = EntityKey(join_keys=[USER_ID], entity_values=[Value(string_val=user_id)])
        key: bytes = serialize_entity_key(entity, entity_key_serialization_version=version)
        return key

    def _from_sqlite(self, user_id: str) -> int:
        config = self._store.config
        path = Path(config.repo_path) / config.online_store.path
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as store:
            tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            removed = 0
            for table in tables:  # a view that is gone from the definitions leaves its table
                columns = {row[1] for row in store.execute(f'PRAGMA table_info("{table}")')}
                if "entity_key" in columns:
                    statement = f'DELETE FROM "{table}" WHERE entity_key = ?'  # noqa: S608 names from the file itself
                    removed += store.execute(statement, (self._key(user_id),)).rowcount
            rewrite(store, BUSY_SECONDS)
        return removed

    def _from_redis(self, user_id: str) -> int:
        config = self._store.config
        online: Any = self._store._get_provider().online_store
        client = online._get_client(config.online_store)
        removed: int = client.delete(self._key(user_id) + config.project.encode())
        with contextlib.suppress(redis.RedisError):  # where it rewrites already, has no such file, or does not let us
            client.bgrewriteaof()
        return removed
