"""What the query tower makes of the user's latest events: one vector, by mean, by GRU or by self-attention.

All read items [batch, length, dim] latest first, with types and ages (days before the latest) [batch, length] and
present [batch, length], 1 where there is an item; all give [batch, dim], zeros for a user without events.
"""

import functools

from contracts.features import names
from training.keras2 import keras, tf
from training.settings import Encoder, TwoTowerSettings

ATTENTION_HEADS = 2
AGE_BUCKETS = 12  # of doubling days: a day, two, four … more than five years


def new_encoder(dim: int, settings: TwoTowerSettings) -> keras.layers.Layer:
    """The encoder that the settings name."""
    if settings.encoder is Encoder.GRU:
        return GruEncoder(dim, settings.encoder_dropout)
    if settings.encoder is Encoder.ATTENTION:
        return AttentionEncoder(dim, settings.encoder_blocks, settings.encoder_dropout)
    return MeanEncoder()


class MeanEncoder(keras.layers.Layer):  # type: ignore[misc]
    """The weighted mean of the items.

    An event's weight is learned from its type and age; untrained, all weigh the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.type_weight = keras.layers.Embedding(len(names.SEQUENCE_TYPES) + 1, 1, embeddings_initializer="zeros")
        self.age_weight = self.add_weight(name="age_weight", shape=(), initializer="zeros")

    def call(
        self, items: tf.Tensor, types: tf.Tensor, days: tf.Tensor, present: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """[batch, dim]."""
        weight = tf.exp(self.type_weight(types)[..., 0] - self.age_weight * tf.math.log(1.0 + days))
        weight = (weight * present)[:, :, tf.newaxis]
        return tf.reduce_sum(items * weight, axis=1) / (tf.reduce_sum(weight, axis=1) + 1e-6)


class EventInputs(keras.layers.Layer):  # type: ignore[misc]
    """Items with what their event's type and age add to them; both start at nothing."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.types = keras.layers.Embedding(len(names.SEQUENCE_TYPES) + 1, dim, embeddings_initializer="zeros")
        self.ages = keras.layers.Embedding(AGE_BUCKETS, dim, embeddings_initializer="zeros")

    def call(self, items: tf.Tensor, types: tf.Tensor, days: tf.Tensor) -> tf.Tensor:
        """[batch, length, dim]."""
        bucket = tf.cast(tf.math.log(1.0 + tf.maximum(days, 0.0)) / tf.math.log(2.0), tf.int32)
        return items + self.types(types) + self.ages(tf.minimum(bucket, AGE_BUCKETS - 1))


class GruEncoder(keras.layers.Layer):  # type: ignore[misc]
    """The last state of a recurrent net that reads from the oldest event to the latest (Hidasi et al., ICLR 2016)."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.inputs = EventInputs(dim)
        self.dropout = keras.layers.Dropout(dropout)
        self.recurrent = keras.layers.GRU(dim, go_backwards=True)

    def call(
        self, items: tf.Tensor, types: tf.Tensor, days: tf.Tensor, present: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """[batch, dim]."""
        # Padding is read before the oldest event, as zeros. A mask would say the same and has no ONNX operator.
        events = self.inputs(items, types, days) * present[:, :, tf.newaxis]
        return self.recurrent(self.dropout(events, training=training)) * tf.reduce_max(present, axis=1, keepdims=True)


class AttentionEncoder(keras.layers.Layer):  # type: ignore[misc]
    """The latest event's state after blocks of self-attention (SASRec, Kang and McAuley, ICDM 2018).

    Positions count back from the latest event. A sequence holds only what came before the candidates, so that attention
    runs both ways.
    """

    def __init__(self, dim: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.inputs = EventInputs(dim)
        self.positions = keras.layers.Embedding(names.SEQUENCE_LENGTH, dim)
        self.before = keras.layers.LayerNormalization(epsilon=1e-6)
        self.dropout = keras.layers.Dropout(dropout)
        self.blocks = [AttentionBlock(dim, dropout) for _ in range(blocks)]
        self.after = keras.layers.LayerNormalization(epsilon=1e-6)

    def call(
        self, items: tf.Tensor, types: tf.Tensor, days: tf.Tensor, present: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """[batch, dim]."""
        places = self.positions(tf.range(tf.shape(items)[1]))
        states = self.dropout(self.before(self.inputs(items, types, days) + places), training=training)
        for block in self.blocks[:-1]:
            states = block(states, states, present, training=training)
        # Nobody reads the other events' states of the last block.
        latest = self.blocks[-1](states[:, :1], states, present, training=training)[:, 0]
        return self.after(latest) * tf.reduce_max(present, axis=1, keepdims=True)


class AttentionBlock(keras.layers.Layer):  # type: ignore[misc]
    """Self-attention and a point-wise layer, each normalised before and added after."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.attention = keras.layers.MultiHeadAttention(ATTENTION_HEADS, dim // ATTENTION_HEADS, dropout=dropout)
        # The exact GELU has no ONNX operator.
        self.hidden = keras.layers.Dense(dim, activation=functools.partial(tf.nn.gelu, approximate=True))
        self.out = keras.layers.Dense(dim)
        self.dropout = keras.layers.Dropout(dropout)
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6)
        self.before_hidden = keras.layers.LayerNormalization(epsilon=1e-6)

    def call(self, states: tf.Tensor, events: tf.Tensor, present: tf.Tensor, training: bool = False) -> tf.Tensor:
        """states [batch, n, dim] that look at events [batch, length, dim], to [batch, n, dim]."""
        attended = self.attention(
            self.before_attention(states),
            self.before_attention(events),
            attention_mask=present[:, tf.newaxis, :] > 0,
            training=training,
        )
        states += self.dropout(attended, training=training)
        hidden = self.dropout(self.hidden(self.before_hidden(states)), training=training)
        return states + self.dropout(self.out(hidden), training=training)
