"""Reads features straight from Redis, in the format that Feast documents.

One HMGET for all views of an entity. Feast's own reading builds a response of protobufs for many entities at once, and
costs half a millisecond of CPU for one; this costs a fifth, and its time limits are ours.
https://github.com/feast-dev/feast/blob/master/docs/specs/online_store_format.md
"""

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
from redis.retry import Retry

ONE_RECONNECT: Final = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
"""A closed connection is opened again, once; a server that does not answer in time is not asked twice.

By default redis-py tries for 7.4 s (measured) and holds every request for as long.
"""


def reads(store: FeatureStore, service: FeatureService) -> bool:
    """Whether this reader gives what Feast would: one plain Redis, and features that never expire."""
    config = store.config.online_store
    plain = isinstance(config, RedisOnlineStoreConfig) and config.redis_type == RedisType.redis
    views = [store.get_feature_view(projection.name) for projection in service.feature_view_projections]
    return plain and not any(view.ttl for view in views)


class RedisReader:
    """Features of a service, one entity at a time."""

    def __init__(self, store: FeatureStore, service: FeatureService, join_key: str, timeout_seconds: float) -> None:
        self._join_key = join_key
        self._suffix = store.config.project.encode()
        self._key_version = store.config.entity_key_serialization_version
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
        # redis-py's annotations speak of text where the protocol has bytes.
        replies: list[bytes | None] = self._client.hmget(self._key(entity_id), self._fields)  # type: ignore[assignment, arg-type]
        return {name: _value(reply) for name, reply in zip(self._names, replies, strict=True)}

    @cached_property
    def _client(self) -> redis.Redis:
        """Made at the first read, because it connects at once, and a server starts while its store is down."""
        return _client(self._config, self._timeout_seconds)

    def _key(self, entity_id: str) -> bytes:
        entity = EntityKey(join_keys=[self._join_key], entity_values=[Value(string_val=entity_id)])
        key: bytes = serialize_entity_key(entity, entity_key_serialization_version=self._key_version) + self._suffix
        return key


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
