"""Feast's DuckDB offline store with the ASOF joins that DuckDB is good at.

Feast joins every asked row with all earlier rows of its entity, arrays included, and keeps the latest by a window over
them. Here an ASOF join finds the moment of the latest row by key and time alone, and a hash join fetches what was known
then. Tests hold the answers equal to Feast's own join.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import ibis
import numpy as np
import pandas as pd
from feast import FeatureView
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.ibis import IbisRetrievalJob
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.repo_config import RepoConfig
from pydantic import StrictStr

from contracts.errors import InvalidInput
from training.engine import connect_duckdb, read_parquet
from training.settings import DuckDBSettings

ASKED, KNOWN = "_asked_row", "_known_at"


class AsofOfflineStoreConfig(DuckDBOfflineStoreConfig):  # type: ignore[misc]  # Feast ships no types
    """Feast's configuration under this store's name."""

    type: StrictStr = "training.feature_store.asof_store.AsofOfflineStore"
    limits: DuckDBSettings = DuckDBSettings()


class AsofOfflineStore(DuckDBOfflineStore):  # type: ignore[misc]
    """For Parquet files with one join key and one timestamp a view, which is what feature_definitions.py has."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame,
        *args: Any,
        **kwargs: Any,
    ) -> RetrievalJob:
        """The entity rows, in any order, with each view's features as of their event_timestamp.

        Raises InvalidInput for a view that asks for more than the join does.
        """
        refuse_unsupported(feature_views)
        connection = connect_duckdb(config.offline_store.limits)
        asked = ibis.memtable(entity_df.assign(**{ASKED: np.arange(len(entity_df))}))
        joined = asked
        for view in feature_views:
            named = [ref.split(":")[1] for ref in feature_refs if ref.startswith(f"{view.projection.name_to_use()}:")]
            known = _known(connection, asked, view, named)
            joined = joined.left_join(known, ASKED).drop(f"{ASKED}_right")
        return _job(joined.drop(ASKED), config)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The latest row of each entity between the dates, both included."""
        first, last = (ibis.literal(date.astimezone(UTC), "timestamp('UTC')") for date in (start_date, end_date))
        connection = connect_duckdb(config.offline_store.limits)
        columns = (*join_key_columns, *feature_name_columns, timestamp_field)
        table = read_parquet(connection, data_source.path).select(*columns)
        rows = table.filter(table[timestamp_field].between(first, last))
        latest = rows.group_by(join_key_columns).agg(**{timestamp_field: rows[timestamp_field].max()})
        return _job(rows.semi_join(latest, [*join_key_columns, timestamp_field]), config)


def refuse_unsupported(views: Sequence[FeatureView]) -> None:
    """Raises InvalidInput naming every view whose definition this join would answer wrongly."""
    faults = [
        *(f"{view.name} has a ttl of {view.ttl}" for view in views if view.ttl),
        *(f"{view.name} has the join keys {', '.join(view.join_keys)}" for view in views if len(view.join_keys) != 1),
        *(
            f"{view.name} has a created_timestamp_column"
            for view in views
            if view.batch_source.created_timestamp_column
        ),
        *(f"{view.name} has a field_mapping" for view in views if view.batch_source.field_mapping),
    ]
    if faults:
        raise InvalidInput(
            f"The point-in-time join on DuckDB cannot answer as feature_definitions.py asks: {'; '.join(faults)}. It "
            "needs ttl=timedelta(0), one join key and one timestamp a view, and columns by their names in the file."
        )


def _known(connection: ibis.BaseBackend, asked: ibis.Table, view: FeatureView, features: Sequence[str]) -> ibis.Table:
    """The view's features by ASKED, for the rows that it has features of."""
    (key,), moment = view.join_keys, view.batch_source.timestamp_field
    table = read_parquet(connection, view.batch_source.path)
    moments = table.select(**{key: key, KNOWN: table[moment]})
    at = asked.asof_join(moments, asked[moment] >= moments[KNOWN], predicates=key).select(ASKED, key, KNOWN)
    # Read to its end before it is joined again: fed by an ASOF join that still runs, DuckDB 2.0.0 ends the next join of
    # half a million rows with an internal error ("build pipeline is not single-source"), see training/engine.py.
    at = ibis.memtable(connection.to_pyarrow(at))
    rows = table.select(*features, **{f"{key}_right": key, f"{KNOWN}_right": moment})
    found = rows.inner_join(at, [rows[f"{key}_right"] == at[key], rows[f"{KNOWN}_right"] == at[KNOWN]])
    return found.select(ASKED, *features)


def _job(table: ibis.Table, config: RepoConfig) -> RetrievalJob:
    return IbisRetrievalJob(
        table=table,
        on_demand_feature_views=[],
        full_feature_names=False,
        metadata=None,
        data_source_writer=None,
        staging_location=None,
        staging_location_endpoint_override=None,
        repo_path=str(config.repo_path),
    )
