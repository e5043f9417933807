"""The ranker: DCN-v2 (Wang et al., WWW 2021) over a user's candidates, trained with a listwise softmax loss."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from contracts.ranking import USER_COLUMNS, Floats
from training.keras2 import keras, tf, tfrs
from training.ranking_lists import BOUGHT, LabelledLists
from training.settings import RankerSettings
from training.towers import scale_of
from training.two_tower import Progress

MASKED = -1e9
CALIBRATION_LISTS = 2000  # that many, evenly spread, tell two dozen numbers


class Ranker(keras.Model):  # type: ignore[misc]
    """Scores for each candidate of each list; higher is likelier."""

    def __init__(self, sample: Floats, settings: RankerSettings) -> None:
        """sample: [rows, features] that sets mean and variance of the inputs."""
        super().__init__()
        # numpy, not tensors: an eager tensor would become an input of the exported graph.
        self.mean = sample.mean(axis=0, dtype=np.float32)
        self.scale = scale_of(sample)
        self.crosses = [tfrs.layers.dcn.Cross() for _ in range(settings.cross_layers)]
        self.deep = [keras.layers.Dense(units, activation="relu") for units in settings.hidden_units]
        self.score = keras.layers.Dense(1)
        self.level = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", trainable=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[batch, candidates, features] to [batch, candidates]."""
        # As one matrix: ONNX Runtime multiplies it with bias and activation in one step, and copies nothing around.
        rows = tf.reshape(inputs, [-1, inputs.shape[-1]])
        normal = self.normal(rows)
        crossed = normal
        for cross in self.crosses:
            crossed = cross(normal, crossed)
        deep = normal
        for layer in self.deep:
            deep = layer(deep)
        scores = self.score(tf.concat([crossed, deep], axis=-1)) + self.level(normal)
        return tf.reshape(scores, tf.shape(inputs)[:-1])

    def normal(self, rows: tf.Tensor) -> tf.Tensor:
        """[n, features] of mean 0 and variance 1, cut where they are far out."""
        return tf.clip_by_value((rows - self.mean) * self.scale, -5.0, 5.0)

    def calibrate(self, lists: LabelledLists) -> None:
        """Turns scores into log-odds of a purchase by logistic regression (Platt, 1999), which changes no order.

        A listwise loss leaves open how high a user's scores are as a whole, so that what is known of the user has
        weights of its own. Does nothing where nothing was bought.
        """
        some = range(0, len(lists), max(len(lists) // CALIBRATION_LISTS, 1))
        bought = np.concatenate([lists.labels[i] >= BOUGHT for i in some])
        if not bought.any():
            return
        inputs = [lists.inputs[i] for i in some]
        scores = np.concatenate(scores_of(self, inputs))
        users = self.normal(np.concatenate(inputs)).numpy()[:, USER_COLUMNS]
        fitted = LogisticRegression(max_iter=500).fit(np.column_stack([scores, users]), bought)
        slope, levels = fitted.coef_[0, 0], np.zeros((len(self.mean), 1))
        levels[USER_COLUMNS, 0] = fitted.coef_[0, 1:]
        kernel, bias = self.score.get_weights()
        self.score.set_weights([kernel * slope, bias * slope + fitted.intercept_])
        self.level.set_weights([levels])


def listwise_loss(labels: tf.Tensor, scores: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    """Mean over lists of the softmax cross-entropy to the normalised labels (ListNet; Bruch et al., ICTIR 2019).

    labels, scores and present are [batch, candidates]; where present is False there is no candidate.
    """
    log_probabilities = tf.nn.log_softmax(tf.where(present, scores, MASKED), axis=1)
    target = labels / tf.reduce_sum(labels, axis=1, keepdims=True)
    return tf.reduce_mean(-tf.reduce_sum(target * log_probabilities, axis=1))


def train_ranker(lists: LabelledLists, settings: RankerSettings, progress: Progress) -> tuple[Ranker, list[float]]:
    """The trained ranker and the mean loss of each epoch."""
    keras.utils.set_random_seed(settings.seed)
    order = np.random.default_rng(settings.seed)
    ranker = Ranker(np.concatenate(lists.inputs[:: max(len(lists) // 500, 1)]), settings)
    steps = -(-len(lists) // settings.batch_users)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * settings.epochs)
    optimizer = keras.optimizers.legacy.Adam(schedule)
    step = _train_step(ranker, optimizer)
    losses = []
    for epoch in range(settings.epochs):
        total = 0.0
        for at, chosen in enumerate(np.array_split(order.permutation(len(lists)), steps)):
            total += float(step(*_padded(lists, chosen)))
            progress(epoch * steps + at + 1, settings.epochs * steps, f"epoch {epoch + 1} of {settings.epochs}")
        losses.append(total / steps)
    return ranker, losses


def _train_step(ranker: Ranker, optimizer: keras.optimizers.Optimizer) -> tf.types.experimental.PolymorphicFunction:
    width = len(ranker.mean)
    lists = tf.TensorSpec([None, None], tf.float32)

    def step(inputs: tf.Tensor, labels: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = listwise_loss(labels, ranker(inputs), present > 0)
        gradients = tape.gradient(loss, ranker.trainable_variables)
        optimizer.apply_gradients(zip(gradients, ranker.trainable_variables, strict=True))
        return loss

    # One signature: lists of any length share a trace.
    return tf.function(step, input_signature=[tf.TensorSpec([None, None, width], tf.float32), lists, lists])


def _padded(lists: LabelledLists, chosen: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """([users, longest, features] inputs, [users, longest] labels, [users, longest] 1 where there is a candidate)."""
    longest = max(len(lists.labels[i]) for i in chosen)
    inputs = np.zeros((len(chosen), longest, lists.inputs[0].shape[1]), np.float32)
    labels = np.zeros((len(chosen), longest), np.float32)
    present = np.zeros((len(chosen), longest), np.float32)
    for row, i in enumerate(chosen):
        k = len(lists.labels[i])
        inputs[row, :k], labels[row, :k], present[row, :k] = lists.inputs[i], lists.labels[i], 1.0
    return inputs, labels, present


def scores_of(ranker: Ranker, inputs: Sequence[Floats]) -> list[Floats]:
    """[k_i] scores for each list of [k_i, features]."""
    score = tf.function(ranker.call, input_signature=[tf.TensorSpec([None, None, len(ranker.mean)], tf.float32)])
    return [score(one[np.newaxis]).numpy()[0] for one in inputs]
