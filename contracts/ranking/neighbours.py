"""What a user's purchases say of other items by item-to-item weights: one numpy function, called offline and online.

Weights are learned from everybody's purchases (training/retrieval/neighbours.py) and say nothing of any one user. A
user's score of an item is the sum of the weights from what the user has bought, each purchase fading with a half-life.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features.history import UserHistory
from contracts.features.names import DAY_SECONDS

HALF_LIFE_DAYS: Final = 91.0
"""Of a purchase, where weights are learned and where they are summed."""
LATEST: Final = 200
"""Purchased items that are summed, the latest first: older ones have faded."""
RANKED: Final = 200
"""Ranks with a value of their own; all lower ranks share the next value."""

NEIGHBOUR_FEATURES: Final = ("neighbour_score", "neighbour_share", "neighbour_place")
"""The score, its share of the user's highest and log1p of its place; the last columns of the ranker's input, where the
bundle holds weights."""


@dataclass(frozen=True)
class Neighbours:
    """The heaviest item-to-item weights. Place p from 1 on stands for catalogue row rows[p - 1], place 0 for every
    other row.
    """

    rows: Rows  # [m] catalogue rows, ascending
    near: npt.NDArray[np.int32]  # [m + 1, k] places of each place's neighbours; 0 where there are fewer
    weights: Floats  # [m + 1, k] from the place to its neighbours
    num_items: int

    @cached_property
    def places(self) -> npt.NDArray[np.int32]:
        """[num_items + 1] place of each catalogue row; the last entry stands for items that came later."""
        places = np.zeros(self.num_items + 1, np.int32)
        places[self.rows] = np.arange(1, len(self.rows) + 1)
        return places

    def places_of(self, rows: Rows) -> npt.NDArray[np.int32]:
        """[k] place of each catalogue row, 0 for one without weights."""
        return self.places.take(rows, mode="clip")

    def scored(self, history: UserHistory, now: float) -> "Scored":
        """What the history says of other items; now is Unix seconds."""
        places = self.places_of(history.item_rows[:LATEST])
        strengths = np.exp2((history.last[:LATEST] - now) / (HALF_LIFE_DAYS * DAY_SECONDS))
        summed = self.weights.take(places, axis=0) * strengths[:, np.newaxis]
        scores = np.bincount(self.near.take(places, axis=0).ravel(), summed.ravel(), len(self.rows) + 1)
        scores[0] = 0.0
        return Scored(self, scores.astype(np.float32), best_places(scores, RANKED))

    def summed(self, rows: Rows) -> tuple[Rows, Floats]:
        """([m] catalogue rows but the given ones, ascending, [m] positive sums of the weights from these)."""
        places = self.places_of(rows)
        sums = np.bincount(
            self.near.take(places, axis=0).ravel(), self.weights.take(places, axis=0).ravel(), len(self.rows) + 1
        )
        sums[0] = sums[places] = 0.0
        found = np.flatnonzero(sums > 0)
        return self.rows[found - 1], sums[found].astype(np.float32)

    def save(self, path: Path) -> None:
        """Writes an .npz; `load_neighbours` reads it."""
        np.savez_compressed(
            path,
            features=np.array(NEIGHBOUR_FEATURES),
            rows=self.rows,
            near=self.near,
            weights=self.weights,
            num_items=np.array(self.num_items),
        )


def load_neighbours(file: Path | IO[bytes]) -> Neighbours:
    """What `save` wrote. Raises ValueError where it is meant for other inputs than this release computes."""
    with np.load(file) as arrays:
        features = tuple(arrays["features"].tolist())
        if features != NEIGHBOUR_FEATURES:
            raise ValueError(
                f"the item-to-item weights are for the inputs {', '.join(features)}, this release computes "
                f"{', '.join(NEIGHBOUR_FEATURES)}"
            )
        return Neighbours(arrays["rows"], arrays["near"], arrays["weights"], int(arrays["num_items"]))


@dataclass(frozen=True)
class Scored:
    """Scores of one user."""

    by: Neighbours
    scores: Floats  # [m + 1] by place
    best: npt.NDArray[np.intp]  # [up to RANKED] places with a positive score, best first

    def best_rows(self, allowed: npt.NDArray[np.bool_] | None, limit: int) -> Rows:
        """Catalogue rows with a positive score, best first: the best RANKED, or limit of those that are allowed."""
        if allowed is None:
            return self.by.rows[self.best - 1]
        kept = np.flatnonzero(allowed[self.by.rows])
        return self.by.rows[kept[best_places(self.scores[kept + 1], limit)]]

    def features(self, candidates: Rows) -> Floats:
        """[k, len(NEIGHBOUR_FEATURES)]; row i describes candidates[i], a catalogue row."""
        places = self.by.places_of(candidates)
        rank = np.full(len(self.scores), RANKED, np.float32)
        rank[self.best] = np.arange(len(self.best))
        scores = self.scores.take(places)
        share = scores / max(float(self.scores.max()), 1e-9)
        return np.stack([scores, share, np.log1p(rank.take(places))], axis=1, dtype=np.float32)


def best_places(scores: npt.NDArray[Any], limit: int) -> npt.NDArray[np.intp]:
    """[up to limit] positions of the highest positive scores, best first; equal scores by position."""
    everything = limit >= len(scores)
    top = np.arange(len(scores)) if everything else np.sort(np.argpartition(-scores, limit)[:limit])
    top = top[scores[top] > 0]
    return top[np.argsort(-scores[top], kind="stable")]
