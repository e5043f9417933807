"""What was bought together, as a matrix of baskets by items."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

from contracts.arrays import Rows
from contracts.features.names import ITEM_ID, USER_ID
from contracts.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class Baskets:
    """Row i of the matrix is one basket of one user."""

    items: sp.csr_matrix  # [baskets, num_items], 1 where the basket holds the item
    users: Rows  # [baskets] any number that users do not share
    seconds: Rows  # [baskets] Unix seconds of its first line

    def between(self, start: int, end: int) -> "Baskets":
        """Those begun in [start, end)."""
        kept = np.flatnonzero((self.seconds >= start) & (self.seconds < end))
        return Baskets(self.items[kept], self.users[kept], self.seconds[kept])


def read_baskets(path: Path, items: Vocabulary) -> Baskets:
    """The file purchases.parquet of a dataset; a quarter hour of one user's is a basket where the log names none."""
    table = pq.read_table(path, columns=[USER_ID, ITEM_ID, "basket", "seconds"])
    users = table.column(USER_ID).combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    names = table.column("basket").combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    seconds = table.column("seconds").to_numpy()
    of_both = users * (names.max(initial=0) + 1) + names
    _, first, rows = np.unique(of_both, return_index=True, return_inverse=True)
    columns = items.encode(table.column(ITEM_ID).to_pylist()).astype(np.int64) - 1
    begun = np.full(len(first), np.iinfo(np.int64).max)
    np.minimum.at(begun, rows, seconds)
    held = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(first), len(items.terms)))
    held.data[:] = 1.0  # once, where a line repeats
    return Baskets(held, users[first], begun)
