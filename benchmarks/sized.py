"""A bundle and an online store of any size, built with the pipeline's own code from drawn users and items.

Each user likes a few subcategories and each item belongs to one, so that the towers have something to learn and the
index something to find; nothing else of it means anything.
"""

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contracts import bundle as parts
from contracts import encoding
from contracts import features as names
from contracts.features import HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from contracts.ranking import RANKING_FEATURES
from contracts.segments import segments_of
from contracts.vocabulary import Vocabulary
from training.artifacts import export_ranker, export_towers
from training.dataset import Positives
from training.feature_store import apply_definitions, open_store
from training.index import build_index, index_recall, save_index
from training.ranker import Ranker
from training.settings import Settings
from training.two_tower import Towers, fit, new_towers
from training.workspace import Workspace

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
DAY_SECONDS = 86_400
CONTENT_SIZES = {"department": 20, "category": 200, "subcategory": 1000, "brand": 300, "manufacturer": 600}
PROFILE_SIZE = 8
LIKED_SUBCATEGORIES = 5
POSITIVES = 300_000
HISTORY_ITEMS = 200  # distinct items a user has bought; with 200 by the towers and 100 popular, 500 are ranked


@dataclass(frozen=True)
class SizedWorld:
    """Drawn users and items; looks like training.dataset.Dataset to the training code."""

    num_users: int
    num_items: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(17))

    @cached_property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Terms of every column."""
        sizes = {names.USER_ID: self.num_users, names.ITEM_ID: self.num_items}
        sizes |= CONTENT_SIZES | dict.fromkeys(names.USER_PROFILE, PROFILE_SIZE)
        return {column: Vocabulary([f"{column}-{i}" for i in range(size)]) for column, size in sizes.items()}

    @cached_property
    def content(self) -> npt.NDArray[np.int32]:
        """[num_items, len(ITEM_CONTENT)] codes; the broader columns follow from the subcategory."""
        subcategory = self.random.integers(CONTENT_SIZES["subcategory"], size=self.num_items)
        columns = {"subcategory": subcategory, "category": subcategory // 5, "department": subcategory // 50}
        for name in ("brand", "manufacturer"):
            columns[name] = self.random.integers(CONTENT_SIZES[name], size=self.num_items)
        return np.stack([columns[name] + 1 for name in names.ITEM_CONTENT], axis=1).astype(np.int32)

    @cached_property
    def item_statistics(self) -> npt.NDArray[np.float32]:
        """[num_items, len(ITEM_STATISTICS)]."""
        return self.random.lognormal(2.0, 1.5, (self.num_items, len(names.ITEM_STATISTICS))).astype(np.float32)

    @cached_property
    def _by_subcategory(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(catalogue rows in the order of their subcategory, where each subcategory begins)."""
        codes = self.content[:, names.ITEM_CONTENT.index("subcategory")]
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(CONTENT_SIZES["subcategory"] + 2))

    def bought_by(self, user: int, count: int) -> npt.NDArray[np.int64]:
        """[count] catalogue rows of the subcategories that a user likes, some of them several times."""
        order, starts = self._by_subcategory
        liked = np.random.default_rng(user).integers(CONTENT_SIZES["subcategory"], size=LIKED_SUBCATEGORIES) + 1
        chosen = self.random.choice(liked, size=count)
        width = np.maximum(starts[chosen + 1] - starts[chosen], 1)
        at = np.minimum(starts[chosen] + self.random.integers(width), self.num_items - 1)
        rows: npt.NDArray[np.int64] = order[at]
        return rows

    def positives(self) -> Positives:
        """One basket a user for as many users as there are positives for."""
        users = self.random.integers(self.num_users, size=POSITIVES // 10)
        baskets = np.stack([self.bought_by(int(user), 10 + names.SEQUENCE_LENGTH) for user in users])
        item_rows = baskets[:, :10].ravel()
        return Positives(
            queries=self._queries(users, baskets[:, 10:]),
            query_rows=np.repeat(np.arange(len(users)), 10),
            item_rows=item_rows,
            item_statistics=self.item_statistics[item_rows],
            is_repeat=np.zeros(len(item_rows), np.bool_),
            seconds=np.full(len(item_rows), NOW - 1),
        )

    def purchases(self) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.int64]]]:
        """([users, len(USER_PROFILE)] profile codes, distinct rows bought) of some users."""
        profile = self.random.integers(PROFILE_SIZE, size=(2000, len(names.USER_PROFILE)), dtype=np.int32)
        return profile, [np.unique(self.bought_by(user, HISTORY_ITEMS)) for user in range(len(profile))]

    def _queries(self, users: npt.NDArray[np.int64], sequences: npt.NDArray[np.int64]) -> encoding.Inputs:
        count = len(users)
        return {
            encoding.USER: (users + 1).astype(np.int32),
            encoding.PROFILE: self.random.integers(PROFILE_SIZE, size=(count, len(names.USER_PROFILE)), dtype=np.int32),
            encoding.STATISTICS: self._user_statistics(count),
            encoding.SEQUENCE: (sequences + 1).astype(np.int32),
            encoding.HOUR: np.full(count, HOUR_UNKNOWN, np.int32),
            encoding.WEEKDAY: np.full(count, WEEKDAY_UNKNOWN, np.int32),
        }

    def _user_statistics(self, count: int) -> npt.NDArray[np.float32]:
        return self.random.lognormal(2.0, 1.0, (count, len(names.USER_STATISTICS))).astype(np.float32)

    def user_features(self, count: int) -> dict[str, pd.DataFrame]:
        """Rows of the first count users for each feature view."""
        users = [f"{names.USER_ID}-{i}" for i in range(count)]
        base = {names.USER_ID: users, names.EVENT_TIMESTAMP: pd.Timestamp(NOW, unit="s", tz="UTC")}
        items = np.array(self.vocabularies[names.ITEM_ID].terms)
        bought = [self.bought_by(i, HISTORY_ITEMS * 2) for i in range(count)]
        distinct = [np.unique(rows)[:HISTORY_ITEMS] for rows in bought]
        profile = self.random.integers(PROFILE_SIZE, size=(len(names.USER_PROFILE), count))
        return {
            names.USER_PROFILE_VIEW: pd.DataFrame(
                base | {n: [f"{n}-{v}" for v in profile[i]] for i, n in enumerate(names.USER_PROFILE)}
            ),
            names.USER_STATISTICS_VIEW: pd.DataFrame(
                base | dict(zip(names.USER_STATISTICS, self._user_statistics(count).T.astype(np.float64), strict=True))
            ),
            names.USER_SEQUENCE_VIEW: pd.DataFrame(
                base
                | {
                    names.SEQUENCE_ITEM_IDS: [items[rows[: names.SEQUENCE_LENGTH]].tolist() for rows in bought],
                    names.SEQUENCE_TIMESTAMPS: [self._seconds(names.SEQUENCE_LENGTH).tolist() for _ in bought],
                }
            ),
            names.USER_HISTORY_VIEW: pd.DataFrame(base | self._histories(items, distinct)),
        }

    def _histories(self, items: npt.NDArray[Any], distinct: list[npt.NDArray[np.int64]]) -> dict[str, list[list[Any]]]:
        columns: dict[str, list[list[Any]]] = {name: [] for name in names.HISTORY}
        for rows in distinct:
            last = self._seconds(len(rows))
            columns[names.HISTORY_ITEM_IDS].append(items[rows].tolist())
            for name in (names.HISTORY_COUNTS, names.HISTORY_COUNTS_91D, names.HISTORY_COUNTS_28D):
                columns[name].append(self.random.integers(1, 9, size=len(rows)).tolist())
            columns[names.HISTORY_FIRST_TIMESTAMPS].append((last - 90 * DAY_SECONDS).tolist())
            columns[names.HISTORY_LAST_TIMESTAMPS].append(last.tolist())
        return columns

    def _seconds(self, count: int) -> npt.NDArray[np.int64]:
        """[count] moments of the last year, latest first."""
        return np.sort(NOW - self.random.integers(365 * DAY_SECONDS, size=count))[::-1]


