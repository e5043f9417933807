"""The ranker of lists that leave out what the user had: when it is tuned, and how far popularity counts less."""

from pathlib import Path

import numpy as np
import pytest

from contracts.bundle.manifest import RANKER
from contracts.ranking.inputs import PAIR_FEATURES, RANKING_FEATURES
from training.ranking.labelled_lists import NOBODY, LabelledLists
from training.ranking.models import NeuralRanker
from training.ranking.neural import POPULARITY_INPUT, Ranker, scores_of
from training.ranking.scoring import ranker_of_unseen
from training.ranking.trees import train_trees
from training.ranking.unseen import DISCOUNTS, UnseenChoice, choose_for_unseen
from training.settings import RankerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf

SETTINGS = RankerSettings(hidden_units=(8,), cross_layers=1, tuning_epochs=4, learning_rate=0.02, trees=2, leaf_rows=2)
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


def test_a_ranker_is_tuned_where_that_is_better_on_what_is_new(untrained: NeuralRanker) -> None:
    windows = world(TASTE, seed=1), world(TASTE, seed=2)
    choice = choose_for_unseen(untrained, *windows, SETTINGS, lambda *_: None)
    assert choice.tuned
    assert choice.measured["tuned ndcg@20"] > choice.measured["same ndcg@20"] + 0.1
    made = choice.made_of(untrained, windows[0], SETTINGS, lambda *_: None)
    assert made is not None
    assert windows[1].ndcg(made.scores(windows[1].inputs)).mean() > choice.measured["same ndcg@20"] + 0.1


def test_popularity_keeps_its_weight_where_it_is_what_people_go_by(untrained: NeuralRanker) -> None:
    popular = world(POPULARITY_INPUT, seed=1), world(POPULARITY_INPUT, seed=2)
    tuned = choose_for_unseen(untrained, *popular, SETTINGS, lambda *_: None)
    assert tuned.tuned and tuned.discount < DISCOUNTS[0]
    liked = choose_for_unseen(untrained, world(TASTE, seed=1), world(TASTE, seed=2), SETTINGS, lambda *_: None)
    assert liked.discount >= tuned.discount


def test_nothing_is_chosen_without_a_window_to_judge_by(untrained: NeuralRanker) -> None:
    lists = world(TASTE)
    trees, _ = train_trees(lists, SETTINGS)
    for judged, earlier, last in (
        (None, NOBODY, lists), (trees, lists, lists), (untrained, lists, NOBODY), (untrained, NOBODY, lists)
    ):  # fmt: skip
        assert choose_for_unseen(judged, earlier, last, SETTINGS, lambda *_: None) == UnseenChoice()
    assert UnseenChoice().made_of(untrained, lists, SETTINGS, lambda *_: None) is None
    assert UnseenChoice(tuned=True).made_of(trees, lists, SETTINGS, lambda *_: None) is None


def test_lists_of_unseen_items_have_the_ranker_of_all_lists_where_there_is_no_other(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert ranker_of_unseen(workspace) == workspace.ranker
    workspace.unseen_ranker.mkdir(parents=True)
    (workspace.unseen_ranker / RANKER).touch()
    assert ranker_of_unseen(workspace) == workspace.unseen_ranker
