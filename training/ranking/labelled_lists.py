"""Training data of rankers: candidates as they are served, labelled by purchases and engagements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from training.metrics.ranking_metrics import NDCG_AT, among, ndcg

VIEWED, CHOSEN, BOUGHT = 0.25, 0.5, 1.0
"""Labels: how far a user went with an item. Chosen is put in the cart or liked; only what was bought is a hit."""
LABEL_LEVELS: Final = (BOUGHT, CHOSEN, VIEWED)
"""What the network has a head for, each: whether the user went as far."""
Engagements = Sequence[Sequence[tuple[float, Rows]]]
"""Entry i is of user i: a label, and the rows that have at least this one."""


@dataclass(frozen=True)
class LabelledLists:
    """Candidates of many users. Entry i of each is one user's list of its own length k_i."""

    inputs: tuple[Floats, ...]  # [k_i, features] of the shortlists
    labels: tuple[Floats, ...]  # [k_i] how far the user went with it in the label window, 0 for nothing
    num_truths: tuple[int, ...]  # distinct items bought in it, candidates or not

    def __len__(self) -> int:
        """The number of users."""
        return len(self.inputs)

    def ndcg(self, scores: Sequence[Floats]) -> npt.NDArray[np.float64]:
        """[users] NDCG of these lists in the order of scores, entry i [k_i]; other purchases are misses."""
        own_ndcg: npt.NDArray[np.float64] = ndcg(self._hits(scores), np.array(self.num_truths, np.float64), NDCG_AT)
        return own_ndcg

    def recall(self, scores: Sequence[Floats]) -> npt.NDArray[np.float64]:
        """[users] share of what was bought among the first NDCG_AT of these lists in the order of scores."""
        found: npt.NDArray[np.float64] = self._hits(scores).sum(axis=1) / np.array(self.num_truths, np.float64)
        return found

    def _hits(self, scores: Sequence[Floats]) -> npt.NDArray[np.bool_]:
        """[users, NDCG_AT] whether what stands there was bought."""
        hit = np.zeros((len(self), NDCG_AT), np.bool_)
        for row, (own, labels) in enumerate(zip(scores, self.labels, strict=True)):
            best = np.argsort(-own, kind="stable")[:NDCG_AT]
            hit[row, : len(best)] = labels[best] >= BOUGHT
        return hit


def labelled_lists(
    inputs: Sequence[Floats], rows: Sequence[Rows], truths: Sequence[Rows], engagements: Engagements = ()
) -> LabelledLists:
    """Lists with at least one label; the others teach nothing. Entry i of each argument is of one user who bought."""
    labels = [among(r, t).astype(np.float32) * BOUGHT for r, t in zip(rows, truths, strict=True)]
    for own, r, looked in zip(labels, rows, engagements or [()] * len(labels), strict=True):
        for label, seen in looked:
            np.maximum(own, np.where(among(r, seen), label, 0.0), out=own)
    taught = [i for i, label in enumerate(labels) if label.any()]
    return LabelledLists(
        tuple(inputs[i] for i in taught), tuple(labels[i] for i in taught), tuple(len(truths[i]) for i in taught)
    )


def joined(windows: Sequence[LabelledLists]) -> LabelledLists:
    """The lists of all windows, one after the other."""
    return LabelledLists(
        tuple(one for window in windows for one in window.inputs),
        tuple(one for window in windows for one in window.labels),
        tuple(one for window in windows for one in window.num_truths),
    )


NOBODY: Final = joined(())
