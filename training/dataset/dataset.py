"""Training sets by point-in-time join: positives for the towers, and the whole world at each moment that is ranked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from feast import FeatureStore
from ibis import _

from contracts.arrays import Rows
from contracts.bundle.manifest import TEXT_PROJECTION
from contracts.events.items import SHELVES
from contracts.events.schema import EventType
from contracts.features import encoding, names
from contracts.features.engagements import UserEngagements, engagements_of
from contracts.features.history import UserHistory, user_history
from contracts.features.vocabulary import Vocabulary, vocabularies_from_json
from contracts.ranking.inputs import Catalogue
from training.dataset.baskets import Baskets, read_baskets
from training.dataset.item_text import fit_projection, item_text
from training.dataset.positives import POSITIVE_TYPES, engagements, purchases, thinned, without_refused
from training.dataset.purchase_log import PurchaseLog, read_purchases
from training.engine import read_parquet, remove
from training.feature_store.store import features_as_of, open_store
from training.progress import Report
from training.settings import DuckDBSettings, Engine
from training.target import in_role
from training.timeline import Timeline, local_context, unknown_context
from training.workspace import Workspace, require


@dataclass(frozen=True)
class Positives:
    """What users bought and engaged with, with what was known before.

    queries holds one row per basket (inputs of the query tower); row i of the other arrays is one item of one basket.
    """

    queries: encoding.Inputs
    query_rows: Rows  # [n] row in queries
    item_rows: Rows  # [n] catalogue row
    item_statistics: npt.NDArray[np.float32]  # [n, len(ITEM_STATISTICS)] as of the basket
    is_repeat: npt.NDArray[np.bool_]  # [n] the user had bought the item before
    seconds: Rows  # [n] Unix seconds
    types: npt.NDArray[np.int8]  # [n] place in training.dataset.positives.POSITIVE_TYPES


@dataclass(frozen=True)
class Moment:
    """Everything known at one moment. Row i of the user arrays is user_ids[i], of item_statistics catalogue row i."""

    seconds: int
    user_ids: tuple[str, ...]
    queries: encoding.Inputs  # context unknown: the list is for the coming weeks
    histories: tuple[UserHistory, ...]
    item_statistics: npt.NDArray[np.float32]
    engagements: tuple[UserEngagements | None, ...]  # None where the log has no engagements


class Dataset:
    """Reads what `build_dataset` wrote."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = require(workspace.dataset / "vocabularies.json", "tandem dataset").parent
        self.timeline = Timeline.read(workspace.timeline)

    @cached_property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Terms of user ids, item ids, profile and content columns."""
        return vocabularies_from_json(json.loads((self.folder / "vocabularies.json").read_text()))

    @cached_property
    def item_ids(self) -> tuple[str, ...]:
        """Row i is catalogue row i."""
        return self.vocabularies[names.ITEM_ID].terms

    @cached_property
    def content(self) -> npt.NDArray[np.int32]:
        """[num_items, len(ITEM_CONTENT)] vocabulary codes."""
        table = pq.read_table(self.folder / "items.parquet")
        return np.stack([self.vocabularies[c].encode(_strings(table, c)) for c in names.ITEM_CONTENT], axis=1)

    @cached_property
    def text(self) -> npt.NDArray[np.float32]:
        """[num_items, TEXT_DIM] of titles or of the source's embeddings."""
        text: npt.NDArray[np.float32] = np.load(self.folder / "item_text.npy")
        return text

    @cached_property
    def has_engagements(self) -> bool:
        """Whether the log has engagements, so that rankers read them."""
        rows: int = ds.dataset(self.folder / "engagements.parquet").count_rows()  # of a folder, where Spark wrote it
        return rows > 0

    def catalogue(self, statistics: npt.NDArray[np.float32]) -> Catalogue:
        """Item side of ranking with statistics as of some moment."""
        return Catalogue(
            codes={column: self.content[:, i] for i, column in enumerate(names.ITEM_CONTENT)},
            sizes={column: len(self.vocabularies[column]) for column in names.ITEM_CONTENT},
            statistics=statistics,
            text=self.text,
        )

    def display(self) -> pa.Table:
        """Names of the catalogue for people, in catalogue order."""
        return pq.read_table(self.folder / "items.parquet", columns=["item_id", "title", *SHELVES])

    def prices(self) -> npt.NDArray[np.float32]:
        """[num_items] as the catalogue asks, NaN where it names none."""
        prices = pq.read_table(self.folder / "items.parquet", columns=["price"]).column("price")
        known: npt.NDArray[np.float32] = prices.cast(pa.float32()).to_pandas().to_numpy(np.float32, na_value=np.nan)
        return known

    def positives(self) -> Positives:
        """Everything bought or engaged with between two_tower_start and cutoff."""
        queries = pq.read_table(self.folder / "queries.parquet")
        seconds = queries.column("seconds").to_numpy()
        rows = pq.read_table(self.folder / "positives.parquet")
        query_rows = rows.column("query_row").to_numpy()
        return Positives(
            queries=_query_inputs(queries, self.vocabularies, *local_context(seconds, self.timeline.time_zone)),
            query_rows=query_rows,
            item_rows=self.vocabularies[names.ITEM_ID].encode(_strings(rows, "item_id")).astype(np.int64) - 1,
            item_statistics=encoding.item_statistics(_columns(rows, names.ITEM_STATISTICS)),
            is_repeat=rows.column("is_repeat").to_numpy(zero_copy_only=False),
            seconds=seconds[query_rows],
            types=rows.column("type").to_numpy().astype(np.int8),
        )

    def moment(self, seconds: int) -> Moment:
        """The world as of one of the timeline's history_snapshots."""
        users = pq.read_table(self.folder / f"users_{seconds}.parquet")
        columns = {name: _lists(users, name) for name in names.HISTORY}
        items = self.vocabularies[names.ITEM_ID]
        return Moment(
            seconds=seconds,
            user_ids=tuple(_strings(users, names.USER_ID)),
            queries=_query_inputs(users, self.vocabularies, *unknown_context(users.num_rows)),
            histories=tuple(
                user_history({name: columns[name][row] for name in names.HISTORY}, items)
                for row in range(users.num_rows)
            ),
            item_statistics=np.load(self.folder / f"items_{seconds}.npy"),
            engagements=_engagements(users, items, seconds) if self.has_engagements else (None,) * users.num_rows,
        )

    def queries_as_of(self, store: FeatureStore, user_ids: npt.NDArray[np.object_], seconds: Rows) -> encoding.Inputs:
        """Inputs of the query tower, context unknown; row i is user_ids[i] as of seconds[i], any moment."""
        table = features_as_of(store, names.QUERY_SERVICE, names.USER_ID, user_ids, seconds)
        return _query_inputs(table, self.vocabularies, *unknown_context(table.num_rows))

    def bought(self, start: int, end: int) -> dict[str, Rows]:
        """Distinct catalogue rows that each user bought in [start, end), for labels and for the test."""
        return self._by_user("purchases.parquet", [("seconds", ">=", start), ("seconds", "<", end)])

    def purchases(self) -> PurchaseLog:
        """Everything that was ever bought, line by line."""
        return read_purchases(self.folder / "purchases.parquet", self.vocabularies)

    def baskets(self) -> Baskets:
        """The same as baskets."""
        return read_baskets(self.folder / "purchases.parquet", self.vocabularies[names.ITEM_ID])

    def engaged_with(self, kind: EventType, start: int, end: int) -> dict[str, Rows]:
        """The same of what a user did to an item in a visit without buying it then, at the most: one of LOOK_TYPES."""
        of_kind = ("type", "==", POSITIVE_TYPES.index(kind))
        return self._by_user("engagements.parquet", [of_kind, ("seconds", ">=", start), ("seconds", "<", end)])

    def _by_user(self, file: str, filters: list[tuple[str, str, int]]) -> dict[str, Rows]:
        table = pq.read_table(self.folder / file, columns=[names.USER_ID, names.ITEM_ID, "seconds"], filters=filters)
        if table.num_rows == 0:
            return {}
        users, items = self.vocabularies[names.USER_ID], self.vocabularies[names.ITEM_ID]
        user_codes = users.encode(_strings(table, names.USER_ID))
        pairs = np.unique(np.stack([user_codes, items.encode(_strings(table, names.ITEM_ID)) - 1]), axis=1)
        starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
        groups = np.split(pairs[1].astype(np.int64), starts[1:])
        return {users.terms[pairs[0][at] - 1]: group for at, group in zip(starts, groups, strict=True)}


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
    titles, item_ids = _strings(items, "title"), _strings(items, names.ITEM_ID)
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
        _write_moment(workspace.dataset, store, _strings(users, names.USER_ID), item_ids, seconds)
    remove(workspace.spark_staging)


