"""Public splits with published figures: Gowalla, Amazon Beauty, Ta-Feng.

The files are read where they lie and are never copied: their licences are unclear.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.quality.splits import Baskets, DataSet, Split
from contracts.arrays import Rows
from contracts.errors import MissingArtifact

VALIDATION_SEED = 11


def gowalla(folder: Path) -> DataSet:
    """Check-ins without time; LightGCN's split. Validation hides a tenth of each user's training items."""

    def read(part: str) -> list[Rows]:
        table = pq.read_table(_required(folder / "gowalla" / f"{part}.parquet"))
        return _grouped(table.column("user").to_numpy(), table.column("item").to_numpy(), 29_858)

    def split(train: list[Rows], truths: list[Rows]) -> Split:
        histories = [_one_by_one(items) for items in train]
        return Split(40_981, histories, histories, truths, repeats=False, ordered=False, k=20)

    def validation() -> Split:
        generator = np.random.default_rng(VALIDATION_SEED)
        train = read("train")
        hidden = [generator.random(len(items)) < 0.1 for items in train]
        return split(
            [items[~mask] for items, mask in zip(train, hidden, strict=True)],
            [items[mask] for items, mask in zip(train, hidden, strict=True)],
        )

    published = {  # BARS leaderboard, gowalla_m1
        "ItemCF": (0.1570, 0.1214), "MF-BPR": (0.1627, 0.1378), "SLIM": (0.1699, 0.1382),
        "YoutubeDNN, a two-tower model": (0.1754, 0.1473), "EASE": (0.1765, 0.1467), "LightGCN": (0.1820, 0.1547),
        "MF-CCL": (0.1837, 0.1493), "GF-CF": (0.1849, 0.1518), "UltraGCN": (0.1862, 0.1580),
        "SimpleX": (0.1872, 0.1557),
    }  # fmt: skip
    return DataSet(
        "Gowalla, LightGCN split", ("recall@20", "ndcg@20"), validation,
        lambda: split(read("train"), read("test")), published, ((0.1754, 0.1473), (0.1872, 0.1557)),
    )  # fmt: skip


def beauty(folder: Path) -> DataSet:
    """Reviews in order; the last item is the test, the one before is the validation.

    As published: weights are fitted without both, and the test is asked with the validation item in the history.
    """

    def split(held_out: int) -> Split:
        table = pq.read_table(_required(folder / "beauty" / "sequences.parquet")).sort_by(
            [("user_id", "ascending"), ("pos", "ascending")]
        )
        sequences = _grouped(
            table.column("user_id").to_numpy() - 1, table.column("item_id").to_numpy() - 1, 22_363
        )  # fmt: skip
        return Split(
            12_101, [_one_by_one(items[: len(items) - held_out]) for items in sequences],
            [_one_by_one(items[:-2]) for items in sequences],
            [items[len(items) - held_out :][:1] for items in sequences], repeats=False, ordered=True, k=10,
        )  # fmt: skip

    published = {  # the S3-Rec paper's table over all items; TIGER's own; a third party's run of the last
        "GRU4Rec": (0.0283, 0.0137), "Caser": (0.0347, 0.0176), "HGN": (0.0512, 0.0266), "SASRec": (0.0605, 0.0318),
        "S3-Rec": (0.0647, 0.0327), "TIGER": (0.0648, 0.0384), "SASRec, full cross-entropy": (0.0859, 0.0503),
    }  # fmt: skip
    return DataSet(
        "Amazon Beauty, leave one out", ("recall@10", "ndcg@10"), lambda: split(2), lambda: split(1), published,
        ((0.0647, 0.0384), (0.0859, 0.0503)),
    )  # fmt: skip


def tafeng(folder: Path) -> DataSet:
    """Supermarket baskets; the last basket is the test, the one before is the validation."""

    def split(held_out: int) -> Split:
        table = pq.read_table(_required(folder / "tafeng" / "baskets.parquet"))
        columns = (table.column(name).to_numpy() for name in ("user_id", "basket_no", "item_id"))
        baskets = [own for own in baskets_of(*columns) if len(own) > held_out]
        histories = [own[: len(own) - held_out] for own in baskets]
        truths = [own[len(own) - held_out] for own in baskets]
        return Split(11_997, histories, histories, truths, repeats=True, ordered=True, k=10)

    published = {"TIFU-KNN, another preprocessing": (0.1301, 0.1011)}
    return DataSet(
        "Ta-Feng, next basket", ("recall@10", "ndcg@10"), lambda: split(2), lambda: split(1), published,
        ((0.1195, 0.1069), (0.1301, 0.1100)),
    )  # fmt: skip


def baskets_of(users: Rows, numbers: Rows, item_ids: Rows) -> list[Baskets]:
    """Baskets of each user in the order of their numbers, each item once."""
    items = np.unique(item_ids, return_inverse=True)[1]
    order = np.lexsort((numbers, users))
    by_user = np.split(order, np.flatnonzero(np.diff(users[order])) + 1)
    return [
        [np.unique(basket) for basket in np.split(items[own], np.flatnonzero(np.diff(numbers[own])) + 1)]
        for own in by_user
    ]


def _grouped(users: Rows, items: Rows, num_users: int) -> list[Rows]:
    """Items of each user in the order of the rows."""
    order = np.argsort(users, kind="stable")
    ends = np.cumsum(np.bincount(users, minlength=num_users))
    return [part.astype(np.int64) for part in np.split(items[order], ends[:-1])]


def _one_by_one(items: Rows) -> Baskets:
    return [items[i : i + 1] for i in range(len(items))]


def _required(path: Path) -> Path:
    if not path.is_file():
        raise MissingArtifact(
            f"{path} is not here. The public splits are not part of the repository; set TANDEM_BENCHMARKS to a "
            "folder that has them, or name a set that needs none."
        )
    return path
