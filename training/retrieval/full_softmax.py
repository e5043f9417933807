"""Training of the towers against the whole catalogue at each step, for catalogues that fit one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.arrays import Rows
from contracts.features import encoding
from training.keras2 import keras, tf
from training.retrieval.losses import full_softmax
from training.retrieval.towers import CandidateTower, QueryTower
from training.settings import Optimizer, TwoTowerSettings

SEQUENCES = (encoding.SEQUENCE, encoding.SEQUENCE_TYPES, encoding.SEQUENCE_DAYS)
LENGTH_STEP = 10  # sequences of a batch are cut to a multiple of it, so that few shapes are traced


@dataclass(frozen=True)
class Examples:
    """Queries with everything that was chosen after each; positive j belongs to row query_rows[j] of the inputs."""

    queries: encoding.Inputs
    query_rows: Rows  # [positives], ascending
    item_rows: Rows  # [positives] catalogue rows
    weights: npt.NDArray[np.float32]  # [positives]


class FullSoftmaxTraining:
    """Fits the two towers; one call of `epoch` at a time, so that a caller can look between them."""

    def __init__(
        self, query_tower: QueryTower, candidate_tower: CandidateTower, catalogue: encoding.Inputs,
        examples: Examples, settings: TwoTowerSettings,
    ) -> None:  # fmt: skip
        """catalogue: inputs of the candidate tower for all items, row i is catalogue row i."""
        self.query_tower, self.candidate_tower = query_tower, candidate_tower
        self.catalogue = {name: tf.constant(values) for name, values in catalogue.items()}
        self.examples, self.settings = examples, settings
        self.lengths = (examples.queries[encoding.SEQUENCE] > 0).sum(axis=1)
        self.starts = np.searchsorted(examples.query_rows, np.arange(len(self.lengths) + 1))
        self.steps = -(-len(self.lengths) // settings.batch_size)
        self.batch_weight = float(examples.weights.sum()) / max(self.steps, 1)
        self.optimizer = _optimizer(settings, self.steps * settings.epochs)
        self.random = np.random.default_rng(settings.seed)
        self._traced_step = tf.function(self._step, reduce_retracing=True, autograph=False)

    def epoch(self) -> float:
        """Mean loss of a positive in one pass over all examples."""
        losses = [float(self._traced_step(*batch)) for batch in self._batches()]
        return sum(losses) / max(float(self.examples.weights.sum()), 1e-9)

    def _step(
        self, inputs: dict[str, tf.Tensor], queries: tf.Tensor, items: tf.Tensor, weights: tf.Tensor
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            embeddings = self.query_tower(inputs, training=True)
            catalogue = self.candidate_tower(self.catalogue, training=True)
            loss = full_softmax(embeddings, catalogue, queries, items, weights, self.settings.temperature)
            # The mean batch's, not this batch's: users with long sequences share a batch, and would count less.
            mean = loss / self.batch_weight
        variables = list({v.ref(): v for v in self._variables()}.values())  # the towers share the item encoder
        self.optimizer.apply_gradients(zip(tape.gradient(mean, variables), variables, strict=True))
        return loss

    def _variables(self) -> list[tf.Variable]:
        variables: list[tf.Variable] = self.query_tower.trainable_variables + self.candidate_tower.trainable_variables
        return variables

    def _batches(self) -> Iterator[tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Queries with sequences of like length, so that little is padding; batches in random order."""
        order = np.argsort(self.lengths * self.random.uniform(1.0, 1.5, len(self.lengths)), kind="stable")
        for step in self.random.permutation(self.steps):
            yield self._batch(order[step * self.settings.batch_size : (step + 1) * self.settings.batch_size])

    def _batch(self, rows: Rows) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
        length = max(-(-int(self.lengths[rows].max()) // LENGTH_STEP) * LENGTH_STEP, LENGTH_STEP)
        inputs = {
            name: tf.constant(values[rows, :length] if name in SEQUENCES else values[rows])
            for name, values in self.examples.queries.items()
        }
        counts = self.starts[rows + 1] - self.starts[rows]
        positives = np.concatenate([np.arange(self.starts[row], self.starts[row + 1]) for row in rows])
        queries = np.repeat(np.arange(len(rows)), counts)
        items, weights = self.examples.item_rows[positives], self.examples.weights[positives]
        return inputs, tf.constant(queries), tf.constant(items), tf.constant(weights)


def _optimizer(settings: TwoTowerSettings, steps: int) -> keras.optimizers.legacy.Optimizer:
    if settings.optimizer is Optimizer.ADAGRAD:
        return keras.optimizers.legacy.Adagrad(settings.learning_rate)
    return keras.optimizers.legacy.Adam(
        keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps, alpha=0.02)
    )
