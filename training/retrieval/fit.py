"""Training of the towers with TensorFlow Recommenders, and what is computed with them afterwards."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats, Rows
from contracts.errors import InvalidInput
from contracts.features import encoding, names
from training.dataset.dataset import Dataset, Positives
from training.keras2 import keras, tf, tfrs
from training.progress import Progress
from training.retrieval.distribution import num_workers, own_first, strategy, worker_index
from training.retrieval.full_softmax import Examples, FullSoftmaxTraining
from training.retrieval.hard_negatives import HardNegatives
from training.retrieval.losses import sampling_probability
from training.retrieval.towers import COLD, CandidateTower, QueryTower, new_item_encoder
from training.settings import Loss, Optimizer, TwoTowerSettings

Judge = Callable[[int, float], None]
"""Called with (epoch from 1, its mean loss); what it raises ends the training."""
MORE = "more"  # of a batch: candidates in addition to its own, drawn evenly from the catalogue or mined


class TwoTowerModel(tfrs.Model):  # type: ignore[misc]
    """Sampled softmax over the batch: temperature, then − log Q, then accidental hits masked (Yi et al. 2019)."""

    def __init__(self, query_tower: QueryTower, candidate_tower: CandidateTower, settings: TwoTowerSettings) -> None:
        super().__init__()
        self.query_tower = query_tower
        self.candidate_tower = candidate_tower
        self.task = tfrs.tasks.Retrieval(temperature=settings.temperature, remove_accidental_hits=True)

    def compute_loss(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Sum over the batch of the weighted cross-entropy of each row's own candidate."""
        # The task takes row i's candidate for its own and all others for negatives: rows of other workers, then what
        # this worker has drawn in addition.
        parts = [inputs, inputs[MORE]] if MORE in inputs else [inputs]
        candidates = [self.candidate_tower(part, training=training) for part in parts]
        candidates[0] = own_first(candidates[0])
        return self.task(
            self.query_tower(inputs, training=training),
            tf.concat(candidates, axis=0),
            sample_weight=inputs["weight"],
            candidate_sampling_probability=_with_more(inputs, "sampling_probability"),
            candidate_ids=_with_more(inputs, "candidate_id"),
            compute_metrics=False,
        )


def _with_more(inputs: dict[str, tf.Tensor], name: str) -> tf.Tensor:
    """[candidates] everybody's rows of the batch, own first, then the other negatives."""
    rows = own_first(inputs[name])
    return tf.concat([rows, inputs[MORE][name]], axis=0) if MORE in inputs else rows


@dataclass(frozen=True)
class Towers:
    """Trained towers with what they need to embed everything."""

    model: Any  # with a query_tower and a candidate_tower: TwoTowerModel, or several joined
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
                encoding.candidate_inputs(self.known_items[at], self.content[at], statistics[at], self.text[at])
            ).numpy()
            for at in (slice(first, first + batch) for first in range(0, len(self.content), batch))
        ]
        return np.concatenate(parts)


def new_towers(dataset: Dataset, positives: Positives, settings: TwoTowerSettings) -> Towers:
    """Untrained towers sized for the data set; weights follow from settings.seed."""
    workers = strategy()
    keras.utils.set_random_seed(settings.seed)
    with workers.scope():
        model = _new_model(dataset, positives, settings)
    known = np.zeros(len(dataset.content), np.int32)
    seen = np.unique(positives.item_rows[_type_weights(positives, settings) > 0])
    known[seen] = seen + 1
    return Towers(model, dataset.content, dataset.text, known, workers)


def _new_model(dataset: Dataset, positives: Positives, settings: TwoTowerSettings) -> TwoTowerModel:
    vocabularies, content = dataset.vocabularies, dataset.content
    content_sizes = [len(vocabularies[column]) for column in names.ITEM_CONTENT]
    encoder = new_item_encoder(len(content), content_sizes, settings)
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
    model.compile(optimizer=new_optimizer(settings))
    return model


