"""What goes with an item: what was bought in the same baskets, and by content where nothing was.

Nearness by baskets says of two items how often they were bought together, by how often each was bought at all; it is
learned from everybody's baskets (training/retrieval/related.py). Nearness by content compares titles and categories.
Each is called similar beyond a threshold alone: what all but a stated share of random pairs stays below.

The items of a basket are asked for together. There nearness to each counts times (its popularity / the popularity of
what is found)^x: each item's nearest are popular ones, and summed they would push out what goes with this basket alone.

Baskets count each pair by itself. The item-to-item weights of contracts/ranking/neighbours.py weigh all that a user
bought against each other, so their sum is added: as a share of its highest, times a factor that is chosen like x.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import Mask
from contracts.ranking.inputs import Catalogue
from contracts.ranking.neighbours import Neighbours

RANDOM_SHARE: Final = 0.99
"""Two items are called similar where they are nearer than this share of random pairs."""


class Nearness(StrEnum):
    """What says that two items go together."""

    BASKETS = "baskets"
    CONTENT = "content"
    EMBEDDING = "embedding"  # of a bundle made before baskets were counted


@dataclass(frozen=True)
class Summing:
    """How what is found for the asked items is summed; chosen by the pipeline (training/retrieval/related.py)."""

    several_exponent: float = 0.0  # x, of popularity where several items are asked for; 0 sums plain nearness
    neighbours_for_one: float = 0.0  # factor of the item-to-item weights where one item is asked for
    neighbours_for_several: float = 0.0  # the same where there are several


@dataclass(frozen=True)
class Near:
    """What is near to some items."""

    rows: Rows  # [m] catalogue rows
    nearness: Floats  # [m] above 0

    def best(self, k: int, allowed: Mask | None = None) -> tuple[Rows, Floats]:
        """([m] catalogue rows, [m] nearness) of the nearest that are allowed, best first, at most k."""
        rows, nearness = self.rows, self.nearness
        if allowed is not None:
            passes = allowed[rows]
            rows, nearness = rows[passes], nearness[passes]
        order = np.argsort(-nearness, kind="stable")[:k]
        return rows[order], nearness[order]

    def of(self, rows: Rows) -> Floats:
        """[k] nearness of each catalogue row, 0 where nothing is known of it."""
        by_row = np.zeros(max(self.rows.max(initial=-1), rows.max(initial=-1)) + 1, np.float32)
        by_row[self.rows] = self.nearness
        return by_row[rows]


@dataclass(frozen=True)
class Related:
    """The nearest items of each by baskets. Place p from 1 on is catalogue row rows[p - 1], 0 all others."""

    rows: Rows  # [m] catalogue rows, ascending
    near: npt.NDArray[np.int32]  # [m + 1, k] places of each place's nearest, nearest first; 0 where there are fewer
    weights: Floats  # [m + 1, k] nearness of each, from 0 to 1
    num_items: int
    least: dict[Nearness, float]  # beyond which a pair is called similar
    popularity: Floats  # [m + 1] weight of the baskets with each place's item, plus a constant; above 0
    summing: Summing = Summing()

    @cached_property
    def places(self) -> npt.NDArray[np.int32]:
        """[num_items + 1] place of each catalogue row; the last entry stands for items that came later."""
        places = np.zeros(self.num_items + 1, np.int32)
        places[self.rows] = np.arange(1, len(self.rows) + 1)
        return places

    @cached_property
    def _size(self) -> Floats:
        """[m + 1] popularity as it counts among several items."""
        size: Floats = (self.popularity**self.summing.several_exponent).astype(np.float32)
        return size

    def known(self, rows: Rows) -> Mask:
        """[k] whether baskets say anything of each catalogue row."""
        known: Mask = self.places.take(rows, mode="clip") > 0
        return known

    def nearest(
        self, rows: Rows, k: int, allowed: Mask | None = None, neighbours: Neighbours | None = None
    ) -> tuple[Rows, Floats]:
        """([m] catalogue rows, [m] how near to the given rows), best first, at most k and none given."""
        return self.everything_near(rows, neighbours).best(k, allowed)

    def everything_near(self, rows: Rows, neighbours: Neighbours | None = None) -> "Near":
        """All that is near to the given catalogue rows, and none of them.

        Sums of nearness by baskets. Where baskets know two of the rows or more, each counts by popularity; of one it
        stays as it is. neighbours: the same bundle's weights, whose sum joins as far as the bundle says.
        """
        places = self.places.take(rows, mode="clip")
        several = int(np.count_nonzero(places)) > 1
        found, sums = self._summed(places, weighed=several)
        factor = self.summing.neighbours_for_several if several else self.summing.neighbours_for_one
        if neighbours is not None and factor > 0 and len(found):
            found, sums = _joined(found, sums, *neighbours.summed(rows), factor)
        return Near(found, sums)

    def _summed(self, places: npt.NDArray[np.int32], *, weighed: bool) -> tuple[Rows, Floats]:
        """([m] catalogue rows but those of the places, [m] sums of nearness); weighed: each times popularity."""
        near, weights = self.near.take(places, axis=0), self.weights.take(places, axis=0)
        if weighed:
            weights *= self._size[places][:, np.newaxis] / self._size[near]
        found, at = np.unique(near.ravel(), return_inverse=True)
        sums = np.bincount(at, weights.ravel(), len(found)).astype(np.float32)
        kept = (found > 0) & ~np.isin(found, places)
        return self.rows[found[kept] - 1], sums[kept]

    def mutual(self, row: int, others: Rows) -> Floats:
        """[k] nearness of the row and each of the others: the smaller of both directions, 0 where one says nothing.

        Much goes with a bestseller, and a bestseller with everything: only both directions say that two are alike.
        """
        place = int(self.places.take(row, mode="clip"))
        places = self.places.take(others, mode="clip")
        if place == 0:
            return np.zeros(len(others), np.float32)
        there = np.zeros(len(self.rows) + 1, np.float32)
        there[self.near[place]] = self.weights[place]
        back = (self.weights.take(places, axis=0) * (self.near.take(places, axis=0) == place)).max(axis=1, initial=0.0)
        both: Floats = np.where(places > 0, np.minimum(there.take(places), back), 0.0).astype(np.float32)
        return both

    def most_similar(self, row: int, others: Rows, catalogue: Catalogue) -> int | None:
        """Position in others of the item that the row may be called similar to; None where none is near enough.

        By baskets, and by content where nobody's basket says anything of the row yet.
        """
        if len(others) == 0:
            return None
        if self.known(np.array([row]))[0]:
            nearness, least = self.mutual(row, others), self.least[Nearness.BASKETS]
        else:
            nearness, least = content_nearness(catalogue, row, others), self.least[Nearness.CONTENT]
        nearest = int(np.argmax(nearness))
        return nearest if nearness[nearest] > least and others[nearest] != row else None

    def save(self, path: Path) -> None:
        """Writes an .npz; `load_related` reads it."""
        kinds = tuple(self.least)
        np.savez_compressed(
            path,
            rows=self.rows,
            near=self.near,
            weights=self.weights,
            num_items=np.array(self.num_items),
            kinds=np.array(kinds),
            least=np.array([self.least[kind] for kind in kinds]),
            popularity=self.popularity,
            several_exponent=np.array(self.summing.several_exponent),
            neighbours_for=np.array([self.summing.neighbours_for_one, self.summing.neighbours_for_several]),
        )


def load_related(file: Path | IO[bytes]) -> Related:
    """What `save` wrote. Earlier releases wrote no popularity and no factors: there nearness is a plain sum.

    Raises ValueError where it says nothing of a nearness that this release reads.
    """
    with np.load(file) as arrays:
        least = dict(zip(arrays["kinds"].tolist(), arrays["least"].tolist(), strict=True))
        weighed, joined = "popularity" in arrays, "neighbours_for" in arrays
        return Related(
            arrays["rows"], arrays["near"], arrays["weights"], int(arrays["num_items"]),
            {kind: float(_of(least, kind)) for kind in (Nearness.BASKETS, Nearness.CONTENT)},
            arrays["popularity"] if weighed else np.ones(len(arrays["rows"]) + 1, np.float32),
            Summing(
                float(arrays["several_exponent"]) if weighed else 0.0,
                *(arrays["neighbours_for"].tolist() if joined else ()),
            ),
        )  # fmt: skip


def _joined(rows: Rows, sums: Floats, others: Rows, weights: Floats, factor: float) -> tuple[Rows, Floats]:
    """([m] rows of both, [m] mean of sums and weights by 1 and the factor). Weights are scaled to the highest sum.

    Rows and others ascend.
    """
    if len(others) == 0:
        return rows, sums
    weights = weights * (factor * sums.max() / weights.max())
    place = np.searchsorted(others, rows)
    place[place == len(others)] = 0
    shared = others[place] == rows
    sums = sums + np.where(shared, weights[place], 0)
    alone = np.ones(len(others), np.bool_)
    alone[place[shared]] = False
    mean: Floats = (np.concatenate([sums, weights[alone]]) / (1 + factor)).astype(np.float32)
    return np.concatenate([rows, others[alone]]), mean


def _of(least: dict[str, float], kind: Nearness) -> float:
    if kind.value not in least:
        raise ValueError(f"nearness by {kind.value} has no threshold, there is one by {', '.join(least) or 'nothing'}")
    return least[kind.value]


def content_nearness(catalogue: Catalogue, row: int, others: Rows | None = None) -> Floats:
    """[k] from 0 to 1, of one item and the others, or all items: the mean of what there is to compare.

    That is the cosine of the titles and the share of content columns that are equal, of those that the item has.
    """
    rows: slice | Rows = slice(None) if others is None else others
    parts: list[Floats] = []
    text = catalogue.text[row]
    if text.any():
        parts.append(np.maximum(catalogue.text[rows] @ text, 0.0))
    own = [codes for codes in catalogue.codes.values() if codes[row] != OUT_OF_VOCABULARY]
    if own:
        equal: Sequence[Floats] = [(codes[rows] == codes[row]).astype(np.float32) for codes in own]
        parts.append(np.mean(equal, axis=0, dtype=np.float32))
    if parts:
        mean: Floats = np.mean(parts, axis=0, dtype=np.float32)
        return mean
    size = len(catalogue.text) if others is None else len(others)
    return np.zeros(size, np.float32)
