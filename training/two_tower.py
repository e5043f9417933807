"""Training of the towers with TensorFlow Recommenders, and what is computed with them afterwards."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts import encoding
from contracts import features as names
from training.dataset import Dataset, Positives
from training.distribution import num_workers, own_first, strategy, worker_index
from training.keras2 import keras, tf, tfrs
from training.settings import TwoTowerSettings
from training.towers import CandidateTower, ItemEncoder, QueryTower

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""


class TwoTowerModel(tfrs.Model):  # type: ignore[misc]
    """Sampled softmax over the batch: temperature, then − log Q, then accidental hits masked (Yi et al. 2019)."""

    def __init__(self, query_tower: QueryTower, candidate_tower: CandidateTower, settings: TwoTowerSettings) -> None:
        super().__init__()
        self.query_tower = query_tower
        self.candidate_tower = candidate_tower
        self.task = tfrs.tasks.Retrieval(temperature=settings.temperature, remove_accidental_hits=True)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Sum over the batch of the weighted cross-entropy of each row's own candidate."""
        # The task takes row i's candidate for its own and all others for negatives, those of other workers too.
        return self.task(
            self.query_tower(inputs, training=training),
            own_first(self.candidate_tower(inputs, training=training)),
            sample_weight=inputs["weight"],
            candidate_sampling_probability=own_first(inputs["sampling_probability"]),
            candidate_ids=own_first(inputs["candidate_id"]),
            compute_metrics=False,
        )


@dataclass(frozen=True)
class Towers:
    """Trained towers with what they need to embed everything."""

    model: TwoTowerModel
    content: npt.NDArray[np.int32]  # [num_items, 5]
    text: Floats  # [num_items, TEXT_DIM]
    known_items: npt.NDArray[np.int32]  # [num_items] catalogue row + 1, or 0 for an item that training never saw
    workers: tf.distribute.Strategy  # who trains; weights are the same on all of them

    def embed_queries(self, queries: encoding.Inputs, batch: int = 4096) -> Floats:
        """[n, embedding_dim] for inputs of n users."""
        rows = len(queries[encoding.USER])
        parts = [
            self.model.query_tower({name: values[at : at + batch] for name, values in queries.items()}).numpy()
            for at in range(0, rows, batch)
        ]
        return np.concatenate(parts)

    def embed_items(self, statistics: Floats, batch: int = 16384) -> Floats:
        """[num_items, embedding_dim] of the whole catalogue, row i is catalogue row i, with statistics as given."""
        parts = [
            self.model.candidate_tower(
                {
                    encoding.ITEM: self.known_items[at : at + batch],
                    encoding.CONTENT: self.content[at : at + batch],
                    encoding.ITEM_STATISTICS_INPUT: statistics[at : at + batch],
                    encoding.TEXT: self.text[at : at + batch],
                }
            ).numpy()
            for at in range(0, len(self.content), batch)
        ]
        return np.concatenate(parts)


def new_towers(dataset: Dataset, positives: Positives, settings: TwoTowerSettings) -> Towers:
    """Untrained towers sized for the data set; weights follow from settings.seed."""
    workers = strategy()
    keras.utils.set_random_seed(settings.seed)
    with workers.scope():
        model = _new_model(dataset, positives, settings)
    known = np.zeros(len(dataset.content), np.int32)
    seen = np.unique(positives.item_rows)
    known[seen] = seen + 1
    return Towers(model, dataset.content, dataset.text, known, workers)


def _new_model(dataset: Dataset, positives: Positives, settings: TwoTowerSettings) -> TwoTowerModel:
    vocabularies, content = dataset.vocabularies, dataset.content
    encoder = ItemEncoder(
        len(content), [len(vocabularies[column]) for column in names.ITEM_CONTENT], settings.item_id_dim
    )
    query_tower = QueryTower(
        encoder,
        content,
        positives.queries[encoding.STATISTICS],
        num_users=len(vocabularies[names.USER_ID].terms),
        profile_sizes=[len(vocabularies[column]) for column in names.USER_PROFILE],
        settings=settings,
    )
    candidate_tower = CandidateTower(encoder, positives.item_statistics, settings)
    model = TwoTowerModel(query_tower, candidate_tower, settings)
    model.compile(optimizer=keras.optimizers.legacy.Adagrad(settings.learning_rate))
    return model