def new_optimizer(settings: TwoTowerSettings) -> keras.optimizers.legacy.Optimizer:
    """The optimizer of sampled losses, at a constant rate."""
    kind = keras.optimizers.legacy.Adam if settings.optimizer is Optimizer.ADAM else keras.optimizers.legacy.Adagrad
    return kind(settings.learning_rate)


def fit(
    towers: Towers,
    positives: Positives,
    start: int,
    end: int,
    epochs: int,
    settings: TwoTowerSettings,
    progress: Progress,
    judge: Judge = lambda epoch, loss: None,
) -> list[float]:
    """Mean loss per example of each epoch, after training on the positives in [start, end), Unix seconds."""
    chosen = _taught(positives, start, end, settings)
    if settings.loss is Loss.FULL:
        return _fit_full(towers, positives, chosen, replace(settings, epochs=epochs), progress, judge)
    # A drawn item has the features of its last purchase; one that was never bought has none.
    latest = np.zeros((len(towers.content), positives.item_statistics.shape[1]), np.float32)
    latest[positives.item_rows[chosen]] = positives.item_statistics[chosen]
    hard = _hard_negatives(towers, positives, chosen, settings)
    batches = _batches(towers, positives, chosen, settings, latest, hard)
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
        if hard:
            hard.renew(towers.embed_queries(positives.queries), towers.embed_items(latest))
        for step, batch in enumerate(batches):
            total += float(train_step(batch))
            progress(epoch * steps + step + 1, epochs * steps, f"epoch {epoch + 1} of {epochs}")
        losses.append(total / max(steps * settings.batch_size, 1))
        judge(epoch + 1, losses[-1])
    return losses


