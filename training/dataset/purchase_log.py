"""Who bought what when, all users together, as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from contracts.arrays import Rows
from contracts.features.names import ITEM_ID, USER_ID
from contracts.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class PurchaseLog:
    """Row i of each array is one item of one basket."""

    users: Rows  # [n] row of the users' vocabulary
    items: Rows  # [n] catalogue row
    seconds: Rows  # [n] Unix seconds

    def kept(self, rows: npt.NDArray[np.bool_]) -> "PurchaseLog":
        """The rows [n] that are True."""
        return PurchaseLog(self.users[rows], self.items[rows], self.seconds[rows])


def read_purchases(path: Path, vocabularies: Mapping[str, Vocabulary]) -> PurchaseLog:
    """The file purchases.parquet of a dataset."""
    table = pq.read_table(path, columns=[USER_ID, ITEM_ID, "seconds"])
    users, items = (
        vocabularies[name].encode(table.column(name).to_pylist()).astype(np.int64) - 1 for name in (USER_ID, ITEM_ID)
    )
    return PurchaseLog(users, items, table.column("seconds").to_numpy())
