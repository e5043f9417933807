"""Softmax losses of retrieval: over sampled candidates with their probabilities, and over the whole catalogue."""

import numpy as np

from contracts.arrays import Floats
from training.keras2 import tf


def sampling_probability(
    counts: Floats, batch_size: int, uniform_negatives: int, hard_negatives: int = 0, mined: Floats | None = None
) -> Floats:
    """[num_items] Q of each item among a batch's candidates, counts [num_items] being its positives.

    Candidates are drawn from the positives and, uniform_negatives of them, evenly (Yang et al., WWW 2020, section 3.3);
    hard_negatives of them from those that were mined, [num_items] how often each.
    """
    evenly = np.ones_like(counts)
    sources = ((batch_size, counts), (uniform_negatives, evenly), (hard_negatives, evenly if mined is None else mined))
    drawn = batch_size + uniform_negatives + hard_negatives
    mixed = sum(number / drawn * (often / max(float(often.sum()), 1.0)) for number, often in sources)
    return np.asarray(mixed, np.float32)


def full_softmax(
    queries: tf.Tensor,
    catalogue: tf.Tensor,
    positive_queries: tf.Tensor,
    positive_items: tf.Tensor,
    weights: tf.Tensor,
    temperature: float,
) -> tf.Tensor:
    """Weighted sum of the positives' cross-entropies, each against all rows of catalogue [num_items, embedding_dim].

    Positive j is item positive_items[j] of query positive_queries[j], a row of queries [batch, embedding_dim]. A
    query's softmax is computed once for all of its positives, which are negatives of each other.
    """
    queries = queries / temperature
    log_sums = tf.reduce_logsumexp(tf.matmul(queries, catalogue, transpose_b=True), axis=1)
    # Once more, and not gathered from the logits: that gradient would be one more matrix of their size.
    own = tf.reduce_sum(tf.gather(queries, positive_queries) * tf.gather(catalogue, positive_items), axis=1)
    return tf.reduce_sum(weights * (tf.gather(log_sums, positive_queries) - own))
