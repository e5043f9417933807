"""The two towers (Covington et al., RecSys 2016; Yi et al., RecSys 2019) on tf-keras.

Both end in L2-normalised embeddings, so that their inner product is a cosine. The item part is shared: what the
candidate tower knows of an item's id and content is also how the query tower reads the user's sequence.
"""

import numpy as np
import numpy.typing as npt

from contracts.features import encoding, names
from contracts.features.names import HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from training.dataset.cold_users import SESSION_DAYS
from training.keras2 import keras, tf
from training.retrieval.encoders import new_encoder
from training.settings import TwoTowerSettings

CONTENT_DIMS = {"department": 8, "category": 16, "subcategory": 32, "brand": 2, "manufacturer": 16}
PROFILE_DIM = 4
POPULARITY_DIM = 4  # numbers of an embedding that are not normalised: how popular an item is, how mainstream a user
USER_ID_DIM = 16
COLD = "cold"  # of a training batch: rows that teach only what cold users buy


class LogNormalization(keras.layers.Layer):  # type: ignore[misc]
    """log1p, then zero mean and unit variance per column; lives in the tower so that serving cannot differ."""

    def __init__(self, raw: npt.NDArray[np.float32]) -> None:
        """raw: [rows, columns] sample that sets mean and variance."""
        super().__init__()
        scaled = np.log1p(np.maximum(raw, 0.0))
        # numpy, not tensors: an eager tensor would become an input of the exported graph.
        self.mean = scaled.mean(axis=0, dtype=np.float32)
        self.scale = scale_of(scaled)

    def call(self, raw: tf.Tensor) -> tf.Tensor:
        """[batch, columns] to the same shape."""
        # log(1 + x) and not log1p, which has no ONNX operator.
        return (tf.math.log(1.0 + tf.maximum(raw, 0.0)) - self.mean) * self.scale


