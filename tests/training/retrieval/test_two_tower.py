"""The towers' loss against sums done by hand, and their exports against TensorFlow."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from contracts.arrays import Floats
from contracts.bundle.files import CANDIDATE_TOWER, QUERY_TOWER, RANKER, SAVED_MODELS
from contracts.errors import InvalidInput
from contracts.features import encoding, names
from contracts.ranking.candidates import Shortlist
from contracts.ranking.inputs import RANKING_FEATURES, USER_COLUMNS
from training.dataset.cold_users import SESSION_DAYS
from training.dataset.dataset import Dataset, Positives
from training.keras2 import tf, tfrs
from training.ranking.export import export_ranker
from training.ranking.labelled_lists import BOUGHT, LABEL_LEVELS, VIEWED, LabelledLists, labelled_lists
from training.ranking.neural import Ranker, scores_of, train_ranker
from training.ranking.scoring import rank_with_scores
from training.retrieval import index
from training.retrieval.export import export_towers
from training.retrieval.fit import Towers, _taught, _weights, epochs_for, fit, new_towers
from training.retrieval.hard_negatives import HardNegatives
from training.retrieval.towers import COLD, scale_of
from training.settings import Encoder, Loss, Optimizer, RankerSettings, TwoTowerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf


def test_retrieval_loss_is_temperature_then_log_q_then_accidental_hits() -> None:
    """The task as TwoTowerModel sets it up, on embeddings whose logits can be written down."""
    task = tfrs.tasks.Retrieval(temperature=0.5, remove_accidental_hits=True)
    queries = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    candidates = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    ids = tf.constant([7, 8, 7])  # rows 0 and 2 hold the same item: no negatives of each other
    probabilities = tf.constant([0.2, 0.5, 0.2])
    loss = task(
        queries,
        candidates,
        candidate_ids=ids,
        candidate_sampling_probability=probabilities,
        compute_metrics=False,
    )
    # Logits are q·c / 0.5 − ln Q: own item 2 − ln .2, item 8 for row 0: 0 − ln .5; row 2 is masked for row 0.
    own, other = 2 - math.log(0.2), 0 - math.log(0.5)
    row0 = math.log(math.exp(own) + math.exp(other)) - own
    # Row 1 sees item 7 twice as a negative: accidental hits are equal ids to its own, and 7 is not 8.
    own1, other1 = 2 - math.log(0.5), 0 - math.log(0.2)
    row1 = math.log(math.exp(own1) + 2 * math.exp(other1)) - own1
    assert float(loss) == pytest.approx(row0 + row1 + row0, rel=1e-5)  # the reduction is a sum; row 2 mirrors row 0


def test_lists_without_a_bought_candidate_teach_nothing() -> None:
    inputs = [np.zeros((2, len(RANKING_FEATURES)), np.float32)] * 2
    lists = labelled_lists(inputs, [np.array([4, 5]), np.array([6, 7])], [np.array([5, 9]), np.array([8])])
    assert len(lists) == 1
    assert lists.labels[0].tolist() == [0.0, BOUGHT]


@pytest.fixture(scope="module")
def dataset(trained: Workspace) -> Dataset:
    return Dataset(trained)


@pytest.fixture(scope="module")
def positives(dataset: Dataset) -> Positives:
    return dataset.positives()


@pytest.fixture(scope="module")
def first_baskets(positives: Positives) -> Positives:
    """The first 1,500 positives with the queries of their baskets: hard negatives embed every query in each epoch."""
    first = np.argsort(positives.seconds, kind="stable")[:1500]
    baskets, query_rows = np.unique(positives.query_rows[first], return_inverse=True)
    return Positives(
        queries={name: values[baskets] for name, values in positives.queries.items()},
        query_rows=query_rows,
        item_rows=positives.item_rows[first],
        item_statistics=positives.item_statistics[first],
        is_repeat=positives.is_repeat[first],
        seconds=positives.seconds[first],
        types=positives.types[first],
    )


@pytest.fixture(scope="module")
def towers(dataset: Dataset, positives: Positives) -> Towers:
    return new_towers(dataset, positives, TwoTowerSettings())


def test_towers_answer_the_same_in_tensorflow_and_onnx_runtime(
    dataset: Dataset, towers: Towers, tmp_path: Path
) -> None:
    moment = dataset.moment(dataset.timeline.cutoff)
    export_towers(towers, tmp_path)
    query = onnxruntime.InferenceSession(str(tmp_path / QUERY_TOWER))
    (found,) = query.run(None, moment.queries)
    assert np.abs(found - towers.embed_queries(moment.queries)).max() < 1e-5
    candidate = onnxruntime.InferenceSession(str(tmp_path / CANDIDATE_TOWER))
    inputs = {
        encoding.ITEM: towers.known_items,
        encoding.CONTENT: towers.content,
        encoding.ITEM_STATISTICS_INPUT: moment.item_statistics,
        encoding.TEXT: towers.text,
    }
    (found,) = candidate.run(None, inputs)
    assert np.abs(found - towers.embed_items(moment.item_statistics)).max() < 1e-5


def test_taste_is_normalised_and_an_unseen_item_embeds_by_its_content(dataset: Dataset, towers: Towers) -> None:
    moment = dataset.moment(dataset.timeline.cutoff)
    embeddings = towers.embed_items(moment.item_statistics)
    taste = embeddings[:, :60]  # the last four numbers are popularity
    assert np.allclose(np.linalg.norm(taste, axis=1), 1.0, atol=1e-5)
    unseen = np.flatnonzero(towers.known_items == 0)
    by_department = dataset.content[unseen, names.ITEM_CONTENT.index("department")]
    first, other = unseen[0], unseen[np.flatnonzero(by_department != by_department[0])[0]]
    assert np.isfinite(embeddings[unseen]).all()
    assert not np.allclose(embeddings[first], embeddings[other])


def test_an_untrained_sequence_is_the_mean_of_its_items_whatever_their_types_and_ages(
    dataset: Dataset, towers: Towers
) -> None:
    tower = towers.model.query_tower
    sequence = np.zeros((1, names.SEQUENCE_LENGTH), np.int32)
    sequence[0, :3] = (7, 9, 0)  # two items, and one that the vocabulary lacks
    types, days = np.zeros_like(sequence), np.zeros(sequence.shape, np.float32)
    types[0, :3], days[0, :3] = (5, 1, 2), (0, 4, 9)
    inputs = {encoding.SEQUENCE: sequence, encoding.SEQUENCE_TYPES: types, encoding.SEQUENCE_DAYS: days}
    pooled = tower._encoded_sequence(inputs, training=False).numpy()
    items = [tower.encoder(np.array([item]), tower.content[[item]]).numpy()[0] for item in (7, 9)]
    np.testing.assert_allclose(pooled[0], (items[0] + items[1]) / 2, atol=1e-5)
    type_weight = tower.sequence_encoder.type_weight
    weights = type_weight.get_weights()
    type_weight.set_weights([np.log(np.array([[1], [1], [1], [1], [1], [3]], np.float32))])  # a purchase thrice
    pooled = tower._encoded_sequence(inputs, training=False).numpy()
    type_weight.set_weights(weights)
    np.testing.assert_allclose(pooled[0], (3 * items[0] + items[1]) / 4, atol=1e-5)


@pytest.mark.parametrize(
    "choice",
    [
        {"hard_negatives": 64, "uniform_negatives": 64},
        {"uniform_negatives": 64, "encoder": Encoder.ATTENTION, "encoder_blocks": 1, "optimizer": Optimizer.ADAM,
         "learning_rate": 0.005},
        {"loss": Loss.FULL, "side_features": False, "learning_rate": 0.2, "batch_size": 32},
    ],
    ids=str,
)  # fmt: skip
def test_every_way_to_train_the_pipelines_towers_learns(
    dataset: Dataset, first_baskets: Positives, choice: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "FLAT_BELOW", 10**6)  # of hard negatives; test_index.py has inverted files
    mined: list[Floats] = []
    renew = HardNegatives.renew

    def renewed(self: HardNegatives, queries: Floats, items: Floats) -> None:
        mined.append(items)
        renew(self, queries, items)

    monkeypatch.setattr(HardNegatives, "renew", renewed)
    settings = TwoTowerSettings(**{"batch_size": 256, "seed": 5, **choice})
    towers = new_towers(dataset, first_baskets, settings)
    seen: list[str] = []
    losses = fit(towers, first_baskets, 0, 2**40, 2, settings, lambda done, total, what: seen.append(what))
    assert losses[1] < losses[0]
    assert seen[-1] == "epoch 2 of 2"
    assert len(mined) == (2 if settings.hard_negatives else 0)  # once an epoch, by what is known by then
    assert not any(np.array_equal(before, later) for before, later in pairwise(mined))


def test_looks_weigh_less_than_purchases_and_nothing_where_their_weight_is_zero(positives: Positives) -> None:
    assert set(positives.types.tolist()) == {0}  # a log of purchases
    types = np.arange(len(positives.types), dtype=np.int8) % 4  # as if they were purchases, carts, likes and views
    positives = replace(positives, types=types, is_repeat=np.zeros(len(types), np.bool_))
    settings = TwoTowerSettings(cart_weight=0.5, like_weight=0.0, view_weight=0.25, user_evenness=0.0)
    chosen = _taught(positives, 0, 2**40, settings)
    assert set(types[chosen].tolist()) == {0, 1, 3}
    weights = _weights(positives, chosen, settings)
    purchase, cart, view = (weights[types[chosen] == kind][0] for kind in (0, 1, 3))
    assert (cart / purchase, view / purchase) == (pytest.approx(0.5), pytest.approx(0.25))


def test_a_repeat_teaches_only_what_strangers_buy(positives: Positives) -> None:
    share = 0.3
    kept = _taught(positives, 0, 2**40, TwoTowerSettings(cold_user_share=share))
    repeats = positives.is_repeat[kept].sum() / positives.is_repeat.sum()
    assert repeats == pytest.approx(share, abs=0.02)
    assert (~positives.is_repeat[kept]).sum() == (~positives.is_repeat).sum()
    assert not positives.is_repeat[_taught(positives, 0, 2**40, TwoTowerSettings(cold_user_share=0.0))].any()
    assert len(_taught(positives, 0, 2**40, TwoTowerSettings(repeat_weight=0.5))) == len(positives.seconds)


def test_a_stranger_is_known_by_the_profile_and_at_most_by_the_latest_session(dataset: Dataset, towers: Towers) -> None:
    queries = {name: tf.constant(values) for name, values in dataset.moment(dataset.timeline.cutoff).queries.items()}
    rows = len(queries[encoding.USER])
    tower = towers.model.query_tower
    hidden = tower._with_cold_users({**queries, COLD: tf.ones(rows, tf.bool)})
    assert not hidden[encoding.USER].numpy().any()
    assert not hidden[encoding.STATISTICS].numpy().any()
    assert (hidden[encoding.PROFILE] == queries[encoding.PROFILE]).numpy().all()
    seen, known = hidden[encoding.SEQUENCE].numpy(), queries[encoding.SEQUENCE].numpy()
    latest = np.where(queries[encoding.SEQUENCE_DAYS].numpy() <= SESSION_DAYS, known, 0)
    silent = ~seen.any(axis=1)
    assert (seen[~silent] == latest[~silent]).all()
    assert 0.35 < silent.mean() < 0.65
    some = tower._with_cold_users({**queries, COLD: tf.zeros(rows, tf.bool)})
    assert (some[encoding.USER].numpy() == 0).mean() == pytest.approx(TwoTowerSettings().cold_user_share, abs=0.1)


def test_a_small_log_is_gone_over_until_there_are_steps_enough(positives: Positives) -> None:
    seconds = np.sort(positives.seconds)
    settings = TwoTowerSettings(batch_size=100, epochs=3, min_steps=40, repeat_weight=1.0)
    end = int(seconds[1000])  # some ten batches
    batches = int((seconds < end).sum()) // 100
    assert epochs_for(positives, 0, end, settings) == math.ceil(40 / batches) > 3
    assert epochs_for(positives, 0, end, replace(settings, min_steps=1)) == 3
    assert epochs_for(positives, 0, 1, settings) == 3  # nothing to learn from


def test_the_full_softmax_is_for_one_worker(
    dataset: Dataset, positives: Positives, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TwoTowerSettings(loss=Loss.FULL, side_features=False)
    towers = new_towers(dataset, positives, settings)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}}')
    with pytest.raises(InvalidInput, match="one worker"):
        fit(towers, positives, 0, 2**40, 1, settings, lambda *_: None)


def test_a_column_that_never_varied_has_no_weight() -> None:
    scale = scale_of(np.array([[0.0, 1.0], [0.0, 3.0]], np.float32))
    assert scale[0] == 0
    assert scale[1] == pytest.approx(1, abs=0.01)  # the deviation is 1


def test_what_serves_is_the_sum_of_the_heads_for_purchases_carts_and_views() -> None:
    """Items with a high first feature are looked at, those with a high second one are bought."""
    draw = np.random.default_rng(5)
    inputs = tuple(draw.normal(size=(30, len(RANKING_FEATURES))).astype(np.float32) for _ in range(200))
    viewed = tuple(np.where(own[:, 0] > 1, VIEWED, 0).astype(np.float32) for own in inputs)
    labels = tuple(
        np.where(one[:, 1] > 1.5, BOUGHT, own).astype(np.float32) for one, own in zip(inputs, viewed, strict=True)
    )
    lists = LabelledLists(inputs, labels, (1,) * len(inputs))
    settings = RankerSettings(epochs=6, learning_rate=0.01, engagement_weight=0.5)
    ranker, losses = train_ranker(lists, settings, lambda *_: None)
    assert losses[-1] < losses[0]
    assert ranker.head_weights.tolist() == [1.0, 0.5, 0.5]
    heads = ranker.by_head(inputs[0][np.newaxis]).numpy()[0]
    assert heads.shape == (30, len(LABEL_LEVELS))
    np.testing.assert_allclose(scores_of(ranker, inputs[:1])[0], heads @ ranker.head_weights, rtol=1e-4, atol=1e-4)
    assert np.corrcoef(heads[:, 0], inputs[0][:, 1])[0, 1] > 0.5
    assert np.corrcoef(heads[:, 2], inputs[0][:, 0])[0, 1] > 0.4
    bought_alone = replace(lists, labels=tuple(np.where(own == BOUGHT, own, 0) for own in labels))
    for other, chosen in ((lists, replace(settings, engagement_weight=0.0)), (bought_alone, settings)):
        one_head, _ = train_ranker(other, replace(chosen, epochs=1), lambda *_: None)
        assert one_head.head_weights.tolist() == [1.0]


def test_calibrated_scores_are_log_odds_in_the_same_order(tmp_path: Path) -> None:
    """Users of whom one half buys three times as much: the listwise score cannot say so, what is known of them does."""
    draw = np.random.default_rng(5)
    inputs = tuple(draw.normal(size=(50, len(RANKING_FEATURES))).astype(np.float32) for _ in range(400))
    for user, own in enumerate(inputs):
        own[:, USER_COLUMNS] = 0
        own[:, USER_COLUMNS.start] = user % 2
    ranker = Ranker(np.concatenate(inputs), RankerSettings())
    raw = scores_of(ranker, inputs)
    labels = tuple(
        BOUGHT * (draw.random(50) < 1 / (1 + np.exp(3 - 2 * own - (user % 2)))).astype(np.float32)
        for user, own in enumerate(raw)
    )
    ranker.calibrate(LabelledLists(inputs, labels, (20,) * len(inputs)))
    scores = scores_of(ranker, inputs)
    assert all((np.argsort(own) == np.argsort(before)).all() for own, before in zip(scores, raw, strict=True))
    for half in (0, 1):
        soft_labels = np.mean([1 / (1 + np.exp(-own)) for own in scores[half::2]])
        assert soft_labels == pytest.approx(np.mean(labels[half::2]) / BOUGHT, abs=0.005)
    nothing = replace(LabelledLists(inputs, labels, (20,) * len(inputs)), labels=tuple(0 * own for own in labels))
    ranker.calibrate(nothing)  # no information, so no change
    assert (scores_of(ranker, inputs[:1])[0] == scores[0]).all()
    upside_down = replace(nothing, labels=tuple(BOUGHT * (own < np.median(own)) for own in scores))
    ranker.calibrate(upside_down)
    assert (scores_of(ranker, inputs[:1])[0] == scores[0]).all()
    export_ranker(ranker, tmp_path)  # which compares the export with the model


def test_ranker_answers_the_same_in_tensorflow_and_onnx_runtime(tmp_path: Path) -> None:
    inputs = np.random.default_rng(5).normal(size=(40, len(RANKING_FEATURES))).astype(np.float32)
    ranker = Ranker(inputs, RankerSettings())
    (expected,) = scores_of(ranker, [inputs])
    export_ranker(ranker, tmp_path)
    (found,) = onnxruntime.InferenceSession(str(tmp_path / RANKER)).run(None, {"inputs": inputs[np.newaxis]})
    assert np.abs(found[0] - expected).max() < 1e-4
    saved = tf.saved_model.load(str(tmp_path / SAVED_MODELS / "ranker")).signatures["serving_default"]
    (found,) = saved(inputs=tf.constant(inputs[np.newaxis])).values()
    assert np.abs(found[0].numpy() - expected).max() < 1e-4


def test_who_has_had_the_whole_catalogue_has_an_empty_list(tmp_path: Path) -> None:
    inputs = np.random.default_rng(5).normal(size=(40, len(RANKING_FEATURES))).astype(np.float32)
    export_ranker(Ranker(inputs, RankerSettings()), tmp_path)
    lists = [Shortlist(np.arange(k), np.zeros(k, np.uint8), inputs[:k]) for k in (0, 3)]
    (none, (rows, scores)) = rank_with_scores(lists, tmp_path)
    assert [part.tolist() for part in none] == [[], []]
    assert sorted(rows.tolist()) == [0, 1, 2] and (np.diff(scores) <= 0).all()