def _write_vocabularies(folder: Path, users: pa.Table, items: pa.Table) -> None:
    terms = {names.USER_ID: _strings(users, names.USER_ID), names.ITEM_ID: _strings(items, names.ITEM_ID)}
    for table, columns in ((users, names.USER_PROFILE), (items, names.ITEM_CONTENT)):
        for column in columns:
            terms[column] = sorted({value for value in _strings(table, column) if value is not None})
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
    item_ids = _strings(rows, names.ITEM_ID)
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
    np.save(folder / f"items_{seconds}.npy", encoding.item_statistics(_columns(items, names.ITEM_STATISTICS)))


def _query_inputs(
    table: pa.Table, vocabularies: dict[str, Vocabulary], hour: npt.NDArray[np.int32], weekday: npt.NDArray[np.int32]
) -> encoding.Inputs:
    features: dict[str, Sequence[Any]] = {name: _strings(table, name) for name in names.USER_PROFILE}
    features |= _columns(table, names.USER_STATISTICS)
    sequences = {name: pc.list_slice(table.column(name), 0, names.SEQUENCE_LENGTH) for name in names.SEQUENCE}
    features |= {name: latest.to_pylist() for name, latest in sequences.items()}
    return encoding.query_inputs(_strings(table, names.USER_ID), features, vocabularies, hour, weekday)


