"""The ranker: DCN-v2 (Wang et al., WWW 2021) over a user's candidates, trained with a listwise softmax loss."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from contracts.arrays import Floats
from contracts.ranking.candidates import BUYERS_COLUMN
from contracts.ranking.inputs import PAIR_FEATURES, USER_COLUMNS
from training.keras2 import keras, tf, tfrs
from training.progress import Progress
from training.ranking.labelled_lists import BOUGHT, LABEL_LEVELS, LabelledLists
from training.ranking.lessons import Lessons, move_levels
from training.retrieval.towers import scale_of
from training.settings import RankerSettings

MASKED = -1e9
LEAST_WEIGHT = 1e-9  # no logarithm of 0 where there is no candidate
POPULARITY_INPUT = len(PAIR_FEATURES) + BUYERS_COLUMN
SCORED_LISTS = 32  # at once: a call costs as much as some lists, and no candidate's score depends on its list
CALIBRATION_LISTS = 2000  # evenly spread; enough to fit two dozen numbers


class Ranker(keras.Model):  # type: ignore[misc]
    """Scores for each candidate of each list; higher is likelier.

    In training there are heads on a shared bottom, one for each of LABEL_LEVELS where the log has engagements: many
    engagements teach what few purchases leave open (Ma et al., SIGIR 2018). What serves is their weighted sum, which is
    one head.
    """

    def __init__(self, sample: Floats, settings: RankerSettings, *, engagements: bool = False) -> None:
        """sample: [rows, features] that sets mean and variance of the inputs. engagements: whether labels have any."""
        super().__init__()
        # numpy, not tensors: an eager tensor would become an input of the exported graph.
        self.mean = sample.mean(axis=0, dtype=np.float32)
        self.scale = scale_of(sample)
        self.crosses = [tfrs.layers.dcn.Cross() for _ in range(settings.cross_layers)]
        self.deep = [keras.layers.Dense(units, activation="relu") for units in settings.hidden_units]
        more = len(LABEL_LEVELS) - 1 if engagements and settings.engagement_weight > 0 else 0
        self.head_weights = np.array([1.0, *[settings.engagement_weight] * more], np.float32)
        self.heads = keras.layers.Dense(len(self.head_weights))
        self.score = keras.layers.Dense(1, trainable=False)
        self.level = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", trainable=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[batch, candidates, features] to [batch, candidates]."""
        # As one matrix: ONNX Runtime multiplies it with bias and activation in one step, and copies nothing around.
        normal = self.normal(tf.reshape(inputs, [-1, inputs.shape[-1]]))
        return tf.reshape(self.score(self.bottom(normal)) + self.level(normal), tf.shape(inputs)[:-1])

    def by_head(self, inputs: tf.Tensor) -> tf.Tensor:
        """[batch, candidates, features] to [batch, candidates, heads], for training."""
        heads = self.heads(self.bottom(self.normal(tf.reshape(inputs, [-1, inputs.shape[-1]]))))
        return tf.reshape(heads, tf.concat([tf.shape(inputs)[:-1], [len(self.head_weights)]], axis=0))

    def bottom(self, normal: tf.Tensor) -> tf.Tensor:
        """[n, features] to [n, what the heads read]."""
        crossed = normal
        for cross in self.crosses:
            crossed = cross(normal, crossed)
        deep = normal
        for layer in self.deep:
            deep = layer(deep)
        return tf.concat([crossed, deep], axis=-1)

    def join_heads(self) -> None:
        """From now on scores are the heads' weighted sum."""
        kernel, bias = self.heads.get_weights()
        self(np.zeros((1, 1, len(self.mean)), np.float32))  # a layer has weights once it was called
        self.score.set_weights([kernel @ self.head_weights[:, np.newaxis], (bias @ self.head_weights)[np.newaxis]])

    def copy(self, settings: RankerSettings) -> "Ranker":
        """Another one with the same weights; settings are those that this one was made with."""
        other = Ranker(self.mean[np.newaxis], settings, engagements=len(self.head_weights) > 1)
        other.mean, other.scale = self.mean, self.scale
        nothing = np.zeros((1, 1, len(self.mean)), np.float32)
        for ranker in (self, other):  # a layer has weights once it was called
            ranker(nothing), ranker.by_head(nothing)
        for own, theirs in zip(other.weights, self.weights, strict=True):
            own.assign(theirs)
        return other

    def discounted(self, discount: float, settings: RankerSettings) -> "Ranker":
        """A copy whose scores are lower by the discount for each standard deviation of the item's buyers."""
        other = self.copy(settings)
        (levels,) = other.level.get_weights()
        levels[POPULARITY_INPUT] -= discount
        other.level.set_weights([levels])
        return other

    def popularity(self, inputs: Floats) -> Floats:
        """[n] what `discounted` takes the discount of, for [n, features]."""
        only = slice(POPULARITY_INPUT, POPULARITY_INPUT + 1)
        lowered: Floats = self.normal(inputs[:, only], only).numpy()[:, 0]
        return lowered

    def normal(self, rows: tf.Tensor, columns: slice = slice(None)) -> tf.Tensor:
        """[n, columns of the features] of mean 0 and variance 1, cut where they are far out."""
        return tf.clip_by_value((rows - self.mean[columns]) * self.scale[columns], -5.0, 5.0)

    def calibrate(self, lists: LabelledLists) -> None:
        """Turns scores into log-odds of a purchase by logistic regression (Platt, 1999), which changes no order.

        A listwise loss leaves open how high a user's scores are as a whole, so that what is known of the user has
        weights of its own. Does nothing where nothing was bought, or where scores say nothing of what was.
        """
        some = range(0, len(lists), max(len(lists) // CALIBRATION_LISTS, 1))
        bought = np.concatenate([lists.labels[i] >= BOUGHT for i in some])
        if not bought.any():
            return
        inputs = [lists.inputs[i] for i in some]
        scores = np.concatenate(scores_of(self, inputs))
        users = self.normal(np.concatenate([own[:, USER_COLUMNS] for own in inputs]), USER_COLUMNS).numpy()
        fitted = LogisticRegression(max_iter=500).fit(np.column_stack([scores, users]), bought)
        slope, levels = fitted.coef_[0, 0], np.zeros((len(self.mean), 1))
        if slope <= 0:  # the order of the lists would be turned around
            return
        levels[USER_COLUMNS, 0] = fitted.coef_[0, 1:]
        kernel, bias = self.score.get_weights()
        self.score.set_weights([kernel * slope, bias * slope + fitted.intercept_])
        self.level.set_weights([levels])


def listwise_loss(labels: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean over lists of the softmax cross-entropy to the normalised labels (ListNet; Bruch et al., ICTIR 2019).

    labels, scores and weights are [batch, candidates]. A weight is the number of candidates that this one stands for; 0
    where there is none. A list without any label has no loss.
    """
    stands_for = tf.math.log(tf.maximum(weights, LEAST_WEIGHT))
    everything = tf.reduce_logsumexp(tf.where(weights > 0, scores + stands_for, MASKED), axis=1, keepdims=True)
    labels *= weights
    target = tf.math.divide_no_nan(labels, tf.reduce_sum(labels, axis=1, keepdims=True))
    return tf.reduce_mean(-tf.reduce_sum(target * (scores - everything), axis=1))


def train_ranker(
    lists: LabelledLists,
    settings: RankerSettings,
    progress: Progress,
    soft_labels: Sequence[Floats] | None = None,
    start: Ranker | None = None,
) -> tuple[Ranker, list[float]]:
    """The trained ranker and the mean loss of each epoch.

    soft_labels: entry i is [k_i] what is added to the labels of list i, such as a teacher's probabilities. start: a
    ranker that has learned from some of the lists; a copy of it goes on for further_epochs.
    """
    keras.utils.set_random_seed(settings.seed)
    if start is not None:
        ranker, epochs = start.copy(settings), settings.further_epochs
    else:
        sample = np.concatenate(lists.inputs[:: max(len(lists) // 500, 1)])
        engagements = any(((own > 0) & (own < BOUGHT)).any() for own in lists.labels)
        ranker, epochs = Ranker(sample, settings, engagements=engagements), settings.epochs
    losses = _learned(ranker, Lessons(lists, soft_labels, soft_labels), settings, epochs, progress)
    return ranker, losses


def _learned(
    ranker: Ranker, lessons: Lessons, settings: RankerSettings, epochs: int, progress: Progress
) -> list[float]:
    """The mean loss of each epoch; after the last one the heads are joined."""
    draw = np.random.default_rng(settings.seed)
    steps = -(-len(lessons) // settings.batch_users)
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps * epochs)
    step = _train_step(ranker, keras.optimizers.legacy.Adam(schedule))
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for at, chosen in enumerate(np.array_split(draw.permutation(len(lessons)), steps)):
            inputs, labels, weights = lessons.padded(chosen, len(ranker.head_weights), draw)
            move_levels(inputs, draw)
            total += float(step(inputs, labels, weights))
            progress(epoch * steps + at + 1, epochs * steps, f"epoch {epoch + 1} of {epochs}")
        losses.append(total / steps)
    ranker.join_heads()
    return losses


def _train_step(ranker: Ranker, optimizer: keras.optimizers.Optimizer) -> tf.types.experimental.PolymorphicFunction:
    width, heads = len(ranker.mean), len(ranker.head_weights)

    def step(inputs: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            scores = ranker.by_head(inputs)
            loss = sum(
                head_weight * listwise_loss(labels[..., head], scores[..., head], weights)
                for head, head_weight in enumerate(ranker.head_weights)
            )
        gradients = tape.gradient(loss, ranker.trainable_variables)
        optimizer.apply_gradients(zip(gradients, ranker.trainable_variables, strict=True))
        return loss

    # One signature: lists of any length share a trace.
    shapes = [None, None, width], [None, None, heads], [None, None]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return tf.function(step, input_signature=signature, autograph=False)


def scores_of(ranker: Ranker, inputs: Sequence[Floats]) -> list[Floats]:
    """[k_i] scores for each list of [k_i, features]."""
    signature = [tf.TensorSpec([None, None, len(ranker.mean)], tf.float32)]
    score = tf.function(ranker.call, input_signature=signature, autograph=False)
    scores = list[Floats]()
    for at in range(0, len(inputs), SCORED_LISTS):
        some = inputs[at : at + SCORED_LISTS]
        ends = np.cumsum([len(own) for own in some])[:-1]
        scores += np.split(score(np.concatenate(some)[np.newaxis]).numpy()[0], ends)
    return scores
