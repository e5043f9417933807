"""Losses of retrieval, how often a candidate is drawn, and full softmax steps, against sums done by hand."""

import math
from typing import Any

import numpy as np
import pytest

from contracts.features import encoding
from training.keras2 import keras, tf
from training.retrieval.fit import MORE, TwoTowerModel
from training.retrieval.full_softmax import Examples, FullSoftmaxTraining
from training.retrieval.losses import full_softmax, sampling_probability
from training.settings import Optimizer, TwoTowerSettings

pytestmark = pytest.mark.tf
ROW = "row"


class Rows(keras.Model):  # type: ignore[misc]
    """Stands for a tower: embeddings are rows of a table, so that logits can be written down."""

    def __init__(self, *table: tuple[float, float], trainable: bool = True) -> None:
        super().__init__()
        self.table = tf.Variable(table, trainable=trainable, dtype=tf.float32)
        self.modes: list[bool] = []

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        self.modes.append(training)
        return tf.gather(self.table, inputs[ROW])


def model_loss(
    ids: tuple[int, ...],
    probabilities: tuple[float, ...],
    weights: tuple[float, ...],
    temperature: float = 1.0,
    more: dict[str, Any] | None = None,
) -> float:
    """The model's loss of one batch: rows take turns on the two axes, a row's candidate lies on its query's."""
    axes: Any = Rows((1.0, 0.0), (0.0, 1.0))
    model = TwoTowerModel(axes, axes, TwoTowerSettings(temperature=temperature))
    batch = {
        ROW: tf.constant([row % 2 for row in range(len(ids))]),
        "candidate_id": tf.constant(ids),
        "sampling_probability": tf.constant(probabilities),
        "weight": tf.constant(weights),
    }
    if more:
        batch[MORE] = {name: tf.constant(values) for name, values in more.items()}
    return float(model.compute_loss(batch))


def test_the_models_logits_are_inner_products_by_temperature() -> None:
    # Own 1 / ½ = 2, the other row's 0; equal Q cancel. Both rows cost ln(e² + 1) − 2 = ln(1 + e⁻²).
    assert model_loss((7, 8), (0.5, 0.5), (1.0, 1.0), temperature=0.5) == pytest.approx(2 * math.log(1 + math.exp(-2)))


def test_the_models_logits_are_less_log_q() -> None:
    # Row 0: own 1 − ln .2, other 0 − ln .8, so it costs ln(1 + e⁻¹ · .2 / .8); row 1 the other way round.
    rare, common = math.log(1 + math.exp(-1) / 4), math.log(1 + math.exp(-1) * 4)
    assert model_loss((7, 8), (0.2, 0.8), (1.0, 1.0)) == pytest.approx(rare + common)


def test_the_models_positives_are_no_negatives_of_rows_with_the_same_item() -> None:
    # Rows 0 and 2 have item 7: each sees row 1 alone as a negative and costs ln(1 + e⁻¹). Row 1 sees both.
    one, both = math.log(1 + math.exp(-1)), math.log(1 + 2 * math.exp(-1))
    assert model_loss((7, 8, 7), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)) == pytest.approx(2 * one + both)
    # With three items row 2 is a negative of row 0, on the same axis: 1 against 0 and 1.
    assert model_loss((7, 8, 9), (0.5,) * 3, (1.0,) * 3) == pytest.approx(2 * math.log(2 + math.exp(-1)) + both)


def test_the_models_rows_count_by_their_weights() -> None:
    # As the test of log Q: row 0 costs ln(1 + e⁻¹ / 4), once; row 1 ln(1 + 4 e⁻¹), three times.
    rare, common = math.log(1 + math.exp(-1) / 4), math.log(1 + math.exp(-1) * 4)
    assert model_loss((7, 8), (0.2, 0.8), (1.0, 3.0)) == pytest.approx(rare + 3 * common)


def test_the_models_further_negatives_have_their_own_q_and_no_hits() -> None:
    # A third candidate on row 0's axis with item 7 and Q = ¼, where the rows have ½. Row 0 has item 7 itself: masked.
    # Row 1: own 1 − ln ½, row 0 at 0 − ln ½, the third at 0 − ln ¼: ln(1 + e⁻¹ + 2 e⁻¹).
    more = {ROW: [0], "candidate_id": [7], "sampling_probability": [0.25]}
    first, second = math.log(1 + math.exp(-1)), math.log(1 + 3 * math.exp(-1))
    assert model_loss((7, 8), (0.5, 0.5), (1.0, 1.0), more=more) == pytest.approx(first + second)