def scale_of(sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """[columns] that bring a sample [rows, columns] to unit variance; 0 for a column that does not vary in it.

    Training can learn nothing of such a column, and its first value in service would drown all others.
    """
    deviation = sample.std(axis=0, dtype=np.float32)
    scale: npt.NDArray[np.float32] = np.where(deviation > 1e-3, 1 / (deviation + np.float32(1e-3)), 0)
    return scale.astype(np.float32)


class IdDropout(keras.layers.Layer):  # type: ignore[misc]
    """Replaces ids by 0 (unknown) for a share of rows in training, so that row 0 is a trained "somebody"."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def call(self, ids: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[batch] ids to [batch] ids."""
        if not training:
            return ids
        return tf.where(tf.random.uniform(tf.shape(ids)) < self.rate, tf.zeros_like(ids), ids)


class ItemEncoder(keras.layers.Layer):  # type: ignore[misc]
    """Id and content of items as one vector."""

    def __init__(self, num_items: int, content_sizes: list[int], id_dim: int) -> None:
        """content_sizes: vocabulary size of each of ITEM_CONTENT; empty for items that are ids alone."""
        super().__init__()
        columns = names.ITEM_CONTENT if content_sizes else ()
        self.dim = id_dim + sum(CONTENT_DIMS[column] for column in columns)
        self.id_embedding = keras.layers.Embedding(num_items + 1, id_dim)
        self.content_embeddings = [
            keras.layers.Embedding(size, CONTENT_DIMS[column])
            for column, size in zip(columns, content_sizes, strict=True)
        ]

    def call(self, ids: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
        """ids [...], content [..., len(ITEM_CONTENT)] to [..., id_dim + content dims]."""
        parts = [self.id_embedding(ids)]
        parts += [embed(content[..., i]) for i, embed in enumerate(self.content_embeddings)]
        return tf.concat(parts, axis=-1)


def new_item_encoder(num_items: int, content_sizes: list[int], settings: TwoTowerSettings) -> ItemEncoder:
    """Items as ids and content; without side features as ids that fill the embedding."""
    if settings.side_features:
        return ItemEncoder(num_items, content_sizes, settings.item_id_dim)
    return ItemEncoder(num_items, [], settings.embedding_dim - settings.item_bias)


class CandidateTower(keras.Model):  # type: ignore[misc]
    """Items to embeddings, from id, content and statistics; without side features from the id alone.

    Cosines cannot say that an item is popular with everybody. With side features POPULARITY_DIM numbers that are not
    normalised do, without them a bias, if the settings have one.
    """

    def __init__(self, encoder: ItemEncoder, statistics: npt.NDArray[np.float32], settings: TwoTowerSettings) -> None:
        super().__init__()
        self.encoder = encoder
        self.id_dropout = IdDropout(settings.id_dropout)
        self.side_features, self.item_bias = settings.side_features, settings.item_bias
        if self.item_bias:
            self.bias = keras.layers.Embedding(encoder.id_embedding.input_dim, 1, embeddings_initializer="zeros")
        if self.side_features:
            self.statistics = [names.ITEM_STATISTICS.index(name) for name in names.RETRIEVED_ITEM_STATISTICS]
            self.normalize = LogNormalization(statistics[:, self.statistics])
            self.dense = _dense(settings)
            self.popularity = keras.layers.Dense(POPULARITY_DIM)

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """item [batch] (0 = unknown), content [batch, 5], item_statistics [batch, 25], text [batch, 16] to
        [batch, embedding_dim].
        """
        ids = self.id_dropout(inputs[encoding.ITEM], training=training)
        item = self.encoder(ids, inputs[encoding.CONTENT])
        if not self.side_features:
            taste = tf.math.l2_normalize(item, axis=1)
            embeddings = tf.concat([taste, self.bias(ids)], axis=1) if self.item_bias else taste
            return embeddings * _known(inputs[encoding.ITEM])
        statistics = self.normalize(tf.gather(inputs[encoding.ITEM_STATISTICS_INPUT], self.statistics, axis=1))
        taste = tf.math.l2_normalize(
            self.dense(tf.concat([item, statistics, inputs[encoding.TEXT]], axis=1), training=training), axis=1
        )
        return tf.concat([taste, self.popularity(statistics)], axis=1)


class QueryTower(keras.Model):  # type: ignore[misc]
    """Users at a moment to embeddings, from id, profile, statistics, latest events and context.

    Without side features from id and latest events alone, both as unit vectors among the items' (SimpleX, Mao et al.,
    CIKM 2021).
    """

    def __init__(
        self,
        encoder: ItemEncoder,
        content: npt.NDArray[np.int32],
        statistics: npt.NDArray[np.float32],
        num_users: int,
        profile_sizes: list[int],
        settings: TwoTowerSettings,
    ) -> None:
        """content: [num_items, 5] codes of the whole catalogue, looked up for the items of the sequence."""
        super().__init__()
        self.encoder = encoder
        self.content = np.concatenate([np.zeros_like(content[:1]), content])  # row 0: no item
        self.id_dropout = IdDropout(settings.id_dropout)
        self.sequence_dropout = IdDropout(settings.sequence_dropout)
        self.sequence_encoder = new_encoder(encoder.dim, settings)
        self.sequence_share = settings.sequence_share
        self.cold_user_share = settings.hidden_share
        self.side_features, self.item_bias = settings.side_features, settings.item_bias
        user_dim = USER_ID_DIM if self.side_features else encoder.dim
        self.user_embedding = keras.layers.Embedding(num_users + 1, user_dim)
        if self.side_features:
            self.profile_embeddings = [keras.layers.Embedding(size, PROFILE_DIM) for size in profile_sizes]
            self.hour_embedding = keras.layers.Embedding(HOUR_UNKNOWN + 1, PROFILE_DIM)
            self.weekday_embedding = keras.layers.Embedding(WEEKDAY_UNKNOWN + 1, PROFILE_DIM)
            self.statistics = [names.USER_STATISTICS.index(name) for name in names.MODELLED_USER_STATISTICS]
            self.normalize = LogNormalization(statistics[:, self.statistics])
            self.dense = _dense(settings)
            self.mainstream = keras.layers.Dense(POPULARITY_DIM, bias_initializer="ones")

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """user, hour and weekday [batch], profile [batch, 7], statistics [batch, 37], sequence with its types and days
        [batch, 50] to [batch, embedding_dim].
        """
        if training and self.cold_user_share:
            inputs = self._with_cold_users(inputs)
        sequence = self._encoded_sequence(inputs, training)
        if not self.side_features:
            taste = self._of_ids(inputs, sequence, training)
            return tf.concat([taste, tf.ones_like(taste[:, :1])], axis=1) if self.item_bias else taste
        user = self.user_embedding(self.id_dropout(inputs[encoding.USER], training=training))
        statistics = self.normalize(tf.gather(inputs[encoding.STATISTICS], self.statistics, axis=1))
        parts = tf.concat([user, statistics, sequence, *self._context(inputs, training)], axis=1)
        taste = tf.math.l2_normalize(self.dense(parts, training=training), axis=1)
        return tf.concat([taste, self.mainstream(statistics)], axis=1)

    def _with_cold_users(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The same with a share of the rows known by their profile alone, or by profile and latest session."""
        draw = tf.random.uniform(tf.shape(inputs[encoding.USER]))
        if COLD in inputs:
            draw *= tf.where(inputs[COLD], self.cold_user_share, 1.0)
        known, silent = draw >= self.cold_user_share, draw < self.cold_user_share / 2
        latest = inputs[encoding.SEQUENCE_DAYS] <= SESSION_DAYS
        seen = known[:, tf.newaxis] | (latest & ~silent[:, tf.newaxis])
        return inputs | {
            encoding.USER: tf.where(known, inputs[encoding.USER], 0),
            encoding.STATISTICS: tf.where(known[:, tf.newaxis], inputs[encoding.STATISTICS], 0.0),
            encoding.SEQUENCE: tf.where(seen, inputs[encoding.SEQUENCE], 0),
        }

    def _of_ids(self, inputs: dict[str, tf.Tensor], sequence: tf.Tensor, training: bool) -> tf.Tensor:
        """[batch, dim] of length 1: the sequence's share and the user id's."""
        known = tf.math.l2_normalize(sequence, axis=1)
        if self.sequence_share == 1:
            return known
        user = self.user_embedding(self.id_dropout(inputs[encoding.USER], training=training))
        own = tf.math.l2_normalize(user, axis=1) * _known(inputs[encoding.USER])
        return tf.math.l2_normalize(self.sequence_share * known + (1 - self.sequence_share) * own, axis=1)

    def _context(self, inputs: dict[str, tf.Tensor], training: bool) -> list[tf.Tensor]:
        """The moment and the user's profile, [batch, PROFILE_DIM] each."""
        hour, weekday = inputs[encoding.HOUR], inputs[encoding.WEEKDAY]
        if training:  # half of the rows are asked without a visit, as batch lists and evaluations are
            without_visit = tf.random.uniform(tf.shape(hour)) < 0.5
            hour = tf.where(without_visit, HOUR_UNKNOWN, hour)
            weekday = tf.where(without_visit, WEEKDAY_UNKNOWN, weekday)
        profile = [embed(inputs[encoding.PROFILE][:, i]) for i, embed in enumerate(self.profile_embeddings)]
        return [self.hour_embedding(hour), self.weekday_embedding(weekday), *profile]

    def _encoded_sequence(self, inputs: dict[str, tf.Tensor], training: bool) -> tf.Tensor:
        """[batch, item dim] of the latest events."""
        sequence = self.sequence_dropout(inputs[encoding.SEQUENCE], training=training)
        items = self.encoder(sequence, tf.gather(self.content, sequence))
        types, days = inputs[encoding.SEQUENCE_TYPES], inputs[encoding.SEQUENCE_DAYS]
        return self.sequence_encoder(items, types, days, tf.cast(sequence > 0, tf.float32), training=training)


def _known(ids: tf.Tensor) -> tf.Tensor:
    """[batch, 1] 1 for an id of the vocabulary; of another one nothing was learned, so that it is to say nothing."""
    return tf.cast(ids > 0, tf.float32)[:, tf.newaxis]


def _dense(settings: TwoTowerSettings) -> keras.Sequential:
    """Hidden layers and the taste part of the embedding; its last POPULARITY_DIM numbers come on top."""
    layers = []
    for units in settings.hidden_units:
        layers += [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(settings.dropout)]
    return keras.Sequential([*layers, keras.layers.Dense(settings.embedding_dim - POPULARITY_DIM)])
