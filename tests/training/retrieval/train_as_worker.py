"""One worker of a training run: `python -m tests.training.retrieval.train_as_worker ROOT` prints its losses as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

from contracts.features.names import DAY_SECONDS
from training.dataset.dataset import Dataset
from training.retrieval.fit import fit, new_towers
from training.settings import TwoTowerSettings
from training.workspace import Workspace

SETTINGS = TwoTowerSettings(
    epochs=2, batch_size=256, hidden_units=(32,), id_dropout=0.0, dropout=0.0, cold_user_share=0.0
)
WEEKS = 8
"""Of purchases, which is some dozen batches an epoch."""


def trained_by(workspace: Workspace) -> dict[str, Any]:
    """Each epoch's loss, and embeddings of some items, after training in this process."""
    dataset = Dataset(workspace)
    positives, timeline = dataset.positives(), dataset.timeline
    towers = new_towers(dataset, positives, SETTINGS)
    end = timeline.ranker_starts[0]
    start = end - WEEKS * 7 * DAY_SECONDS
    losses = fit(towers, positives, start, end, SETTINGS.epochs, SETTINGS, lambda *_: None)
    embedding = towers.embed_items(dataset.moment(timeline.cutoff).item_statistics)
    return {"losses": losses, "embedding": embedding[:50].tolist()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trained_by(Workspace(Path(sys.argv[1])))) + "\n")
