"""How one entity's features are read from the online store."""

from typing import Any, Protocol

from feast import FeatureService, FeatureStore

from serving.features.redis_reader import RedisReader, reads


class FeatureReader(Protocol):
    """Reads the features of one service."""

    def read(self, entity_id: str) -> dict[str, Any]:
        """Feature name to value, None where nothing is known. Raises whatever the store raises."""
        ...


class FeastReader:
    """Any online store, through Feast."""

    def __init__(self, store: FeatureStore, service: FeatureService, join_key: str) -> None:
        self._store = store
        self._service = service
        self._join_key = join_key

    def read(self, entity_id: str) -> dict[str, Any]:
        """Feature name to value, None where nothing is known."""
        rows = [{self._join_key: entity_id}]
        columns = self._store.get_online_features(features=self._service, entity_rows=rows).to_dict()
        return {name: values[0] for name, values in columns.items() if name != self._join_key}


def feature_reader(store: FeatureStore, service_name: str, join_key: str, timeout_seconds: float) -> FeatureReader:
    """The quickest reader that gives what Feast would for this service and online store."""
    service = store.get_feature_service(service_name)
    if reads(store, service):
        return RedisReader(store, service, join_key, timeout_seconds)
    return FeastReader(store, service, join_key)
