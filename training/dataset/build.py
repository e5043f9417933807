"""Writes the training sets: vocabularies, the towers' positives, and everything known at each moment that is ranked."""

import json
from collections.abc import Sequence
from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import _

from contracts.bundle.files import TEXT_PROJECTION
from contracts.features import encoding, names
from training.dataset.columns import columns_of, strings_of
from training.dataset.item_text import fit_projection, item_text
from training.dataset.positives import engagements, purchases, thinned, without_refused
from training.engine import read_parquet, remove
from training.feature_store.feast_import import FeatureStore
from training.feature_store.store import features_as_of, open_store
from training.progress import Report
from training.settings import DuckDBSettings, Engine
from training.target import in_role
from training.timeline import Timeline
from training.workspace import Workspace, require


def build_dataset(
    workspace: Workspace,
    connection: ibis.BaseBackend,
    report: Report,
    engine: Engine = Engine.DUCKDB,
    limits: DuckDBSettings | None = None,
) -> None:
    """Writes vocabularies, positives and moments. Needs applied feature definitions; the engine joins them.

    A timeline without label windows has nothing to train on, so no positives are written.
    """
    timeline = Timeline.read(require(workspace.timeline, "tandem features"))
    workspace.dataset.mkdir(parents=True, exist_ok=True)
    for stale in workspace.dataset.iterdir():
        remove(stale)
    store = open_store(workspace, engine, limits)
    report("catalogue and vocabularies")
    events = read_parquet(connection, require(workspace.ingested("events"), "tandem ingest"))
    events = in_role(events, timeline.target)
    events = events.mutate(seconds=_.event_timestamp.epoch_seconds().cast("int64"))
    lines = purchases(events).order_by("seconds", "user_id", "item_id")
    connection.to_parquet(lines, workspace.dataset / "purchases.parquet")
    bought = read_parquet(connection, workspace.dataset / "purchases.parquet")
    items = read_parquet(connection, workspace.ingested("items")).order_by(names.ITEM_ID).to_pyarrow()
    pq.write_table(items, workspace.dataset / "items.parquet")
    users = read_parquet(connection, workspace.ingested("users")).order_by(names.USER_ID).to_pyarrow()
    _write_vocabularies(workspace.dataset, users, items)
    titles, item_ids = strings_of(items, "title"), strings_of(items, names.ITEM_ID)
    projection = fit_projection(titles)
    np.save(workspace.dataset / TEXT_PROJECTION, projection)
    np.save(workspace.dataset / "item_text.npy", item_text(workspace, item_ids, titles, projection))
    report("positives of the towers")
    looked = without_refused(engagements(events, bought), events, timeline.cutoff)
    connection.to_parquet(looked, workspace.dataset / "engagements.parquet")
    if timeline.ranker_starts:
        seen = read_parquet(connection, workspace.dataset / "engagements.parquet").mutate(type=_.type.cast("int8"))
        chosen = bought.mutate(type=ibis.literal(0, "int8")).union(seen)
        _write_positives(workspace.dataset, store, chosen, timeline, report)
    for seconds in timeline.history_snapshots:
        report(f"users and items as of {seconds}")
        _write_moment(workspace.dataset, store, strings_of(users, names.USER_ID), item_ids, seconds)
    remove(workspace.spark_staging)


def _write_vocabularies(folder: Path, users: pa.Table, items: pa.Table) -> None:
    terms = {names.USER_ID: strings_of(users, names.USER_ID), names.ITEM_ID: strings_of(items, names.ITEM_ID)}
    for table, columns in ((users, names.USER_PROFILE), (items, names.ITEM_CONTENT)):
        for column in columns:
            terms[column] = sorted({value for value in strings_of(table, column) if value is not None})
    (folder / "vocabularies.json").write_text(json.dumps(terms))


def _write_positives(folder: Path, store: FeatureStore, chosen: ibis.Table, timeline: Timeline, report: Report) -> None:
    window = chosen.filter((_.seconds >= timeline.two_tower_start) & (_.seconds < timeline.cutoff))
    every = window.order_by("seconds", "user_id", "item_id").to_pyarrow()
    rows = thinned(every)
    if rows.num_rows < every.num_rows:
        report(f"positives of the towers: {rows.num_rows:,} of {every.num_rows:,}, the most that looks may be")
    # Baskets by (user, second): two tills at the same second are one query.
    users, seconds = rows.column(names.USER_ID).combine_chunks(), rows.column("seconds").to_numpy()
    codes = users.dictionary_encode()
    keys = np.stack([seconds, codes.indices.to_numpy()])
    distinct, query_rows = np.unique(keys, axis=1, return_inverse=True)
    user_ids = np.asarray(codes.dictionary.to_pylist(), dtype=object)[distinct[1]]
    queries = features_as_of(store, names.QUERY_SERVICE, names.USER_ID, user_ids, distinct[0])
    pq.write_table(queries.append_column("seconds", pa.array(distinct[0])), folder / "queries.parquet")
    item_ids = strings_of(rows, names.ITEM_ID)
    candidates = features_as_of(store, names.CANDIDATE_SERVICE, names.ITEM_ID, item_ids, seconds)
    positives = candidates.select([names.ITEM_ID, *names.ITEM_STATISTICS])
    positives = positives.append_column("query_row", pa.array(query_rows.ravel()))
    for column in ("is_repeat", "type"):
        positives = positives.append_column(column, rows.column(column))
    pq.write_table(positives, folder / "positives.parquet")


def _write_moment(
    folder: Path, store: FeatureStore, user_ids: Sequence[str], item_ids: Sequence[str], seconds: int
) -> None:
    users = features_as_of(store, names.SERVING_SERVICE, names.USER_ID, user_ids, seconds)
    pq.write_table(users, folder / f"users_{seconds}.parquet")
    items = features_as_of(store, names.CANDIDATE_SERVICE, names.ITEM_ID, item_ids, seconds)
    np.save(folder / f"items_{seconds}.npy", encoding.item_statistics(columns_of(items, names.ITEM_STATISTICS)))