def build_bundle(world: SizedWorld, workspace: Workspace, settings: Settings | None = None) -> Path:
    """The sealed bundle: towers after one epoch, a ranker of the real shape with random weights, the planned index."""
    settings = settings or Settings()
    positives = world.positives()
    towers: Towers = new_towers(world, positives, settings.two_tower)  # type: ignore[arg-type]
    fit(towers, positives, 0, NOW, 1, settings.two_tower, lambda *_: None)
    items = towers.embed_items(world.item_statistics)
    queries = towers.embed_queries(positives.queries)
    index = build_index(items, queries, settings.index)
    recall = index_recall(index, items, queries, settings.index)
    sample = world.random.normal(1.0, 1.0, (1000, len(RANKING_FEATURES))).astype(np.float32)
    ranker = Ranker(sample, settings.ranker)
    ranker(sample[np.newaxis])
    with parts.write_bundle(workspace.bundles) as folder:
        export_towers(towers, folder)
        export_ranker(ranker, folder)
        save_index(index, folder / parts.INDEX)
        _write_items(world, items, folder)
        shutil.rmtree(folder / parts.SAVED_MODELS, ignore_errors=True)
        return parts.seal(
            folder,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            data_end_timestamp=float(NOW),
            training_cutoff_timestamp=float(NOW),
            time_zone="UTC",
            num_items=world.num_items,
            embedding_dim=items.shape[1],
            example_user_ids=[f"{names.USER_ID}-{i}" for i in range(20)],
            hyper_parameters=json.loads(json.dumps(settings.to_dict())),
            metrics={f"index_recall@{settings.index.recall_k}": recall, "index": type(index).__name__},
        )


