"""The ranker of lists that leave out what the user had: how far popularity counts less in it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts.bundle.files import RANKER
from contracts.ranking.inputs import PAIR_FEATURES, RANKING_FEATURES
from training.ranking.labelled_lists import NOBODY, LabelledLists
from training.ranking.models import NeuralRanker
from training.ranking.neural import POPULARITY_INPUT, Ranker, scores_of, train_ranker
from training.ranking.scoring import ranker_of_unseen
from training.ranking.trees import train_trees
from training.ranking.unseen import DISCOUNTS, KEPT, Discount, chosen_discount
from training.settings import RankerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf

SETTINGS = RankerSettings(hidden_units=(8,), cross_layers=1, learning_rate=0.02, trees=2, leaf_rows=2)
TASTE = PAIR_FEATURES.index("text_affinity")


def world(column: int, users: int = 80, seed: int = 3) -> LabelledLists:
    """Lists of 40 candidates in which those with the most of a column are bought; the other columns say nothing."""
    inputs = np.random.default_rng(seed).normal(size=(users, 40, len(RANKING_FEATURES))).astype(np.float32)
    labels = (inputs[:, :, column] >= np.sort(inputs[:, :, column], axis=1)[:, -4:-3]).astype(np.float32)
    return LabelledLists(tuple(inputs), tuple(labels), (4,) * users)


@pytest.fixture
def untrained() -> NeuralRanker:
    sample = np.random.default_rng(0).normal(size=(500, len(RANKING_FEATURES))).astype(np.float32)
    ranker = Ranker(sample, SETTINGS)
    ranker.by_head(np.zeros((1, 1, len(RANKING_FEATURES)), np.float32))
    ranker.join_heads()
    return NeuralRanker(ranker)


def test_recall_is_the_share_of_what_was_bought_that_stands_in_the_first_twenty() -> None:
    labels = np.zeros(30, np.float32)
    labels[[0, 5, 25]] = 1.0
    lists = LabelledLists((np.zeros((30, 1), np.float32),), (labels,), (4,))  # one more was no candidate
    assert lists.recall([-np.arange(30, dtype=np.float32)]).tolist() == [2 / 4]  # places 0 and 5, and 25 is too late


def test_a_copy_scores_alike_and_learns_alone(untrained: NeuralRanker) -> None:
    inputs = list(world(TASTE).inputs[:3])
    before = scores_of(untrained.model, inputs)
    copy = untrained.model.copy(SETTINGS)
    np.testing.assert_allclose(scores_of(copy, inputs), before, atol=1e-6)
    copy.level.set_weights([copy.level.get_weights()[0] + 1])
    np.testing.assert_allclose(scores_of(untrained.model, inputs), before, atol=1e-6)


def test_a_discount_is_taken_off_for_each_standard_deviation_of_buyers(untrained: NeuralRanker) -> None:
    inputs = [np.zeros((2, len(RANKING_FEATURES)), np.float32)]
    inputs[0][:, :] = untrained.model.mean
    inputs[0][1, POPULARITY_INPUT] += 2 / untrained.model.scale[POPULARITY_INPUT]
    plain, less = (scores_of(untrained.model.discounted(by, SETTINGS), inputs)[0] for by in (0.0, 0.3))
    assert (plain - less).tolist() == pytest.approx([0.0, 2 * 0.3], abs=1e-4)
    assert untrained.model.popularity(inputs[0]).tolist() == pytest.approx([0.0, 2.0], abs=1e-4)


@pytest.fixture(scope="module")
def popular() -> NeuralRanker:
    """A network that leans on popularity, and knows tastes too."""
    lists = world(TASTE, seed=1)
    ranker, _ = train_ranker(lists, replace(SETTINGS, epochs=20), lambda *_: None)
    return NeuralRanker(ranker.discounted(-0.1, SETTINGS))


def test_popularity_counts_less_where_that_loses_nothing(popular: NeuralRanker) -> None:
    lists = world(TASTE, seed=2)
    discount = chosen_discount(popular, lists, lists, SETTINGS)
    assert discount.value in DISCOUNTS
    assert discount.measured["chosen ndcg@20"] >= KEPT * discount.measured["same ndcg@20"]
    made = discount.applied(popular, SETTINGS)
    assert made is not None
    assert lists.ndcg(made.scores(lists.inputs)).mean() == pytest.approx(discount.measured["chosen ndcg@20"])


def test_popularity_keeps_its_weight_where_it_is_what_people_go_by(untrained: NeuralRanker) -> None:
    by_popularity = NeuralRanker(untrained.model.discounted(-1.0, SETTINGS))
    bought = world(POPULARITY_INPUT, seed=2)
    assert chosen_discount(by_popularity, bought, bought, SETTINGS).value < DISCOUNTS[0]


def test_neither_group_pays_for_the_other(popular: NeuralRanker) -> None:
    """MovieLens' users with a history were few, and a discount that suited them cost the others half of their NDCG."""
    tastes, charts = world(TASTE, seed=2), world(POPULARITY_INPUT, seed=2)
    charmed = NeuralRanker(popular.model.discounted(-0.2, SETTINGS))
    for everybody, known in ((tastes, charts), (charts, tastes)):
        both = chosen_discount(charmed, everybody, known, SETTINGS)
        each_alone = [chosen_discount(charmed, one, one, SETTINGS).value for one in (everybody, known)]
        assert both.value == min(each_alone) < max(each_alone)


def test_nothing_is_chosen_without_a_window_to_judge_by(untrained: NeuralRanker) -> None:
    lists = world(TASTE, users=6)
    trees, _ = train_trees(lists, SETTINGS)
    for judged, last in ((None, lists), (trees, lists), (untrained, NOBODY)):
        assert chosen_discount(judged, last, last, SETTINGS) == Discount()
    assert Discount().applied(untrained, SETTINGS) is None
    assert Discount(0.4).applied(trees, SETTINGS) is None


def test_lists_of_unseen_items_have_the_ranker_of_all_lists_where_there_is_no_other(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert ranker_of_unseen(workspace) == workspace.ranker
    workspace.unseen_ranker.mkdir(parents=True)
    (workspace.unseen_ranker / RANKER).touch()
    assert ranker_of_unseen(workspace) == workspace.unseen_ranker