def epochs_for(positives: Positives, start: int, end: int, settings: TwoTowerSettings) -> int:
    """The settings' epochs over the positives in [start, end), or as many as have min_steps batches."""
    batches = len(_taught(positives, start, end, settings)) // settings.batch_size
    return max(settings.epochs, -(-settings.min_steps // batches)) if batches else settings.epochs


def num_queries(positives: Positives, start: int, end: int, settings: TwoTowerSettings) -> int:
    """Baskets in [start, end) that an epoch of the full softmax asks about."""
    return len(np.unique(positives.query_rows[_taught(positives, start, end, settings)]))


def _taught(positives: Positives, start: int, end: int, settings: TwoTowerSettings) -> Rows:
    """Positives in [start, end) that count for anything."""
    within = (positives.seconds >= start) & (positives.seconds < end) & (_type_weights(positives, settings) > 0)
    if settings.repeat_weight == 0:  # else nothing would be learned of known users
        drawn = np.random.default_rng(settings.seed).random(len(within)) < settings.hidden_share
        within &= ~positives.is_repeat | drawn
    return np.flatnonzero(within)


def _fit_full(
    towers: Towers,
    positives: Positives,
    chosen: Rows,
    settings: TwoTowerSettings,
    progress: Progress,
    judge: Judge,
) -> list[float]:
    """Mean loss per positive of each epoch against the whole catalogue; all items of a basket share its query."""
    if num_workers() > 1:
        raise InvalidInput("two_tower.loss is 'full', which one worker trains; set loss: sampled for several workers.")
    chosen = chosen[np.argsort(positives.query_rows[chosen], kind="stable")]
    baskets, query_rows = np.unique(positives.query_rows[chosen], return_inverse=True)
    queries = {name: values[baskets] for name, values in positives.queries.items()}
    weights = _weights(positives, chosen, settings)
    catalogue = {encoding.ITEM: towers.known_items, encoding.CONTENT: towers.content}
    training = FullSoftmaxTraining(
        towers.model.query_tower,
        towers.model.candidate_tower,
        catalogue,
        Examples(queries, query_rows, positives.item_rows[chosen], weights),
        settings,
    )
    losses = []
    for epoch in range(settings.epochs):
        losses.append(training.epoch())
        progress(epoch + 1, settings.epochs, f"epoch {epoch + 1} of {settings.epochs}")
        judge(epoch + 1, losses[-1])
    return losses


def _weights(positives: Positives, chosen: npt.NDArray[np.int64], settings: TwoTowerSettings) -> Floats:
    """[n] weights with mean 1: engagements and repeats count less; users are evened out, as in per-user metrics."""
    weights = _type_weights(positives, settings)[chosen]
    if settings.repeat_weight > 0:
        weights *= np.where(positives.is_repeat[chosen], settings.repeat_weight, 1.0)
    users = positives.queries[encoding.USER][positives.query_rows[chosen]]
    weights *= np.bincount(users, weights=weights)[users] ** -settings.user_evenness
    evened: Floats = (weights / weights.mean()).astype(np.float32)
    return evened


def _type_weights(positives: Positives, settings: TwoTowerSettings) -> npt.NDArray[np.float64]:
    """[n] what each positive counts by its event type, in the order of POSITIVE_TYPES."""
    return np.array([1.0, settings.cart_weight, settings.like_weight, settings.view_weight])[positives.types]


def _hard_negatives(
    towers: Towers, positives: Positives, chosen: Rows, settings: TwoTowerSettings
) -> HardNegatives | None:
    """Those of the chosen positives, where the settings want any."""
    if not settings.hard_negatives:
        return None
    taught = positives.query_rows[chosen], positives.item_rows[chosen]
    return HardNegatives(positives.queries[encoding.USER], taught, len(towers.content), settings)


def _batches(
    towers: Towers,
    positives: Positives,
    chosen: Rows,
    settings: TwoTowerSettings,
    latest: Floats,
    hard: HardNegatives | None,
) -> tf.data.Dataset:
    """Batches of model inputs. Whole batches are gathered: slicing rows one by one is 30 times slower."""
    item_rows = positives.item_rows[chosen]
    counts = np.bincount(item_rows, minlength=len(towers.content)).astype(np.float32)
    probabilities = (
        hard.probabilities
        if hard
        else tf.constant(sampling_probability(counts, settings.batch_size, settings.uniform_negatives))
    )
    tables = {name: tf.constant(values) for name, values in positives.queries.items()}
    query_rows = tf.constant(positives.query_rows[chosen])
    items = tf.constant(item_rows)
    content, text, known = tf.constant(towers.content), tf.constant(towers.text), tf.constant(towers.known_items)
    statistics = tf.constant(positives.item_statistics[chosen])
    weights = tf.constant(_weights(positives, chosen, settings))
    latest_statistics = tf.constant(latest)
    # A repeat is a purchase like any other to a model that does not know the user.
    cold = tf.constant(positives.is_repeat[chosen] & (settings.repeat_weight == 0))

    def candidates(item: tf.Tensor, item_statistics: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            encoding.ITEM: tf.gather(known, item),
            encoding.CONTENT: tf.gather(content, item),
            encoding.TEXT: tf.gather(text, item),
            encoding.ITEM_STATISTICS_INPUT: item_statistics,
            "sampling_probability": tf.gather(probabilities, item),
            "candidate_id": item,
        }

    def gather(rows: tf.Tensor) -> dict[str, tf.Tensor]:
        queries, item = tf.gather(query_rows, rows), tf.gather(items, rows)
        batch = {name: tf.gather(values, queries) for name, values in tables.items()}
        batch |= candidates(item, tf.gather(statistics, rows))
        batch["weight"] = tf.gather(weights, rows)
        batch[COLD] = tf.gather(cold, rows)
        drawn = [tf.random.uniform([settings.uniform_negatives], 0, len(towers.content), item.dtype)]
        drawn += [hard.drawn_for(queries)] if hard else []
        if hard or settings.uniform_negatives:
            more = tf.concat(drawn, axis=0)
            batch[MORE] = candidates(more, tf.gather(latest_statistics, more))
        return batch

    order = tf.data.Dataset.range(len(chosen)).shuffle(max(len(chosen), 1), seed=settings.seed)
    # Every worker draws the same order and takes its rows of each batch: together they see what one worker would.
    own = order.batch(settings.batch_size, drop_remainder=True).map(lambda rows: rows[worker_index() :: num_workers()])
    return own.map(gather).prefetch(2)