def _engagements(table: pa.Table, items: Vocabulary, now: int) -> tuple[UserEngagements, ...]:
    """Entry i belongs to row i; each id is looked up once, however often it is in the sequences."""
    ids, types, times = (table.column(name).combine_chunks() for name in names.SEQUENCE)
    distinct = ids.values.dictionary_encode(), types.values.dictionary_encode()
    codes = items.encode(distinct[0].dictionary.to_pylist())[distinct[0].indices.to_numpy()]
    kinds = encoding.type_codes(distinct[1].dictionary.to_pylist())[distinct[1].indices.to_numpy()]
    seconds, offsets = times.values.to_numpy().astype(np.float64), ids.offsets.to_numpy()
    spans = [slice(start, end) for start, end in pairwise(offsets)]
    return tuple(engagements_of(codes[span], kinds[span], seconds[span], now) for span in spans)


def _columns(table: pa.Table, columns: Sequence[str]) -> dict[str, Any]:
    return {name: table.column(name).to_numpy() for name in columns}


def _strings(table: pa.Table, column: str) -> list[str]:
    return list(table.column(column).to_pylist())


def _lists(table: pa.Table, column: str) -> list[Any]:
    """One Python or numpy sequence a row, None where Feast knows nothing."""
    array = table.column(column).combine_chunks()
    if column == names.HISTORY_ITEM_IDS:
        lists: list[Any] = array.to_pylist()
        return lists
    values, offsets = array.values.to_numpy(), array.offsets.to_numpy()
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    return [values[offsets[i] : offsets[i + 1]] if valid[i] else None for i in range(len(array))]