def _write_items(world: SizedWorld, embeddings: npt.NDArray[np.float32], folder: Path) -> None:
    terms = {column: vocabulary.terms for column, vocabulary in world.vocabularies.items()}
    (folder / parts.VOCABULARIES).write_text(json.dumps(terms))
    np.save(folder / parts.ITEM_EMBEDDINGS, embeddings)
    prices = np.full(world.num_items, np.nan, np.float32)
    np.savez_compressed(folder / parts.ITEMS, codes=world.content, statistics=world.item_statistics, prices=prices)
    segments = segments_of(*world.purchases(), world.vocabularies, world.num_items)
    np.savez_compressed(folder / parts.SEGMENTS, rows=segments.rows, buyers=segments.buyers)
    titles = [f"Item number {i} of the catalogue" for i in range(world.num_items)]
    departments = [f"Department {code}" for code in world.content[:, 0].tolist()]
    (folder / parts.DISPLAY).write_text(json.dumps({"title": titles, "department": departments}))


def fill_store(world: SizedWorld, workspace: Workspace, users: int, redis: str | None) -> None:
    """Applies the definitions and writes the features of the first users. redis: Feast's connection string."""
    if redis is not None:
        _use_redis(workspace.feature_repo / "feature_store.yaml", redis)
    apply_definitions(workspace)
    store = open_store(workspace)
    for view, rows in world.user_features(users).items():
        store.write_to_online_store(view, df=rows)


def _use_redis(path: Path, connection_string: str) -> None:
    """The embedded stores' file with a Redis online store, as the chart writes it."""
    text = path.read_text()
    sqlite = "  type: sqlite\n  path: data/online.db\n"
    if sqlite not in text:
        raise ValueError(f"{path} does not have the embedded online store that is to be replaced")
    path.write_text(text.replace(sqlite, f'  type: redis\n  connection_string: "{connection_string}"\n'))
