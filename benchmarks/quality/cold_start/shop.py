"""The shop as it was where the last label window begins, had it never seen some users, or never had some items."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import ibis
import numpy as np
from ibis import _

from contracts.arrays import Rows
from contracts.bundle import files as parts
from contracts.bundle.manifest import seal, write_bundle
from contracts.errors import InvalidInput
from contracts.events.schema import EventType
from contracts.features import encoding, names
from contracts.ranking.segments import Segments
from serving.bundles.bundle import LoadedBundle, load_bundle
from training.dataset.dataset import Dataset, Moment, Positives
from training.dataset.purchase_log import PurchaseLog
from training.engine import connect_duckdb
from training.features.copurchase import companions
from training.features.snapshots import basket, of_type
from training.ranking.labelled_lists import joined
from training.ranking.models import NEURAL, train
from training.ranking.train import lessons
from training.ranking.without_history import segments_at
from training.release.bundle import write_shop
from training.retrieval.embeddings import Embeddings
from training.retrieval.train import fit_towers
from training.settings import Settings
from training.workspace import REPORT, Workspace, require

NEW_ITEMS: Final = 10
"""Of this many items that had been bought before the window, one is taken as new."""
NOTHING: Final[Rows] = np.zeros(0, np.int64)
Companions = Mapping[str, list[tuple[str, int]]]
"""By item id: (item id, baskets that held both), most first."""


class Shop(Dataset):
    """The data set where the last label window begins, without what is to be new: some users, or some items."""

    def __init__(self, workspace: Workspace, *, new_items: bool = False) -> None:
        """new_items: the items are new, not the users."""
        super().__init__(workspace)
        self.workspace = workspace
        self.new_items = NOTHING
        *earlier, (self.start, self.end) = self.timeline.ranker_windows
        starts = tuple(start for start, _end in earlier)
        moments = {"ranker_starts": starts, "cutoff": self.start, "data_end": self.start}
        self.timeline = self.timeline.model_copy(update=moments)
        if new_items:
            bought = np.unique(np.concatenate(list(self.bought(0, self.start).values())))
            self.new_items = bought[::NEW_ITEMS]
        self.now: Moment = self.moment(self.start)
        self.newcomers = () if new_items else newcomers(self.now, self.bought(self.start, self.end))

    def moment(self, seconds: int) -> Moment:
        """Nothing is known of a new item but its content, and nobody has done anything to it."""
        known = super().moment(seconds)
        statistics = known.item_statistics.copy()
        statistics[self.new_items] = 0
        return replace(
            known,
            queries=self._without_new_items(known.queries),
            item_statistics=statistics,
            engagements=tuple(one and one.without(self.new_items) for one in known.engagements),
        )

    def positives(self) -> Positives:
        """Positives of known users and known items, before the window."""
        known = super().positives()
        new = self.vocabularies[names.USER_ID].encode(self.newcomers)
        kept = (known.seconds < self.start) & ~np.isin(known.queries[encoding.USER][known.query_rows], new)
        kept &= ~np.isin(known.item_rows, self.new_items)
        return Positives(
            queries=self._without_new_items(known.queries),
            query_rows=known.query_rows[kept],
            item_rows=known.item_rows[kept],
            item_statistics=known.item_statistics[kept],
            is_repeat=known.is_repeat[kept],
            seconds=known.seconds[kept],
            types=known.types[kept],
        )

    def purchases(self) -> PurchaseLog:
        """Purchases of known users and known items."""
        log = super().purchases()
        new = self.vocabularies[names.USER_ID].encode(self.newcomers) - 1
        return log.kept(~np.isin(log.users, new) & ~np.isin(log.items, self.new_items))

    def _without_new_items(self, queries: encoding.Inputs) -> encoding.Inputs:
        sequence = queries[encoding.SEQUENCE]
        seen = np.where(np.isin(sequence, self.new_items + 1), 0, sequence)
        return {**queries, encoding.SEQUENCE: seen}

    @property
    def known(self) -> list[int]:
        """Rows of the moment's users who are not new."""
        new = set(self.newcomers)
        return [row for row, user in enumerate(self.now.user_ids) if user not in new]

    def segments(self) -> Segments:
        """What users who are not new bought lately."""
        return segments_at(self, self.now, self.known)

    def companions(self) -> Companions:
        """What users who are not new had bought together."""
        events = connect_duckdb().read_parquet(self.workspace.ingested("events"))
        purchases = events.filter(of_type(EventType.PURCHASE)).mutate(seconds=_.event_timestamp.epoch_seconds())
        known = purchases.filter((_.seconds < self.start) & _.user_id.notin(self.newcomers))
        known = known.mutate(basket_id=_.basket_id.coalesce(_.user_id + "@" + basket()))
        items = ibis.memtable({"item_id": self.item_ids, "title": self.item_ids})
        rows = companions(known, items, self.start).to_pyarrow().to_pylist()
        return {
            row["item_id"]: list(zip(row[names.COPURCHASE_ITEM_IDS], row[names.COPURCHASE_COUNTS], strict=True))
            for row in rows
        }


def newcomers(now: Moment, bought: Mapping[str, Rows]) -> tuple[str, ...]:
    """Every second user with a profile who bought something in the window."""
    profiles = now.queries[encoding.PROFILE]
    known = [user for user, profile in zip(now.user_ids, profiles, strict=True) if profile.any() and user in bought]
    return tuple(known[::2])


def opened(shop: Shop, settings: Settings, folder: Path) -> LoadedBundle:
    """The shop's bundle, trained and sealed below the folder as the pipeline does it.

    Raises InvalidInput where there is no earlier window for the ranker to learn from.
    """
    if not shop.timeline.ranker_starts:
        raise InvalidInput(
            "Cold start is measured on the last label window, by a ranker of those before it, and there is one window. "
            "Set features.ranker_windows to 2 or more."
        )
    fit_towers(shop, folder / "towers", settings, lambda *_: None)
    embeddings = Embeddings(folder / "towers")
    kind = json.loads(require(shop.workspace.ranker / REPORT, "tandem train-ranker").read_text()).get("model", NEURAL)
    known, cold = lessons(shop, embeddings, settings, lambda *_: None, frozenset(shop.newcomers))
    ranker, _losses = train(kind, joined(known), settings.ranker, lambda *_: None, joined(cold))
    with write_bundle(folder / "bundles") as writing:
        for name in (parts.QUERY_TOWER, parts.CANDIDATE_TOWER, parts.INDEX):
            (folder / "towers" / name).rename(writing / name)
        ranker.export(writing)
        neighbours = embeddings.neighbours(shop.start)
        write_shop(writing, shop, shop.now, embeddings.items(shop.start), shop.segments(), neighbours)
        sealed = seal(
            writing,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_end_timestamp=float(shop.start),
            training_cutoff_timestamp=float(shop.start),
            time_zone=shop.timeline.time_zone,
            num_items=len(shop.item_ids),
            embedding_dim=settings.two_tower.embedding_dim,
            example_user_ids=list(shop.now.user_ids[:1]),
            hyper_parameters=json.loads(json.dumps(settings.to_dict())),
            metrics={},
        )
    return load_bundle(sealed)
