"""Losses of retrieval, and how often a candidate is drawn, against sums done by hand."""

import math

import numpy as np
import pytest

from training.keras2 import tf
from training.retrieval.losses import full_softmax, sampling_probability

pytestmark = pytest.mark.tf


def test_full_softmax_is_each_positives_cross_entropy_over_the_catalogue() -> None:
    queries = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    catalogue = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    loss = full_softmax(
        queries, catalogue, tf.constant([0, 0, 1]), tf.constant([0, 1, 1]), tf.constant([1.0, 2.0, 3.0]), 0.5
    )
    # Logits of query 0: 2, 0, 2; of query 1: 0, 2, 0. Its positives 0 and 1 cost ln(2e² + 1) − 2 and ln(2e² + 1) − 0.
    first, second = math.log(2 * math.e**2 + 1), math.log(math.e**2 + 2)
    assert float(loss) == pytest.approx((first - 2) + 2 * first + 3 * (second - 2), rel=1e-5)


def test_candidates_are_drawn_from_the_positives_and_evenly() -> None:
    counts = np.array([3.0, 1.0, 0.0, 0.0], np.float32)
    assert sampling_probability(counts, 10, 0).tolist() == [0.75, 0.25, 0.0, 0.0]
    # 6 of 8 candidates by the positives, 2 evenly: ¾ · ¾ + ¼ · ¼, ¾ · ¼ + ¼ · ¼, ¼ · ¼
    assert sampling_probability(counts, 6, 2).tolist() == [0.625, 0.25, 0.0625, 0.0625]
    assert np.isfinite(sampling_probability(np.zeros(4, np.float32), 6, 2)).all()
