"""Sets that the product's own pipeline has trained on: what is asked is what `tandem evaluate` asks, of every peer."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.quality.splits import Baskets, DataSet, PipelineMoment, Split
from contracts.arrays import Doubles, Rows
from contracts.features import names
from contracts.features.names import DAY_SECONDS
from training.dataset.dataset import Dataset
from training.metrics.ranking_metrics import NDCG_AT
from training.workspace import Workspace, require

LESSONS = 3  # earlier windows that a peer may learn to rank from


def journey(root: Path) -> DataSet:
    """The demo's purchases; the last 28 days are the test, the 28 days before them the validation."""
    return DataSet(
        "The Complete Journey, last 28 days", ("recall@20", "ndcg@20"), partial(window, root, 1),
        partial(window, root, 0), {}, ((0.150, 0.363), (0.160, 0.385)),
    )  # fmt: skip


def window(root: Path, back: int) -> Split:
    """The test window for back 0, the label window before it for 1, with up to LESSONS windows before that one.

    Raises MissingArtifact where the pipeline has not run.
    """
    require(Workspace(root).ranker, "tandem train-ranker")
    timeline = Dataset(Workspace(root)).timeline
    windows = [*timeline.ranker_windows, (timeline.cutoff, timeline.data_end)]
    asked = windows[: len(windows) - back]
    *earlier, last = (_asked(root, start, end) for start, end in asked[-LESSONS - 1 :])
    return replace(last, earlier=tuple(earlier))


def _asked(root: Path, start: int, end: int) -> Split:
    """Everybody's baskets before start, and what they bought in [start, end); users are as moments have them."""
    dataset = Dataset(Workspace(root))
    users = dataset.vocabularies[names.USER_ID].terms
    histories, ages = _histories(root, start)
    bought, nothing = dataset.bought(start, end), np.zeros(0, np.int64)
    return Split(
        len(dataset.item_ids), histories, histories, [bought.get(user, nothing) for user in users], repeats=True,
        ordered=True, k=NDCG_AT, ages=ages, moment=PipelineMoment(root, start),
    )  # fmt: skip


def _histories(root: Path, start: int) -> tuple[list[Baskets], list[Doubles]]:
    """Baskets of each user of the vocabulary before start, oldest first, and their ages in days."""
    users, seconds, items, num_users = _purchases(root)
    before = seconds < start
    users, seconds, items = users[before], seconds[before], items[before]
    begins = np.flatnonzero(np.diff(users, prepend=-1) | np.diff(seconds, prepend=-1))
    parts = np.split(items, begins[1:]) if len(begins) else []
    age = (start - seconds[begins]) / DAY_SECONDS
    ends = np.searchsorted(users[begins], np.arange(num_users + 1))
    spans = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
    return [parts[a:b] for a, b in spans], [age[a:b] for a, b in spans]


@cache
def _purchases(root: Path) -> tuple[Rows, Rows, Rows, int]:
    """(user, Unix seconds, item) of every line by user and time, once each, and how many users there are.

    What a user bought in one second is a basket, as it is where the towers learn.
    """
    dataset = Dataset(Workspace(root))
    table = pq.read_table(dataset.folder / "purchases.parquet", columns=[names.USER_ID, names.ITEM_ID, "seconds"])
    terms = dataset.vocabularies
    users, items = (terms[name].encode(table[name].to_pylist()) - 1 for name in (names.USER_ID, names.ITEM_ID))
    lines = np.unique(np.stack([users, table["seconds"].to_numpy(), items]), axis=1)
    return lines[0], lines[1], lines[2], len(terms[names.USER_ID].terms)
