"""What towers are judged by: what was new to users who chose it in a label window. The test window is not read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.arrays import Doubles, Rows
from training.dataset.dataset import Dataset, Moment
from training.metrics.ranking_metrics import without
from training.retrieval.fit import Towers
from training.retrieval.index import build_index, search
from training.settings import FLAT, IndexSettings


@dataclass(frozen=True)
class Validation:
    """The users of a moment that chose something new afterwards."""

    moment: Moment
    users: Sequence[int]  # rows of the moment
    truths: Sequence[Rows]  # entry i: what users[i] chose for the first time
    known: Sequence[Rows]  # entry i: what users[i] had before
    recall_at: int

    def recall(self, towers: Towers) -> float:
        """The mean of the users' shares."""
        return float(self.shares(towers).mean())

    def shares(self, towers: Towers) -> Doubles:
        """[users] share of the first-time choices among the recall_at nearest items that are new to the user."""
        if not self.users:
            return np.zeros(0)
        queries = towers.embed_queries({name: values[self.users] for name, values in self.moment.queries.items()})
        items = towers.embed_items(self.moment.item_statistics)
        depth = min(self.recall_at + max(map(len, self.known)), len(items))
        found = search(build_index(items, queries, IndexSettings(factory=FLAT)), queries, depth)
        shares = [
            np.isin(truth, without(rows, known)[: self.recall_at]).mean()
            for rows, truth, known in zip(found, self.truths, self.known, strict=True)
        ]
        return np.array(shares)


def discoveries_in(dataset: Dataset, start: int, end: int, recall_at: int) -> Validation:
    """The users of the moment at start who chose in [start, end) what was new to them."""
    moment, bought, before = dataset.moment(start), dataset.bought(start, end), dataset.bought(0, start)
    nothing = np.zeros(0, np.int64)
    rows, truths, known = [], [], []
    for row, user in enumerate(moment.user_ids):
        own = before.get(user, nothing)
        new = without(bought.get(user, nothing), own)
        if len(new):
            rows.append(row)
            truths.append(new)
            known.append(own)
    return Validation(moment, rows, truths, known, recall_at)