def fit(
    towers: Towers,
    positives: Positives,
    start: int,
    end: int,
    epochs: int,
    settings: TwoTowerSettings,
    progress: Progress,
) -> list[float]:
    """Mean loss per example of each epoch, after training on the positives in [start, end), Unix seconds."""
    within = (positives.seconds >= start) & (positives.seconds < end)
    if settings.repeat_weight == 0:  # nothing would be learned from them, and as negatives they would mislead
        within &= ~positives.is_repeat
    chosen = np.flatnonzero(within)
    batches = _batches(towers, positives, chosen, settings)
    steps = len(chosen) // settings.batch_size
    workers = towers.workers

    # Keras' own fit reports the loss of the last batch only; the mean of all is what epochs can be compared by.
    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def train_step(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        losses = workers.run(lambda own: towers.model.train_step(own)["loss"], args=(batch,))
        return workers.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    losses = []
    for epoch in range(epochs):
        total = 0.0
        for step, batch in enumerate(batches):
            total += float(train_step(batch))
            progress(epoch * steps + step + 1, epochs * steps, f"epoch {epoch + 1} of {epochs}")
        losses.append(total / max(steps * settings.batch_size, 1))
    return losses


def _weights(positives: Positives, chosen: npt.NDArray[np.int64], settings: TwoTowerSettings) -> Floats:
    """[n] weights with mean 1: repeats count less, and users are evened out, as per-user metrics count them."""
    weights = np.where(positives.is_repeat[chosen], settings.repeat_weight, 1.0)
    users = positives.queries[encoding.USER][positives.query_rows[chosen]]
    weights *= np.bincount(users, weights=weights)[users] ** -settings.user_evenness
    evened: Floats = (weights / weights.mean()).astype(np.float32)
    return evened


def _batches(
    towers: Towers, positives: Positives, chosen: npt.NDArray[np.int64], settings: TwoTowerSettings
) -> tf.data.Dataset:
    """Batches of model inputs. Whole batches are gathered: slicing rows one by one is 30 times slower."""
    item_rows = positives.item_rows[chosen]
    counts = np.bincount(item_rows, minlength=len(towers.content)).astype(np.float32)
    tables = {name: tf.constant(values) for name, values in positives.queries.items()}
    query_rows = tf.constant(positives.query_rows[chosen])
    items = tf.constant(item_rows)
    content, text, known = tf.constant(towers.content), tf.constant(towers.text), tf.constant(towers.known_items)
    statistics = tf.constant(positives.item_statistics[chosen])
    weights = tf.constant(_weights(positives, chosen, settings))
    probabilities = tf.constant(counts / max(len(chosen), 1))

    def gather(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        queries, item = tf.gather(query_rows, rows), tf.gather(items, rows)
        batch = {name: tf.gather(values, queries) for name, values in tables.items()}
        batch[encoding.ITEM] = tf.gather(known, item)
        batch[encoding.CONTENT] = tf.gather(content, item)
        batch[encoding.TEXT] = tf.gather(text, item)
        batch[encoding.ITEM_STATISTICS_INPUT] = tf.gather(statistics, rows)
        batch["weight"] = tf.gather(weights, rows)
        batch["sampling_probability"] = tf.gather(probabilities, item)
        batch["candidate_id"] = item
        return batch

    order = tf.data.Dataset.range(len(chosen)).shuffle(max(len(chosen), 1), seed=settings.seed)
    # Every worker draws the same order and takes its rows of each batch: together they see what one worker would.
    own = order.batch(settings.batch_size, drop_remainder=True).map(lambda rows: rows[worker_index() :: num_workers()])
    return own.map(gather).prefetch(2)
