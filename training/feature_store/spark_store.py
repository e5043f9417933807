"""Feast's Spark offline store over the Parquet files that the registry names.

Feast's own wants sources of a kind that its DuckDB store cannot read. Here the files of one registry are read by
either, so each command may choose its engine and the server needs no PySpark to read the registry.
"""

import copy
import warnings
from typing import Any

from feast import FeatureView, FileSource
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
)
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.repo_config import RepoConfig
from pydantic import StrictStr

# Feast says at every call that its Spark store is young; the point-in-time join is compared with DuckDB's in our tests.
YOUNG = r"The spark (offline store|data source API) is an experimental feature"


class ParquetSparkOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]
    """Feast's configuration under this store's name."""

    type: StrictStr = "training.feature_store.spark_store.ParquetSparkOfflineStore"


class ParquetSparkOfflineStore(SparkOfflineStore):  # type: ignore[misc]
    """Point-in-time joins and rows of Parquet files, on the active Spark session."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig, feature_views: list[FeatureView], *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """As Feast's, with each view's file as a Spark source."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", YOUNG, RuntimeWarning)
            views = [copy.copy(view) for view in feature_views]
            for view in views:
                view.batch_source = spark_source(view.batch_source)
            return SparkOfflineStore.get_historical_features(config, views, *args, **kwargs)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig, data_source: FileSource, *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """As Feast's, with the file as a Spark source."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", YOUNG, RuntimeWarning)
            return SparkOfflineStore.pull_latest_from_table_or_query(config, spark_source(data_source), *args, **kwargs)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig, data_source: FileSource, *args: Any, **kwargs: Any
    ) -> RetrievalJob:
        """As Feast's, with the file as a Spark source."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", YOUNG, RuntimeWarning)
            return SparkOfflineStore.pull_all_from_table_or_query(config, spark_source(data_source), *args, **kwargs)


def spark_source(file: FileSource) -> SparkSource:
    """The same Parquet file, or folder of part files, for Spark."""
    return SparkSource(name=file.name, path=file.path, file_format="parquet", timestamp_field=file.timestamp_field)
