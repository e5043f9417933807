"""Drawn users and items that look like a data set to the training code.

Each user likes a few subcategories and each item belongs to one, so that the towers have something to learn and the
index something to find; nothing else of it means anything.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.features import encoding, names
from contracts.features.names import DAY_SECONDS, HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from contracts.features.text import text_vectors
from contracts.features.vocabulary import Vocabulary
from training.dataset.dataset import Positives
from training.dataset.item_text import fit_projection

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
CONTENT_SIZES = {"department": 20, "category": 200, "subcategory": 1000, "brand": 300, "manufacturer": 600}
PROFILE_SIZE = 8
LIKED_SUBCATEGORIES = 5
POSITIVES_PER_ITEM = 6
"""As scarce as in a shop. With one for two items, towers say the same of nearly all of them, and then no index is
quicker than comparing everything."""
BASKET_LINES = 10
HISTORY_ITEMS_OF_POSITIVES = 1  # the towers do not read it
HISTORY_ITEMS = 200  # distinct items a user has bought; with 200 by the towers and 100 popular, 500 are ranked


@dataclass(frozen=True)
class SizedWorld:
    """Users and items by number; looks like training.dataset.dataset.Dataset to the training code."""

    num_users: int
    num_items: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(17))

    @cached_property
    def vocabularies(self) -> dict[str, Vocabulary]:
        """Terms of every column."""
        sizes = {names.USER_ID: self.num_users, names.ITEM_ID: self.num_items}
        sizes |= CONTENT_SIZES | dict.fromkeys(names.USER_PROFILE, PROFILE_SIZE)
        return {column: Vocabulary([f"{column}-{i}" for i in range(size)]) for column, size in sizes.items()}

    @cached_property
    def content(self) -> npt.NDArray[np.int32]:
        """[num_items, len(ITEM_CONTENT)] codes; the broader columns follow from the subcategory."""
        random = np.random.default_rng(self.num_items)  # the same whatever else was drawn before
        subcategory = random.integers(CONTENT_SIZES["subcategory"], size=self.num_items)
        columns = {"subcategory": subcategory, "category": subcategory // 5, "department": subcategory // 50}
        for name in ("brand", "manufacturer"):
            columns[name] = random.integers(CONTENT_SIZES[name], size=self.num_items)
        return np.stack([columns[name] + 1 for name in names.ITEM_CONTENT], axis=1).astype(np.int32)

    @cached_property
    def item_statistics(self) -> npt.NDArray[np.float32]:
        """[num_items, len(ITEM_STATISTICS)]."""
        return self.random.lognormal(2.0, 1.5, (self.num_items, len(names.ITEM_STATISTICS))).astype(np.float32)

    @cached_property
    def titles(self) -> list[str]:
        """A word for the subcategory and one for the brand; row i is catalogue row i."""
        columns = [self.content[:, names.ITEM_CONTENT.index(name)].tolist() for name in ("subcategory", "brand")]
        return [
            f"{_word(subcategory)} {_word(brand + CONTENT_SIZES['subcategory'])}"
            for subcategory, brand in zip(*columns, strict=True)
        ]

    @cached_property
    def text_projection(self) -> npt.NDArray[np.float32]:
        """[BUCKETS, TEXT_DIM], fitted on the titles."""
        return fit_projection(self.titles)

    @cached_property
    def text(self) -> npt.NDArray[np.float32]:
        """[num_items, TEXT_DIM]."""
        return text_vectors(self.titles, self.text_projection)

    @cached_property
    def _by_subcategory(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(catalogue rows in the order of their subcategory, where each subcategory begins)."""
        codes = self.content[:, names.ITEM_CONTENT.index("subcategory")]
        order = np.argsort(codes, kind="stable")
        return order, np.searchsorted(codes[order], np.arange(CONTENT_SIZES["subcategory"] + 2))

    def bought_by(self, user: int, count: int) -> npt.NDArray[np.int64]:
        """[count] catalogue rows of the subcategories that a user likes, some of them several times."""
        order, starts = self._by_subcategory
        liked = np.random.default_rng(user).integers(CONTENT_SIZES["subcategory"], size=LIKED_SUBCATEGORIES) + 1
        chosen = self.random.choice(liked, size=count)
        width = np.maximum(starts[chosen + 1] - starts[chosen], 1)
        at = np.minimum(starts[chosen] + self.random.integers(width), self.num_items - 1)
        rows: npt.NDArray[np.int64] = order[at]
        return rows

    def positives(self) -> Positives:
        """One basket a user for as many users as there are positives for."""
        users = self.random.integers(self.num_users, size=POSITIVES_PER_ITEM * self.num_items // BASKET_LINES)
        columns = self.user_columns(users, HISTORY_ITEMS_OF_POSITIVES)
        unknown = np.full(len(users), HOUR_UNKNOWN, np.int32), np.full(len(users), WEEKDAY_UNKNOWN, np.int32)
        item_rows = np.concatenate([self.bought_by(int(user), BASKET_LINES) for user in users])
        return Positives(
            queries=encoding.query_inputs(self.ids(users), columns, self.vocabularies, *unknown),
            query_rows=np.repeat(np.arange(len(users)), BASKET_LINES),
            item_rows=item_rows,
            item_statistics=self.item_statistics[item_rows],
            is_repeat=np.zeros(len(item_rows), np.bool_),
            seconds=np.full(len(item_rows), NOW - 1),
            types=np.zeros(len(item_rows), np.int8),  # all of it purchases
        )

    def purchases(self) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.int64]]]:
        """([users, len(USER_PROFILE)] profile codes, distinct rows bought) of some users."""
        profile = self.random.integers(PROFILE_SIZE, size=(2000, len(names.USER_PROFILE)), dtype=np.int32)
        return profile, [np.unique(self.bought_by(user, HISTORY_ITEMS)) for user in range(len(profile))]

    def ids(self, users: npt.NDArray[np.int64]) -> list[str]:
        """Ids of users by number."""
        terms = self.vocabularies[names.USER_ID].terms
        return [terms[user] for user in users.tolist()]

    def user_columns(self, users: npt.NDArray[np.int64], history_items: int) -> dict[str, list[Any]]:
        """Feature name to a value per user, as Feast has them."""
        items = np.array(self.vocabularies[names.ITEM_ID].terms)
        bought = [self.bought_by(int(user), max(2 * history_items, names.SEQUENCE_LENGTH)) for user in users]
        profile = self.random.integers(PROFILE_SIZE, size=(len(names.USER_PROFILE), len(users)))
        columns: dict[str, list[Any]] = {n: [f"{n}-{v}" for v in profile[i]] for i, n in enumerate(names.USER_PROFILE)}
        statistics = self.random.lognormal(2.0, 1.0, (len(names.USER_STATISTICS), len(users)))
        columns |= dict(zip(names.USER_STATISTICS, statistics.tolist(), strict=True))
        columns[names.SEQUENCE_ITEM_IDS] = [items[rows[: names.SEQUENCE_LENGTH]].tolist() for rows in bought]
        columns[names.USER_STATISTICS_VALUES] = statistics.T.astype(np.float32).tolist()
        kinds = self.random.choice(names.SEQUENCE_TYPES, size=(len(users), names.SEQUENCE_LENGTH))
        columns[names.SEQUENCE_EVENT_TYPES] = kinds.tolist()
        columns[names.SEQUENCE_TIMESTAMPS] = [self._seconds(names.SEQUENCE_LENGTH).tolist() for _ in bought]
        return columns | self._histories(items, [np.unique(rows)[:history_items] for rows in bought])

    def _histories(self, items: npt.NDArray[Any], distinct: list[npt.NDArray[np.int64]]) -> dict[str, list[list[Any]]]:
        columns: dict[str, list[list[Any]]] = {name: [] for name in names.HISTORY}
        for rows in distinct:
            last = self._seconds(len(rows))
            columns[names.HISTORY_ITEM_IDS].append(items[rows].tolist())
            for name in (names.HISTORY_COUNTS, names.HISTORY_COUNTS_91D, names.HISTORY_COUNTS_28D):
                columns[name].append(self.random.integers(1, 9, size=len(rows)).tolist())
            columns[names.HISTORY_FIRST_TIMESTAMPS].append((last - 90 * DAY_SECONDS).tolist())
            columns[names.HISTORY_LAST_TIMESTAMPS].append(last.tolist())
        return columns

    def _seconds(self, count: int) -> npt.NDArray[np.int64]:
        """[count] moments of the last year, latest first."""
        return np.sort(NOW - self.random.integers(365 * DAY_SECONDS, size=count))[::-1]


def _word(number: int) -> str:
    """A word of its own for each number: n-grams are made of letters."""
    consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
    pairs = [consonants[(number // 90**i) % 90 // 5] + vowels[(number // 90**i) % 5] for i in range(2)]
    return "".join((*pairs, pairs[0]))
