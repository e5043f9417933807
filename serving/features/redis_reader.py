"""Reads features straight from Redis, in the format that Feast documents.

One HMGET for all views of an entity, on a connection of redis-py without its client, which times and counts each
command. Feast's own reading builds a response of protobufs for many entities at once, and costs half a millisecond of
CPU for one; this costs a fifth, and its time limits are ours.
https://github.com/feast-dev/feast/blob/master/docs/specs/online_store_format.md
"""

import struct
from functools import cached_property
from typing import Any, Final

import redis
from feast import FeatureService, FeatureStore
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _mmh3
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig, RedisType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.retry import Retry

ONE_RECONNECT: Final = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
"""A closed connection is opened again, once; a server that does not answer in time is not asked twice.

By default redis-py tries for 7.4 s (measured) and holds every request for as long.
"""

LENGTH: Final = struct.Struct("<I")


def reads(store: FeatureStore, service: FeatureService) -> bool:
    """Whether this reader gives what Feast would: one plain Redis, and features that never expire."""
    config = store.config.online_store
    plain = isinstance(config, RedisOnlineStoreConfig) and config.redis_type == RedisType.redis
    views = [store.get_feature_view(projection.name) for projection in service.feature_view_projections]
    return plain and not any(view.ttl for view in views)


class RedisReader:
    """Features of a service, one entity at a time, for one thread."""

    def __init__(self, store: FeatureStore, service: FeatureService, join_key: str, timeout_seconds: float) -> None:
        version = store.config.entity_key_serialization_version
        nobody = EntityKey(join_keys=[join_key], entity_values=[Value(string_val="")])
        # A key ends in its value's length and the value; what comes before is the same for all.
        self._prefix: bytes = serialize_entity_key(nobody, entity_key_serialization_version=version)[: -LENGTH.size]
        self._suffix = store.config.project.encode()
        fields = [
            (feature.name, _mmh3(f"{view.name}:{feature.name}"))
            for view in service.feature_view_projections
            for feature in view.features
        ]
        self._names = [name for name, _ in fields]
        self._fields = [field for _, field in fields]
        self._config = store.config.online_store
        self._timeout_seconds = timeout_seconds

    def read(self, entity_id: str) -> dict[str, Any]:
        """Feature name to value, None where nothing is known. Raises redis.RedisError."""
        connection = self._client.connection
        assert connection is not None  # a client of one connection has it from the start
        replies = connection.retry.call_with_retry(
            lambda: self._asked(connection, entity_id),
            lambda _: connection.disconnect(),  # type: ignore[no-untyped-call]
        )
        return {name: _value(reply) for name, reply in zip(self._names, replies, strict=True)}

    @cached_property
    def _client(self) -> redis.Redis:
        """Made at the first read, because it connects at once, and a server starts while its store is down."""
        return _client(self._config, self._timeout_seconds)

    def _asked(self, connection: Connection, entity_id: str) -> list[bytes | None]:
        value = entity_id.encode()
        key = self._prefix + LENGTH.pack(len(value)) + value + self._suffix
        connection.send_command("HMGET", key, *self._fields)  # type: ignore[no-untyped-call]
        replies: list[bytes | None] = connection.read_response()  # type: ignore[no-untyped-call]
        return replies


def _client(config: RedisOnlineStoreConfig, timeout_seconds: float) -> redis.Redis:
    """A client of the server in Feast's connection string, with our time limits and one connection of its own."""
    nodes, options = RedisOnlineStore._parse_connection_string(config.connection_string)
    limits = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds, "retry": ONE_RECONNECT}
    return redis.Redis(**nodes[0], **(options | limits), single_connection_client=True)


def _value(reply: bytes | None) -> Any:
    if reply is None:
        return None
    value = Value.FromString(reply)
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    content = getattr(value, kind)
    return content.val[:] if kind.endswith("_list_val") else content  # a slice is a list; list() asks one by one
