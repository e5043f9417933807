"""How one entity's features are read from the online store."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from feast import FeatureService, FeatureStore

from contracts.errors import MissingArtifact
from serving.features.redis_reader import RedisReader, reads


class FeatureReader(Protocol):
    """Reads the features of one service."""

    def read(self, entity_id: str) -> dict[str, Any]:
        """Feature name to value, None where nothing is known. Raises whatever the store raises."""
        ...


@contextmanager
def definitions_of(feature_repo: Path, service_name: str) -> Iterator[FeatureStore]:
    """The store of a feature repository, for as long as its services are looked up.

    Raises MissingArtifact where the definitions have not been applied.
    """
    # Feast warns about serve_features_while_materializing on a file registry; it was measured to be needed there.
    logging.getLogger("feast").setLevel(logging.ERROR)
    try:
        yield FeatureStore(repo_path=str(feature_repo))
    except Exception as error:  # Feast raises bare and private types here; each means the same to the operator
        raise MissingArtifact(
            f"Feature service {service_name} cannot be read from {feature_repo}: {error}. "
            "Run `tandem materialize` first, or point TANDEM_FEATURE_REPO at an applied feature repository."
        ) from error


class FeastReader:
    """Any online store, through Feast."""

    def __init__(self, store: FeatureStore, service: FeatureService, join_key: str) -> None:
        self._store = store
        self._service = service
        self._join_key = join_key
        # Else the first read loads the client of every store that Feast knows, DynamoDB's and its certificates for
        # half a second, to learn whether this one has versions of views. Ours have none; with one, Feast refuses it.
        store._get_provider().online_store._versioned_read_supported = False

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
