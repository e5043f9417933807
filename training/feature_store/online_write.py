"""Feast's hook for materializing: `batch_engine` in feature_store.yaml names the class below.

Feast's local engine makes one protobuf message a value and writes entities as they come, most of whose cost on SQLite
is in B-trees that are entered at random. Here rows are sorted by key and written in slices: to SQLite by one prepared
statement, to Redis by pipelines of commands, to every other store through Feast's own `online_write_batch`. A test
holds what is written equal to what Feast's engine writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.online_stores.helpers import _mmh3, extract_text_and_num
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped,unused-ignore]

from training.feature_store.online_rows import Column, Slice, entity_key, slice_of, sorted_by_key

UPSERT = """
    INSERT INTO "{table}" (entity_key, feature_name, value, value_text, event_ts) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value, value_text = excluded.value_text,
    event_ts = excluded.event_ts, created_ts = NULL
"""


class SortedWriteEngine(LocalComputeEngine):  # type: ignore[misc]  # Feast ships no types
    """Materializes feature views of one entity with one join key, which is what feature_definitions.py has."""

    def _materialize_one(self, registry: Any, task: MaterializationTask, **_: Any) -> LocalMaterializationJob:
        view, config = task.feature_view, self.repo_config
        (join_key,) = view.join_keys
        source = view.batch_source
        latest = self.offline_store.pull_latest_from_table_or_query(
            config=config,
            data_source=source,
            join_key_columns=[join_key],
            feature_name_columns=[feature.name for feature in view.features],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=None,
            start_date=task.start_time,
            end_date=task.end_time,
        ).to_arrow()
        size = config.materialization_config.online_write_batch_size or latest.num_rows
        for batch in sorted_by_key(latest, join_key).to_batches(max_chunksize=max(size, 1)):
            self._write(view, slice_of(batch, view, join_key))
        return LocalMaterializationJob(job_id=view.name, status=MaterializationJobStatus.SUCCEEDED)

    def _write(self, view: FeatureView, rows: Slice) -> None:
        config, store = self.repo_config, self.online_store
        if config.online_store.type == "sqlite":
            _write_sqlite(config, view, rows)
        elif config.online_store.type == "redis":
            _write_redis(store._get_client(config.online_store), config, view, rows)
        else:
            store.online_write_batch(config=config, table=view, data=list(_as_feast_writes(rows)), progress=None)


def _as_feast_writes(rows: Slice) -> Iterator[tuple[Any, dict[str, Any], Any, None]]:
    columns = [column.spread(column.values) for column in rows.features.values()]
    moments = rows.moments.spread(rows.moments.values)
    for entity_id, moment, *values in zip(rows.ids, moments, *columns, strict=True):
        yield entity_key(rows.join_key, entity_id), dict(zip(rows.features, values, strict=True)), moment, None


def _write_sqlite(config: RepoConfig, view: FeatureView, rows: Slice) -> None:
    """Rows of the table that Feast's SQLite store reads, in its order: key, then feature."""
    keys = rows.keys(config.entity_key_serialization_version)
    # Local time without a zone, as Feast's adapter has it.
    moments = rows.moments.spread([int(moment.replace(tzinfo=None).timestamp()) for moment in rows.moments.values])
    names = sorted(rows.features)
    columns = [column.spread(_values_and_texts(column)) for column in (rows.features[name] for name in names)]
    entities = zip(keys, moments, *columns, strict=True)
    with closing(sqlite3.connect(Path(config.repo_path) / config.online_store.path)) as store, store:
        store.executemany(
            UPSERT.format(table=f"{config.project}_{view.name}"),
            (
                (key, name, value, text, moment)
                for key, moment, *messages in entities
                for name, (value, text) in zip(names, messages, strict=True)
            ),
        )


def _values_and_texts(column: Column) -> list[tuple[bytes, str | None]]:
    if column.is_list:  # Feast has texts of scalars
        return [(message.SerializeToString(), None) for message in column.values]
    return [(message.SerializeToString(), extract_text_and_num(message, False)[0]) for message in column.values]


def _write_redis(client: Any, config: RepoConfig, view: FeatureView, rows: Slice) -> None:
    """Fields of the hashes that Feast's Redis store reads; as there, only what is newer than the hash knows.

    Feast encodes the names of features and the moment anew for each entity.
    """
    stamp_field = f"_ts:{view.name}"
    keys = [key + config.project.encode() for key in rows.keys(config.entity_key_serialization_version)]
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hget(key, stamp_field)
        stored = pipe.execute()
    seen = {stamp: _nanoseconds(stamp) for stamp in {*stored}}
    stamps = [_stamp(moment) for moment in rows.moments.values]
    nanoseconds = rows.moments.spread([_nanoseconds(stamp) for stamp in stamps])
    names = [_mmh3(f"{view.name}:{name}") for name in rows.features]
    columns = [column.spread([m.SerializeToString() for m in column.values]) for column in rows.features.values()]
    expires = config.online_store.key_ttl_seconds
    with client.pipeline(transaction=False) as pipe:
        entities = zip(keys, stored, nanoseconds, rows.moments.spread(stamps), *columns, strict=True)
        for key, before, at, stamp, *values in entities:
            if before and at <= seen[before]:
                continue
            fields = [part for pair in zip(names, values, strict=True) for part in pair]
            pipe.execute_command("HSET", key, stamp_field, stamp, *fields)
            if expires:
                pipe.expire(key, expires)
        pipe.execute()


def _stamp(moment: Any) -> bytes:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    serialized: bytes = stamp.SerializeToString()
    return serialized


def _nanoseconds(stamp: bytes | None) -> int:
    return Timestamp.FromString(stamp).ToNanoseconds() if stamp else 0
