"""Negatives that the towers find hard: near a query by the index of the moment, and not bought by its user.

After ANCE (Xiong et al., ICLR 2021): the index is built anew at the start of each epoch. All rows of a batch share its
negatives, so these are drawn for some of its queries and have their probability in the logQ correction, like any.
"""

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from training.keras2 import tf
from training.retrieval.index import build_index, search
from training.retrieval.losses import sampling_probability
from training.settings import IndexSettings, TwoTowerSettings

KEPT = 10
"""Mined for each query; a batch draws one of them for each query that it asks."""
DEPTH = 100
"""The KEPT are drawn from this many nearest, less what the user has bought: items further away are not hard."""


class HardNegatives:
    """Mined items of every query, and the probability of each item among a batch's candidates."""

    def __init__(
        self, users: npt.NDArray[np.int32], positives: tuple[Rows, Rows], num_items: int, settings: TwoTowerSettings
    ) -> None:
        """users: [queries]; positives: ([n] rows of queries, [n] catalogue rows) that are taught."""
        query_rows, item_rows = positives
        self._random = np.random.default_rng(settings.seed)
        self._users, self._num_items, self._settings = users.astype(np.int64), num_items, settings
        self._bought = np.unique(self._users[query_rows] * num_items + item_rows)
        self._counts = np.bincount(item_rows, minlength=num_items).astype(np.float32)
        # Nothing to draw from before the first renewal.
        self.items = tf.Variable(np.zeros((len(users), KEPT), np.int64), trainable=False)
        self.probabilities = tf.Variable(np.zeros(num_items, np.float32), trainable=False)

    def renew(self, queries: Floats, items: Floats) -> None:
        """Mines by embeddings of all queries and all items, [n, embedding_dim] each."""
        index = build_index(items, queries, IndexSettings())
        near = search(index, queries, min(DEPTH, self._num_items))
        near = np.pad(near, ((0, 0), (0, max(0, KEPT - near.shape[1]))), constant_values=-1)  # a catalogue of fewer
        bought = np.isin(self._users[:, np.newaxis] * self._num_items + near, self._bought) | (near < 0)
        # Any KEPT of those that are not bought; what a query lacks is drawn evenly.
        order = np.argsort(np.where(bought, np.inf, self._random.random(near.shape)), axis=1)[:, :KEPT]
        mined = np.take_along_axis(near, order, axis=1)
        lacking = np.take_along_axis(bought, order, axis=1)
        mined[lacking] = self._random.integers(self._num_items, size=int(lacking.sum()))
        self.items.assign(mined)
        own, often = self._settings, np.bincount(mined.ravel(), minlength=self._num_items).astype(np.float32)
        self.probabilities.assign(
            sampling_probability(self._counts, own.batch_size, own.uniform_negatives, own.hard_negatives, often)
        )

    def drawn_for(self, query_rows: tf.Tensor) -> tf.Tensor:
        """[settings.hard_negatives] catalogue rows, each of a query of [batch]."""
        count = self._settings.hard_negatives
        asked = tf.gather(query_rows, tf.random.uniform([count], 0, tf.shape(query_rows)[0], tf.int32))
        return tf.gather_nd(self.items, tf.stack([asked, tf.random.uniform([count], 0, KEPT, asked.dtype)], axis=1))
