"""LightGBM over history and popularity: what a competent engineer has after a weekend."""

from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np

from benchmarks.quality.peers.peer import NO_CANDIDATE, Scores
from benchmarks.quality.splits import Split, one_basket_earlier
from contracts.arrays import Rows

HALF_LIFE: Final = {True: 28.0, False: 3.0}  # of a purchase: days where there is a clock, else baskets
RECENT_DAYS: Final = 28.0


@dataclass
class Boosted:
    """Ranks a user's own items and the popular ones by trees that have learned from earlier moments."""

    objective: str = "lambdarank"  # or binary
    leaves: int = 31
    trees: int = 200
    num_popular: int = 300

    def fit(self, split: Split) -> None:
        """Learns from the split's earlier moments; where it names none, from each user's latest basket."""
        parts = [_lesson(lesson, self.num_popular) for lesson in split.earlier or (one_basket_earlier(split),)]
        inputs, labels, groups = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        self._trees = lightgbm.train(self._parameters(), lightgbm.Dataset(inputs, labels, group=groups), self.trees)
        self._pairs = Pairs(split)

    def scores(self, users: Rows) -> Scores:
        """The trees' scores of the candidates, and next to nothing for all other items."""
        rows, items = self._pairs.candidates(users, self.num_popular)
        scores = np.full((len(users), self._pairs.num_items), NO_CANDIDATE, np.float32)
        scores[rows, items] = self._trees.predict(self._pairs.inputs(users[rows], items), num_threads=1)
        return scores

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": self.objective, "num_leaves": self.leaves, "learning_rate": 0.05, "min_data_in_leaf": 50,
            "lambdarank_truncation_level": 30, "num_threads": 1, "seed": 1, "deterministic": True, "verbosity": -1,
        }  # fmt: skip


class Pairs:
    """What the histories of a split say of a user and an item, all pairs of a user and an own item at once."""

    def __init__(self, split: Split) -> None:
        self.num_items = split.num_items
        clock = split.ages is not None
        ages = split.ages or [np.arange(len(own))[::-1].astype(np.float64) for own in split.histories]
        sizes = [[len(basket) for basket in own] for own in split.histories]
        users = np.repeat(np.arange(len(sizes)), [sum(own) for own in sizes])
        items = np.concatenate([np.zeros(0, np.int64), *(basket for own in split.histories for basket in own)])
        age = np.concatenate([np.repeat(own, size) for own, size in zip(ages, sizes, strict=True)])
        self._keys, inverse, counts = np.unique(users * self.num_items + items, return_inverse=True, return_counts=True)
        self._users = np.stack(
            [
                [len(own) for own in sizes],
                np.bincount(self._keys // self.num_items, minlength=len(sizes)),
                [sum(own) / max(len(own), 1) for own in sizes],
                [own.min() if len(own) else np.inf for own in ages],
            ],
            axis=1,
        )
        self._own = self._columns(inverse, counts, age, HALF_LIFE[clock])
        # Without a clock nobody knows what is bought now: another user's latest basket may be of next month.
        recent = items[age <= RECENT_DAYS] if clock else items
        self._items = self._popularity(items, recent, counts)
        self._popular = np.argsort(-self._items[:, 1], kind="stable")

    def candidates(self, users: Rows, num_popular: int) -> tuple[Rows, Rows]:
        """([n] position in users, [n] item): own items and the popular, ascending."""
        first, end = (np.searchsorted(self._keys, (users + more) * self.num_items) for more in (0, 1))
        own = [self._keys[a:b] - user * self.num_items for user, a, b in zip(users, first, end, strict=True)]
        popular = self._popular[:num_popular]
        found = [np.union1d(items, popular) for items in own]
        return np.repeat(np.arange(len(users)), [len(items) for items in found]), np.concatenate(found)

    def inputs(self, users: Rows, items: Rows) -> Scores:
        """[n, features] of pairs; what nobody knows is NaN, for which the trees have a branch."""
        keys = users * self.num_items + items
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        own = np.where((self._keys[at] == keys)[:, np.newaxis], self._own[at], np.nan)
        share = own[:, :1] / np.maximum(self._users[users, :1], 1.0)
        return np.concatenate([own, share, self._items[items], self._users[users]], axis=1, dtype=np.float32)

    def _columns(self, inverse: Rows, counts: Rows, age: Scores, half_life: float) -> Scores:
        """[pairs, 6] count, ages of the last and the first purchase, gap between two, how overdue, faded count."""
        last, first = np.full(len(counts), np.inf), np.zeros(len(counts))
        np.minimum.at(last, inverse, age)
        np.maximum.at(first, inverse, age)
        gap = np.where(counts > 1, (first - last) / np.maximum(counts - 1, 1), np.nan)
        faded = np.bincount(inverse, weights=0.5 ** (age / half_life), minlength=len(counts))
        return np.stack([counts, last, first, gap, last / np.maximum(gap, 1.0), faded], axis=1).astype(np.float32)

    def _popularity(self, items: Rows, recent: Rows, counts: Rows) -> Scores:
        """[items, 4] purchases, recent purchases, buyers, share of buyers that came back."""
        own = self._keys % self.num_items
        buyers, returned = (np.bincount(one, minlength=self.num_items) for one in (own, own[counts > 1]))
        bought, of_late = (np.bincount(one, minlength=self.num_items) for one in (items, recent))
        return np.stack([bought, of_late, buyers, returned / np.maximum(buyers, 1)], axis=1).astype(np.float32)


def _lesson(split: Split, num_popular: int) -> tuple[Scores, Rows, Rows]:
    """([n, features], [n] 1 where the candidate was chosen, [users] how many candidates each has)."""
    pairs = Pairs(split)
    positions, items = pairs.candidates(split.users, num_popular)
    users = split.users[positions]
    chosen = np.concatenate([split.truths[user] + user * split.num_items for user in split.users])
    labels = np.isin(users * split.num_items + items, chosen)
    return pairs.inputs(users, items), labels.astype(np.int64), np.bincount(positions)
