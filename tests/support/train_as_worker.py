"""One worker of a training run: `python -m tests.support.train_as_worker ROOT` prints each epoch's loss as JSON."""

import json
import sys
from pathlib import Path

from training.dataset.dataset import Dataset
from training.retrieval.fit import fit, new_towers
from training.settings import TwoTowerSettings
from training.workspace import Workspace

SETTINGS = TwoTowerSettings(
    epochs=2, batch_size=256, hidden_units=(32,), id_dropout=0.0, dropout=0.0, cold_user_share=0.0
)

if __name__ == "__main__":
    dataset = Dataset(Workspace(Path(sys.argv[1])))
    positives, timeline = dataset.positives(), dataset.timeline
    towers = new_towers(dataset, positives, SETTINGS)
    start, end = timeline.two_tower_start, timeline.ranker_starts[0]
    losses = fit(towers, positives, start, end, SETTINGS.epochs, SETTINGS, lambda *_: None)
    embedding = towers.embed_items(dataset.moment(timeline.cutoff).item_statistics)
    sys.stdout.write(json.dumps({"losses": losses, "embedding": embedding[:50].tolist()}) + "\n")
