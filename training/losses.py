"""Softmax losses of retrieval: over sampled candidates with their probabilities, and over the whole catalogue."""

import numpy as np
import numpy.typing as npt

from training.keras2 import tf

Floats = npt.NDArray[np.float32]


def sampling_probability(counts: Floats, batch_size: int, uniform_negatives: int) -> Floats:
    """[num_items] Q of each item among a batch's candidates, counts [num_items] being its positives.

    Candidates are drawn from the positives and, uniform_negatives of them, evenly (Yang et al., WWW 2020, section 3.3).
    """
    in_batch = counts / max(float(counts.sum()), 1.0)
    share = batch_size / (batch_size + uniform_negatives)
    mixed: Floats = (share * in_batch + (1 - share) / len(counts)).astype(np.float32)
    return mixed


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
