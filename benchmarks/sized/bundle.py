"""A sealed bundle of any size: the real towers, trained for a moment, and a ranker of the real shape."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.sized.world import NOW, SizedWorld
from contracts.bundle import files as parts
from contracts.bundle.manifest import seal, write_bundle
from contracts.features import names
from contracts.ranking.candidates import popularity_of
from contracts.ranking.inputs import RANKING_FEATURES
from contracts.ranking.segments import segments_of
from training.ranking.export import export_ranker
from training.ranking.neural import Ranker
from training.retrieval.export import export_towers
from training.retrieval.fit import epochs_for, fit, new_towers
from training.retrieval.index import build_index, index_recall, save_index
from training.settings import Settings, TwoTowerSettings


def build_bundle(world: SizedWorld, bundles: Path, settings: Settings | None = None) -> Path:
    """The sealed bundle: towers after an epoch, a ranker of the real shape with random weights, the planned index.

    A small world has more than one epoch, until there are settings.two_tower.min_steps.
    """
    settings = settings or Settings(two_tower=TwoTowerSettings(epochs=1))
    positives = world.positives()
    towers = new_towers(world, positives, settings.two_tower)  # type: ignore[arg-type]
    epochs = epochs_for(positives, 0, NOW, settings.two_tower)
    fit(towers, positives, 0, NOW, epochs, settings.two_tower, lambda *_: None)
    items = towers.embed_items(world.item_statistics)
    queries = towers.embed_queries(positives.queries)
    index = build_index(items, queries, settings.index)
    recall = index_recall(index, items, queries, settings.index)
    sample = world.random.normal(1.0, 1.0, (1000, len(RANKING_FEATURES))).astype(np.float32)
    ranker = Ranker(sample, settings.ranker)
    ranker(sample[np.newaxis])
    with write_bundle(bundles) as folder:
        export_towers(towers, folder)
        export_ranker(ranker, folder)
        save_index(index, folder / parts.INDEX)
        _write_items(world, items, folder)
        shutil.rmtree(folder / parts.SAVED_MODELS, ignore_errors=True)
        return seal(
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
    np.save(folder / parts.TEXT_PROJECTION, world.text_projection)
    np.savez_compressed(
        folder / parts.ITEMS,
        codes=world.content,
        statistics=world.item_statistics,
        text=world.text,
        prices=prices,
    )
    segments = segments_of(*world.purchases(), world.vocabularies, popularity_of(world.item_statistics))
    np.savez_compressed(folder / parts.SEGMENTS, rows=segments.rows, buyers=segments.buyers)
    departments = [f"Department {code}" for code in world.content[:, 0].tolist()]
    (folder / parts.DISPLAY).write_text(json.dumps({"title": world.titles, "department": departments}))