@pytest.mark.parametrize("training", [True, False])
def test_the_models_towers_know_whether_they_train(training: bool) -> None:
    query, candidate = Rows((1.0, 0.0)), Rows((1.0, 0.0))
    towers: list[Any] = [query, candidate]
    model = TwoTowerModel(towers[0], towers[1], TwoTowerSettings())
    more = {ROW: tf.constant([0]), "candidate_id": tf.constant([8]), "sampling_probability": tf.constant([0.5])}
    model.compute_loss({**more, "weight": tf.constant([1.0]), MORE: more}, training=training)
    assert (query.modes, candidate.modes) == ([training], [training] * 2)


def test_the_models_towers_do_not_train_unless_it_is_said() -> None:
    query, candidate = Rows((1.0, 0.0)), Rows((1.0, 0.0))
    towers: list[Any] = [query, candidate]
    batch = {ROW: [0, 0], "candidate_id": [7, 8], "sampling_probability": [0.5, 0.5], "weight": [1.0, 1.0]}
    TwoTowerModel(towers[0], towers[1], TwoTowerSettings()).compute_loss(
        {name: tf.constant(values) for name, values in batch.items()}
    )
    assert query.modes + candidate.modes == [False, False]


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


def test_candidates_are_drawn_from_the_mined_too() -> None:
    counts, mined = np.array([3.0, 1.0, 0.0, 0.0], np.float32), np.array([0.0, 0.0, 1.0, 4.0], np.float32)
    # 5 of 10 candidates by the positives, 2 evenly, 3 by the mined: ½ · ¾ + ⅕ · ¼, ½ · ¼ + ⅕ · ¼, then ⅕ · ¼ with
    # ³/₁₀ of ⅕ and of ⅘ each.
    found = sampling_probability(counts, 5, 2, 3, mined)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([0.425, 0.175, 0.11, 0.29])
    # Nothing is mined yet: those are drawn evenly, ½ of ¾ and ¼, ½ of ¼ each.
    assert sampling_probability(counts, 5, 2, 3).tolist() == pytest.approx([0.5, 0.25, 0.125, 0.125])
    # One positive in all is less than nothing to divide by, and not more: Q = (1, 0).
    assert sampling_probability(np.array([1.0, 0.0], np.float32), 4, 0).tolist() == [1.0, 0.0]


def full_training(batch_size: int, query_tower: Any, candidate_tower: Any) -> FullSoftmaxTraining:
    """Query 0 chose item 0, weight 1; query 1 chose item 0 too, weight 3. Each step goes down the whole gradient."""
    queries = {ROW: np.array([0, 1]), encoding.SEQUENCE: np.zeros((2, 20), np.int32)}
    examples = Examples(queries, np.array([0, 1]), np.array([0, 0]), np.array([1.0, 3.0], np.float32))
    settings = TwoTowerSettings(batch_size=batch_size, temperature=0.5)
    training = FullSoftmaxTraining(query_tower, candidate_tower, {ROW: np.array([0, 1])}, examples, settings)
    training.optimizer = keras.optimizers.legacy.SGD(1.0)
    return training


@pytest.mark.parametrize(("batch_size", "batch_weight"), [(2, 4.0), (1, 2.0)])
def test_full_softmax_training_goes_down_the_gradient_of_a_mean_batch(batch_size: int, batch_weight: float) -> None:
    queries = Rows((1.0, 0.0), (0.0, 1.0))
    training = full_training(batch_size, queries, Rows((1.0, 0.0), (0.0, 1.0), trainable=False))
    # Logits by temperature ½: query 0 has 2 and 0, query 1 has 0 and 2; s = e² / (e² + 1) is the larger's share.
    share = math.e**2 / (math.e**2 + 1)
    assert training.epoch() == pytest.approx((-math.log(share) - 3 * math.log(1 - share)) / 4)
    # The gradient of a query is weight / ½ · (shares − what it chose): query 0 (s − 1, 1 − s) · 2, query 1 (−s, s) · 6.
    first, second = 2 * (1 - share) / batch_weight, 6 * share / batch_weight
    np.testing.assert_allclose(queries.table.numpy(), [[1 + first, -first], [second, 1 - second]], rtol=1e-5)
    assert set(queries.modes) == set(training.candidate_tower.modes) == {True}


