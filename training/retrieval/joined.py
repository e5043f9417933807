"""Towers of several kinds as one: a pair's inner product is the sum of what each kind says of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.keras2 import keras, tf
from training.retrieval.fit import Towers
from training.settings import TwoTowerSettings


class JoinedTower(keras.Model):  # type: ignore[misc]
    """Embeddings of several towers of one side, one behind the other, each times its weight."""

    def __init__(self, towers: Sequence[keras.Model], shares: Sequence[float]) -> None:
        """shares: what each tower's embeddings are multiplied with."""
        super().__init__()
        self.towers, self.shares = list(towers), tuple(shares)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Inputs of every tower to [batch, the sum of their embedding_dim]."""
        parts = [
            tower(inputs, training=training) * share for tower, share in zip(self.towers, self.shares, strict=True)
        ]
        return tf.concat(parts, axis=1)


@dataclass(frozen=True)
class JoinedModel:
    """The two towers of several models; it is not trained, its parts are."""

    query_tower: JoinedTower
    candidate_tower: JoinedTower


def joined_towers(parts: Sequence[tuple[Towers, TwoTowerSettings]]) -> Towers:
    """Towers whose scores are the parts' logits together: inner products over each part's temperature.

    So odds are multiplied (a product of experts, Hinton, 2002): a part that says nothing of an item or a user, as ids
    do of new ones, leaves the order to the others.
    """
    first = parts[0][0]
    if len(parts) == 1:
        return first
    queries = JoinedTower([towers.model.query_tower for towers, _ in parts], [1 / own.temperature for _, own in parts])
    candidates = JoinedTower([towers.model.candidate_tower for towers, _ in parts], [1.0] * len(parts))
    return replace(first, model=JoinedModel(queries, candidates))
