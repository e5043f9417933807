"""Where a list is good and where it is not: repeats and discoveries, short and long histories, short and long lists."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from contracts.events.schema import UNKNOWN
from contracts.features.names import ITEM_STATISTICS, USER_PROFILE
from training.evaluation.window import LENGTH, EvaluationWindow, Lists
from training.metrics.intervals import intervals
from training.metrics.ranking_metrics import NDCG_AT, among, hits, ndcg, padded, per_user_metrics, without

AT_K: Final = (5, 10, 20, 50, 100)
SHOWN: Final = (f"ndcg@{NDCG_AT}", "recall@20")
HISTORIES: Final = (("no history", 0, 0), ("1 to 50 items", 1, 50), ("51 to 300 items", 51, 300))
LONGEST: Final = "more than 300 items"
LEAST_USERS: Final = 30

Values = dict[str, npt.NDArray[np.float64]]
Table = dict[str, dict[str, dict[str, float]]]
"""By list, by metric: mean, low, high."""


def values_of(lists: Lists, truths: Sequence[Rows]) -> dict[str, Values]:
    """Metrics of each user, by list and metric; empty without users."""
    return {name: per_user_metrics(padded(rows, LENGTH), truths) for name, rows in lists.items()} if truths else {}


def with_intervals(lists: Lists, truths: Sequence[Rows]) -> Table:
    """Means over users and their intervals; empty without users."""
    return {name: intervals(values, SHOWN) for name, values in values_of(lists, truths).items()}


def of_repeats(window: EvaluationWindow, lists: Lists) -> tuple[Lists, list[Rows]]:
    """(lists, truths) of repeats: items that the user had bought before. Users without such a truth are left out."""
    kept = [np.intersect1d(truth, known) for truth, known in zip(window.truths, window.known, strict=True)]
    users = [row for row, truth in enumerate(kept) if len(truth)]
    return (
        {
            name: [r[among(r, window.known[u])] for u, r in ((u, rows[u]) for u in users)]
            for name, rows in lists.items()
        },
        [kept[user] for user in users],
    )


def of_discoveries(window: EvaluationWindow, lists: Lists) -> tuple[Lists, list[Rows]]:
    """(lists, truths) of discoveries: items that were new to the user. Users without such a truth are left out."""
    new = [without(truth, rows) for truth, rows in zip(window.truths, window.known, strict=True)]
    users = [row for row, truth in enumerate(new) if len(truth)]
    # P-TopFreq proposes nothing new, and GP-TopFreq then is popularity.
    discovering = {name: rows for name, rows in lists.items() if not name.endswith("top_freq")}
    return (
        {name: [without(rows[user], window.known[user]) for user in users] for name, rows in discovering.items()},
        [new[user] for user in users],
    )


def of_cold_items(window: EvaluationWindow, lists: Lists) -> tuple[Lists, list[Rows]]:
    """(lists as they are, truths that nobody had bought within a year), of users with such a truth."""
    cold = window.item_statistics[:, ITEM_STATISTICS.index("item_purchases_365d")] == 0
    kept = [truth[cold[truth]] for truth in window.truths]
    users = [row for row, truth in enumerate(kept) if len(truth)]
    return {name: [rows[user] for user in users] for name, rows in lists.items()}, [kept[user] for user in users]


def by_history(window: EvaluationWindow, lists: Lists) -> dict[str, dict[str, Any]]:
    """The table of each group of users by the number of distinct items that they had bought before."""
    lengths = np.array([len(known) for known in window.known])
    groups = {name: (lengths >= least) & (lengths <= most) for name, least, most in HISTORIES}
    groups[LONGEST] = lengths > HISTORIES[-1][2]
    return {name: _of_users(window, lists, members) for name, members in groups.items() if members.any()}


def by_segment(window: EvaluationWindow, lists: Lists, least_users: int = LEAST_USERS) -> list[dict[str, Any]]:
    """An entry a profile column and value: both, and the table of the users who have it.

    Fewer than least_users say too little and are left out. A list, since values are the shop's own words.
    """
    found = []
    for column in USER_PROFILE:
        values = np.array([profile.get(column, UNKNOWN) for profile in window.profiles])
        for value in sorted(set(values.tolist()), key=_bands_in_order):
            members = values == value
            if members.sum() >= least_users and not (values == UNKNOWN).all():
                found.append({"column": column, "value": value, **_of_users(window, lists, members)})
    return found


def _bands_in_order(value: str) -> tuple[bool, int, bool, str]:
    """Sorts Under 15K, 15-24K, 100-124K by their numbers, and what is not known behind all."""
    number = re.search(r"\d+", value)
    return value == UNKNOWN, int(number.group()) if number else -1, value[:1].isdigit(), value


def _of_users(window: EvaluationWindow, lists: Lists, members: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """How many users, and the table of theirs; members: [users], at least one."""
    users = np.flatnonzero(members).tolist()
    own = {name: [rows[user] for user in users] for name, rows in lists.items()}
    return {"users": len(users), **with_intervals(own, [window.truths[user] for user in users])}


def at_lengths(lists: Lists, truths: Sequence[Rows]) -> dict[str, dict[str, float]]:
    """Mean ndcg@k and recall@k by list, for each k of AT_K."""
    sizes = np.array([len(truth) for truth in truths], np.float64)
    found = {}
    for name, rows in lists.items():
        hit = hits(padded(rows, max(AT_K)), truths)
        means = {f"ndcg@{k}": float(ndcg(hit, sizes, k).mean()) for k in AT_K}
        found[name] = means | {f"recall@{k}": float((hit[:, :k].sum(axis=1) / sizes).mean()) for k in AT_K}
    return found
