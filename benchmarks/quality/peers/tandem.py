"""Ours on sets of ids alone: the towers of training/, asked for all items."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.quality.peers.peer import Scores
from benchmarks.quality.splits import Baskets, Split
from contracts.arrays import Rows
from contracts.features import encoding
from contracts.features.names import SEQUENCE_LENGTH
from training.keras2 import keras
from training.retrieval.full_softmax import Examples, FullSoftmaxTraining
from training.retrieval.towers import CandidateTower, QueryTower, new_item_encoder
from training.settings import Encoder, Loss, Optimizer, TwoTowerSettings

IDS_ALONE = TwoTowerSettings(side_features=False, loss=Loss.FULL, optimizer=Optimizer.ADAM, id_dropout=0.0)


@dataclass
class TwoTower:
    """Query and candidate tower without side features, fitted with the softmax over the whole catalogue.

    In an ordered set each basket is chosen after those before it; in one without order all of a user's items are
    positives of what sequence_dropout leaves of them.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)  # of TwoTowerSettings, what differs from IDS_ALONE
    length: int = SEQUENCE_LENGTH  # of a history, latest first
    seed: int = 1
    losses: list[float] = field(default_factory=list)  # of each epoch

    def fit(self, split: Split) -> None:
        """Trains for the settings' epochs."""
        training = self.begin(split)
        self.losses = [training.epoch() for _ in range(training.settings.epochs)]

    def begin(self, split: Split) -> FullSoftmaxTraining:
        """The training with its towers untrained; after any epoch the peer can be asked."""
        named = dict(self.settings)
        encoder_kind = Encoder(named.pop("encoder", Encoder.MEAN))
        settings = replace(IDS_ALONE, seed=self.seed, encoder=encoder_kind, **named)
        keras.utils.set_random_seed(settings.seed)
        nothing = np.zeros((split.num_items, 0), np.int32)  # of content
        encoder = new_item_encoder(split.num_items, [], settings)
        self._query = QueryTower(encoder, nothing, nothing.astype(np.float32), len(split.histories), [], settings)
        self._candidate = CandidateTower(encoder, nothing.astype(np.float32), settings)
        self._catalogue = {encoding.ITEM: np.arange(1, split.num_items + 1, dtype=np.int32), encoding.CONTENT: nothing}
        self._histories = split.histories
        return FullSoftmaxTraining(
            self._query, self._candidate, self._catalogue, self._examples(split, settings), settings
        )

    def scores(self, users: Rows) -> Scores:
        """Inner products of the users' queries with all items."""
        queries = self._query(self._inputs(users, [self._histories[user] for user in users])).numpy()
        scores: Scores = queries @ self._candidate(self._catalogue).numpy().T
        return scores

    def _examples(self, split: Split, settings: TwoTowerSettings) -> Examples:
        known: list[Baskets] = []
        chosen: list[Rows] = []
        users: list[int] = []
        for user, own in enumerate(split.learned):
            cuts = range(1, len(own)) if split.ordered else range(len(own), len(own) + 1) if own else ()
            known += [own[max(cut - self.length, 0) : cut] for cut in cuts]
            chosen += [own[cut] for cut in cuts] if split.ordered else [np.concatenate(own)] if own else []
            users += [user] * len(cuts)
        sizes = np.array([len(items) for items in chosen])
        per_user = np.bincount(users, weights=sizes, minlength=len(split.learned))
        weights = np.repeat(per_user[users] ** -settings.user_evenness, sizes)
        rows = np.repeat(np.arange(len(chosen)), sizes)
        inputs = self._inputs(np.array(users), known)
        return Examples(inputs, rows, np.concatenate(chosen), (weights / weights.mean()).astype(np.float32))

    def _inputs(self, users: Rows, histories: list[Baskets]) -> encoding.Inputs:
        """Row i: users[i] after histories[i]."""
        sequences = [np.concatenate(own)[::-1][: self.length] if own else np.zeros(0, np.int64) for own in histories]
        sequence = np.zeros((len(users), max(map(len, sequences))), np.int32)
        for row, items in enumerate(sequences):
            sequence[row, : len(items)] = items + 1
        return {
            encoding.USER: (users + 1).astype(np.int32),
            encoding.SEQUENCE: sequence,
            encoding.SEQUENCE_TYPES: np.broadcast_to(np.int32(0), sequence.shape),
            encoding.SEQUENCE_DAYS: np.broadcast_to(np.float32(0), sequence.shape),
        }