def test_full_softmax_training_moves_what_both_towers_share_once() -> None:
    both = Rows((1.0, 0.0), (0.0, 1.0))
    training = full_training(2, both, both)
    share = math.e**2 / (math.e**2 + 1)
    # By 4, the weight of the batch. As queries rows 0 and 1 go by (1 − s, s − 1) / 2 and (s, −s) · 3 / 2. As items:
    # item 0 has (s − 1) of query 0 and −s of query 1, three times; item 1 has (1 − s) and s; each by 2 / 4.
    moved = np.array([[1 - share, share - 1], [3 * share, -3 * share]]) / 2
    moved += np.array([[1 - share, 3 * share], [share - 1, -3 * share]]) / 2
    training.epoch()
    np.testing.assert_allclose(both.table.numpy() - np.eye(2), moved, rtol=1e-5, atol=1e-6)


def examples_of(lengths: list[int]) -> Examples:
    """One query and one positive for each length; query i is user i, its item 100 + i."""
    sequence = np.array([[1] * length + [0] * (30 - length) for length in lengths], np.int32)
    rows = np.arange(len(lengths))
    queries = {
        encoding.USER: rows.astype(np.int32), encoding.PROFILE: np.ones((len(lengths), 30), np.int32),
        encoding.SEQUENCE: sequence, encoding.SEQUENCE_TYPES: 2 * sequence, encoding.SEQUENCE_DAYS: 3.0 * sequence,
    }  # fmt: skip
    return Examples(queries, rows, 100 + rows, np.ones(len(lengths), np.float32))


def batches_of(lengths: list[int], **settings: Any) -> list[tuple[Any, ...]]:
    tower: Any = Rows((1.0, 0.0))
    training = FullSoftmaxTraining(tower, tower, {}, examples_of(lengths), TwoTowerSettings(**settings))
    return list(training._batches())


def test_sequences_of_a_batch_are_cut_to_tens_and_nothing_else_is() -> None:
    cut = {}
    for inputs, *_ in batches_of([0, 3, 10, 11, 30], batch_size=1):
        sequences = [
            inputs[name].numpy() for name in (encoding.SEQUENCE, encoding.SEQUENCE_TYPES, encoding.SEQUENCE_DAYS)
        ]
        cut[int(inputs[encoding.USER][0])] = sequences[0].shape[1]
        assert (sequences[1] == 2 * sequences[0]).all() and (sequences[2] == 3 * sequences[0]).all()
        assert inputs[encoding.PROFILE].shape == (1, 30)
    assert cut == {0: 10, 1: 10, 2: 10, 3: 20, 4: 30}


def test_sequences_of_like_length_share_a_batch() -> None:
    for seed in range(5):
        batches = batches_of([2, 20, 2, 20, 20], batch_size=2, seed=seed)  # by up to half longer: 3 is still below 20
        users = sorted(sorted(inputs[encoding.USER].numpy().tolist()) for inputs, *_ in batches)
        assert users[0] == [0, 2] and sorted(map(len, users)) == [1, 2, 2]
        for inputs, queries, items, weights in batches:
            assert items.numpy().tolist() == [100 + user for user in inputs[encoding.USER].numpy()[queries.numpy()]]
            assert weights.numpy().tolist() == [1.0] * len(items)


def test_batches_come_in_another_order_each_time_and_in_the_same_of_a_seed() -> None:
    def order(seed: int) -> list[int]:
        return [int(inputs[encoding.USER][0]) for inputs, *_ in batches_of([5] * 30, batch_size=1, seed=seed)]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == list(range(30)) != order(1)


def test_adam_falls_to_a_fiftieth_by_the_last_step_and_adagrad_keeps_its_rate() -> None:
    tower: Any = Rows((1.0, 0.0))
    for kind, first, last in ((Optimizer.ADAM, 0.5, 0.01), (Optimizer.ADAGRAD, 0.5, 0.5)):
        settings = TwoTowerSettings(batch_size=2, epochs=4, learning_rate=0.5, optimizer=kind)
        training = FullSoftmaxTraining(tower, tower, {}, examples_of([1] * 5), settings)
        assert training.steps == 3
        rate = training.optimizer.learning_rate
        rates = [float(rate(step) if callable(rate) else rate) for step in (0, 11, 12, 13)]
        assert [rates[0], *rates[2:]] == pytest.approx([first, last, last])
        assert (rates[1] > last) == (kind is Optimizer.ADAM)
        assert type(training.optimizer).__name__ == kind.value.capitalize()


def test_no_examples_are_no_steps() -> None:
    tower: Any = Rows((1.0, 0.0))
    nothing = Examples(
        {encoding.SEQUENCE: np.zeros((0, 3), np.int32)}, *(np.zeros(0, np.int64),) * 2, np.zeros(0, np.float32)
    )
    training = FullSoftmaxTraining(tower, tower, {}, nothing, TwoTowerSettings())
    assert (training.steps, training.epoch()) == (0, 0.0)
