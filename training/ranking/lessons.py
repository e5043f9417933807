"""What each step of the network's training reads: some users' lists, without most of what is easy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.ranking.inputs import RANKING_FEATURES
from training.ranking.labelled_lists import LABEL_LEVELS, LabelledLists

HARDEST: Final = 100
"""Candidates that a step always reads, of those without a label."""
EASY_KEPT: Final = 4
"""Of the others one of this many is read, and stands for as many; which one is drawn anew each time."""
LEVEL_SPREAD: Final = 0.5
"""Standard deviation of a list's shift of all counts of purchases and buyers, which are logarithms: half of the lists
are read as if the shop were at least 1.4 times as busy, or as quiet."""
COUNT_COLUMNS: Final = [
    at for at, name in enumerate(RANKING_FEATURES) if name.startswith(("item_purchases_", "item_buyers_"))
]


@dataclass(frozen=True)
class Lessons:
    """Lists to learn from. Entry i of each sequence is of list i, [k_i]."""

    lists: LabelledLists
    soft_labels: Sequence[Floats] | None  # what is added to the labels, such as a teacher's probabilities
    hardness: Sequence[Floats] | None  # by which candidates are hard; without it every step reads whole lists

    def __len__(self) -> int:
        """The number of lists."""
        return len(self.lists)

    def padded(
        self, chosen: npt.NDArray[np.int64], heads: int, draw: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """The chosen lists' [lists, longest, features] inputs, [lists, longest, heads] what each head is to say, and
        [lists, longest] the number of candidates that each stands for, 0 where there is none.
        """
        read = [self._read(i, draw) for i in chosen]
        longest = max(len(rows) for rows, _ in read)
        inputs = np.zeros((len(chosen), longest, self.lists.inputs[0].shape[1]), np.float32)
        labels = np.zeros((len(chosen), longest, heads), np.float32)
        weights = np.zeros((len(chosen), longest), np.float32)
        levels = np.array(LABEL_LEVELS[:heads], np.float32)
        for place, (i, (rows, stands_for)) in enumerate(zip(chosen, read, strict=True)):
            k = len(rows)
            inputs[place, :k], weights[place, :k] = self.lists.inputs[i][rows], stands_for
            labels[place, :k] = self.lists.labels[i][rows, np.newaxis] >= levels
            if self.soft_labels is not None:
                labels[place, :k, 0] += self.soft_labels[i][rows]
        return inputs, labels, weights

    def _read(self, i: int, draw: np.random.Generator) -> tuple[Rows, Floats]:
        """([n] places in list i that are read, [n] the number of candidates that each stands for)."""
        labels = self.lists.labels[i]
        if self.hardness is None or len(labels) <= HARDEST:
            return np.arange(len(labels)), np.ones(len(labels), np.float32)
        certain = labels > 0
        certain[np.argpartition(-self.hardness[i], HARDEST)[:HARDEST]] = True
        rows = np.flatnonzero(certain | (draw.random(len(labels)) < 1 / EASY_KEPT))
        return rows, np.where(certain[rows], 1.0, EASY_KEPT).astype(np.float32)


def move_levels(inputs: Floats, draw: np.random.Generator) -> None:
    """Puts each list's counts of purchases and buyers to another level in place; 0 stays 0.

    inputs: [lists, longest, features].

    How busy the shop is as a whole differs between the label windows and the day of service: MovieLens had three to
    five times as many likes in the month before its test as in earlier ones. A network goes astray where it has never
    been, and what an item's count says is how it compares with the others.
    """
    counts = inputs[..., COUNT_COLUMNS]
    level = draw.normal(0.0, LEVEL_SPREAD, (len(inputs), 1, 1)).astype(np.float32)
    inputs[..., COUNT_COLUMNS] = np.where(counts > 0, np.maximum(counts + level, 0.0), counts)
