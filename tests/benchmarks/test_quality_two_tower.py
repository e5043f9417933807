"""The two-tower peer on data with one right answer, and the batches that it trains on."""

import numpy as np
import pytest

from benchmarks.quality.peers.tandem import TwoTower
from benchmarks.quality.splits import Split
from contracts.features import encoding
from training.retrieval.full_softmax import Examples, FullSoftmaxTraining
from training.settings import Encoder, Optimizer

pytestmark = pytest.mark.tf


def next_item_split(ordered: bool) -> Split:
    """Users who walk round a ring of 12 items, or who own every other item of it."""
    random = np.random.default_rng(1)
    starts = random.integers(0, 12, 150)
    step = 1 if ordered else 2
    histories = [[np.array([(start + step * i) % 12]) for i in range(4)] for start in starts]
    truths = [np.array([(start + step * 4) % 12]) for start in starts]
    return Split(12, histories, histories, truths, repeats=False, ordered=ordered, k=1)


@pytest.mark.parametrize("kind", list(Encoder))
def test_towers_learn_what_follows(kind: Encoder) -> None:
    split = next_item_split(ordered=kind is not Encoder.MEAN)
    peer = TwoTower(
        {"encoder": kind, "encoder_blocks": 1, "embedding_dim": 16, "learning_rate": 0.02, "batch_size": 64,
         "epochs": 25, "temperature": 0.2, "sequence_share": 1.0, "sequence_dropout": 0.0 if split.ordered else 0.5}
    )  # fmt: skip
    peer.fit(split)
    assert peer.losses[-1] < peer.losses[0]
    scores = peer.scores(split.users)
    for user, own in enumerate(split.histories):
        scores[user, np.concatenate(own)] = -np.inf
    best = scores.argmax(axis=1)
    right = best == np.concatenate(split.truths) if split.ordered else best % 2 == np.concatenate(split.truths) % 2
    assert right.mean() > 0.9


def test_every_positive_is_in_one_batch_with_its_own_query() -> None:
    sequence = np.array([[1, 0, 0], [2, 3, 0], [4, 5, 6]], np.int32)
    examples = Examples(
        {encoding.USER: np.array([10, 11, 12], np.int32), encoding.SEQUENCE: sequence},
        query_rows=np.array([0, 0, 2]), item_rows=np.array([7, 8, 9]), weights=np.ones(3, np.float32),
    )  # fmt: skip
    peer = TwoTower({"batch_size": 2, "optimizer": Optimizer.ADAGRAD})
    training = peer.begin(next_item_split(ordered=True))
    training = FullSoftmaxTraining(training.query_tower, training.candidate_tower, {}, examples, training.settings)
    batches = list(training._batches())
    assert [len(inputs[encoding.USER]) for inputs, *_ in batches] in ([2, 1], [1, 2])
    pairs = [
        (int(inputs[encoding.USER][query]), int(item))
        for inputs, queries, items, _ in batches
        for query, item in zip(queries, items, strict=True)
    ]
    assert sorted(pairs) == [(10, 7), (10, 8), (12, 9)]


def test_no_examples_are_no_steps() -> None:
    examples = Examples(
        {encoding.USER: np.zeros(0, np.int32), encoding.SEQUENCE: np.zeros((0, 3), np.int32)},
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32),
    )  # fmt: skip
    training = TwoTower().begin(next_item_split(ordered=True))
    training = FullSoftmaxTraining(training.query_tower, training.candidate_tower, {}, examples, training.settings)
    assert training.epoch() == 0.0
