"""A made-up shop whose customers' tastes are known: what share of the best possible list ours reaches.

The pipeline trains on it in a workspace of its own, once; that folder is used again while it is there.
"""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.quality.peers.peer import Scores
from benchmarks.quality.pipeline_sets import window
from benchmarks.quality.splits import DataSet, Split
from benchmarks.quality.workspaces import train
from contracts.arrays import Rows
from contracts.features import names
from training.dataset.dataset import Dataset
from training.ingest.adapters.synthetic import Truth, oracle_scores
from training.workspace import Workspace

SIZES: Final = {"interactions": 300_000, "users": 2000, "products": 2000}
"""150 looks, carts and purchases a user and year: minutes of training, and a taste that can be known."""
PARAMS: Final = """
two_tower: {batch_size: 256, epochs: 10, fine_tune_epochs: 4, temperature: 0.3, id_dropout: 0.3}
"""
"""Against the defaults, by NDCG on the last label window: of the towers alone."""
SMOKE_SIZES: Final = {"interactions": 30_000, "users": 300, "products": 300}


def synthetic(folder: Path, *, smoke: bool) -> DataSet:
    """The last 28 days of the shop; a smoke run makes a smaller one."""
    root = folder / ("synthetic-smoke" if smoke else "synthetic")
    sizes, params = (SMOKE_SIZES, "") if smoke else (SIZES, PARAMS)
    root.mkdir(parents=True, exist_ok=True)
    mapping = root / "sizes.yaml"
    mapping.write_text("".join(f"{name}: {size}\n" for name, size in sizes.items()))
    train(root, f"ingest: {{adapter: synthetic, mapping: {mapping.resolve()}}}\n{params}")
    return DataSet(
        "synthetic, last 28 days", ("recall@20", "ndcg@20"), partial(window, root, 1), partial(window, root, 0), {},
        oracle_share=(0.8, 0.9),
    )  # fmt: skip


class Oracle:
    """Ranks by the tastes, seasons and weights that the shop was made with, as of the moment of the list.

    It knows no later season and no item that is not for sale yet: nobody's list can.
    """

    def fit(self, split: Split) -> None:
        """Reads the truth that ingest has kept."""
        assert split.moment is not None, "only made-up sets have a truth"
        workspace = Workspace(split.moment.root)
        dataset = Dataset(workspace)
        self._truth = Truth.load(workspace.ingested("truth_users"), workspace.ingested("truth_items"))
        self._at = datetime.fromtimestamp(split.moment.seconds, UTC)
        self._users = dataset.vocabularies[names.USER_ID].terms
        items = self._truth.items[names.ITEM_ID].to_pylist()
        self._columns = np.argsort(dataset.vocabularies[names.ITEM_ID].encode(items))  # catalogue row to its column

    def scores(self, users: Rows) -> Scores:
        """Log-probabilities of a purchase."""
        scores = oracle_scores(self._truth, [self._users[user] for user in users], self._at)
        return scores[:, self._columns].astype(np.float32)
