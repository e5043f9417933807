"""One worker of a training run: `python -m tests.training.retrieval.train_as_worker ROOT` prints its losses as JSON."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contracts.features.names import DAY_SECONDS
from training.dataset.dataset import Dataset
from training.retrieval.fit import fit, new_towers
from training.settings import TwoTowerSettings
from training.workspace import Workspace

# Ids alone: TensorFlow writes a dozen operations for each table that workers share, and nothing is left to chance.
SETTINGS = TwoTowerSettings(
    epochs=2, batch_size=256, embedding_dim=16, side_features=False, id_dropout=0.0, cold_user_share=0.0
)
WEEKS = 2
"""Of purchases, which is eleven batches an epoch."""
ITEMS = 50
"""Embedded after training; a catalogue takes longer than the training."""


def trained_by(workspace: Workspace) -> dict[str, Any]:
    """Each epoch's loss, and embeddings of some items, after training in this process."""
    dataset = Dataset(workspace)
    positives, timeline = dataset.positives(), dataset.timeline
    towers = new_towers(dataset, positives, SETTINGS)
    end = timeline.ranker_starts[0]
    start = end - WEEKS * 7 * DAY_SECONDS
    losses = fit(towers, positives, start, end, SETTINGS.epochs, SETTINGS, lambda *_: None)
    rows = np.flatnonzero(towers.known_items)[:ITEMS]
    some = replace(
        towers, content=towers.content[rows], text=towers.text[rows], known_items=towers.known_items[rows]
    )  # fmt: skip
    embedding = some.embed_items(dataset.moment(timeline.cutoff).item_statistics[rows])
    return {"losses": losses, "embedding": embedding.tolist()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trained_by(Workspace(Path(sys.argv[1])))) + "\n")
