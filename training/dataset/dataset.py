"""Training sets by point-in-time join: positives for the towers, and the whole world at each moment that is ranked."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from contracts.arrays import Rows
from contracts.events.items import SHELVES
from contracts.events.schema import EventType
from contracts.features import encoding, names
from contracts.features.engagements import UserEngagements, engagements_of
from contracts.features.history import UserHistory, user_history
from contracts.features.vocabulary import Vocabulary, vocabularies_from_json
from contracts.ranking.inputs import Catalogue
from training.dataset.baskets import Baskets, read_baskets
from training.dataset.columns import columns_of, lists_of, strings_of
from training.dataset.positives import POSITIVE_TYPES
from training.dataset.purchase_log import PurchaseLog, read_purchases
from training.feature_store.feast_import import FeatureStore
from training.feature_store.store import features_as_of
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
        return np.stack([self.vocabularies[c].encode(strings_of(table, c)) for c in names.ITEM_CONTENT], axis=1)

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
            item_rows=self.vocabularies[names.ITEM_ID].encode(strings_of(rows, "item_id")).astype(np.int64) - 1,
            item_statistics=encoding.item_statistics(columns_of(rows, names.ITEM_STATISTICS)),
            is_repeat=rows.column("is_repeat").to_numpy(zero_copy_only=False),
            seconds=seconds[query_rows],
            types=rows.column("type").to_numpy().astype(np.int8),
        )

    def moment(self, seconds: int) -> Moment:
        """The world as of one of the timeline's history_snapshots."""
        users = pq.read_table(self.folder / f"users_{seconds}.parquet")
        columns = {name: lists_of(users, name) for name in names.HISTORY}
        items = self.vocabularies[names.ITEM_ID]
        return Moment(
            seconds=seconds,
            user_ids=tuple(strings_of(users, names.USER_ID)),
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
        user_codes = users.encode(strings_of(table, names.USER_ID))
        pairs = np.unique(np.stack([user_codes, items.encode(strings_of(table, names.ITEM_ID)) - 1]), axis=1)
        starts = np.flatnonzero(np.diff(pairs[0], prepend=-1))
        groups = np.split(pairs[1].astype(np.int64), starts[1:])
        return {users.terms[pairs[0][at] - 1]: group for at, group in zip(starts, groups, strict=True)}


def _query_inputs(
    table: pa.Table, vocabularies: dict[str, Vocabulary], hour: npt.NDArray[np.int32], weekday: npt.NDArray[np.int32]
) -> encoding.Inputs:
    features: dict[str, Sequence[Any]] = {name: strings_of(table, name) for name in names.USER_PROFILE}
    features |= columns_of(table, names.USER_STATISTICS)
    sequences = {name: pc.list_slice(table.column(name), 0, names.SEQUENCE_LENGTH) for name in names.SEQUENCE}
    features |= {name: latest.to_pylist() for name, latest in sequences.items()}
    return encoding.query_inputs(strings_of(table, names.USER_ID), features, vocabularies, hour, weekday)


def _engagements(table: pa.Table, items: Vocabulary, now: int) -> tuple[UserEngagements, ...]:
    """Entry i belongs to row i; each id is looked up once, however often it is in the sequences."""
    ids, types, times = (table.column(name).combine_chunks() for name in names.SEQUENCE)
    distinct = ids.values.dictionary_encode(), types.values.dictionary_encode()
    codes = items.encode(distinct[0].dictionary.to_pylist())[distinct[0].indices.to_numpy()]
    kinds = encoding.type_codes(distinct[1].dictionary.to_pylist())[distinct[1].indices.to_numpy()]
    seconds, offsets = times.values.to_numpy().astype(np.float64), ids.offsets.to_numpy()
    spans = [slice(start, end) for start, end in pairwise(offsets)]
    return tuple(engagements_of(codes[span], kinds[span], seconds[span], now) for span in spans)
