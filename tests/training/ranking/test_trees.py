"""Trees as a ranker: what they learn, that their export decides alike at each threshold, which ranker is chosen."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from contracts.arrays import Floats
from contracts.bundle.files import RANKER
from contracts.errors import InvalidInput, TandemError
from contracts.ranking.inputs import PAIR_FEATURES, RANKING_FEATURES, USER_COLUMNS
from tests.support.each import each
from training.ranking import models as ranking_models
from training.ranking.forest_onnx import check_parity
from training.ranking.labelled_lists import LabelledLists, joined
from training.ranking.models import NEURAL, TREES, Choice, choose, train
from training.ranking.trees import TreeRanker, on_a_grid, train_trees
from training.settings import RankerSettings

WIDTH = len(RANKING_FEATURES)
COUNT = PAIR_FEATURES.index("count")
SETTINGS = RankerSettings(trees=20, leaves=8, leaf_rows=5, epochs=1, cross_layers=1, hidden_units=(8,))


def nothing(done: int, total: int, what: str) -> None:
    """Progress that nobody watches."""


def world(users: int, seed: int) -> LabelledLists:
    """Lists of 30 candidates in which exactly those are bought that were bought often: the answer is obvious."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(users, 30, WIDTH)).astype(np.float32)
    inputs[:, :, USER_COLUMNS] = inputs[:, :1, USER_COLUMNS]  # what is known of a user is so for every candidate
    labels = (inputs[:, :, COUNT] > 1.0).astype(np.float32)
    labels[:, 0] = inputs[:, 0, COUNT] = 2.0
    labels = np.minimum(labels, 1.0)
    return LabelledLists(tuple(inputs), tuple(labels), tuple(int(one.sum()) for one in labels))


@pytest.fixture(scope="module")
def trees_and_losses() -> tuple[TreeRanker, list[float]]:
    return train_trees(world(60, seed=1), SETTINGS)


@pytest.fixture(scope="module")
def trees(trees_and_losses: tuple[TreeRanker, list[float]]) -> TreeRanker:
    return trees_and_losses[0]


def test_what_was_bought_comes_first(trees: TreeRanker) -> None:
    lists = world(20, seed=2)
    assert lists.ndcg(trees.scores(lists.inputs)).mean() > 0.99
    assert lists.ndcg([-one for one in trees.scores(lists.inputs)]).mean() < 0.3


def test_the_loss_is_that_of_probabilities(trees_and_losses: tuple[TreeRanker, list[float]]) -> None:
    _, (loss,) = trees_and_losses
    assert 0 < loss < 0.2  # half and half would be ln 2 = 0.69


def test_a_leaf_takes_a_newton_step_with_a_penalty_on_its_size() -> None:
    """Of g / (h + penalty): h is next to nothing where all is certain, and one purchase would be a step of 200."""
    inputs = np.zeros((40, 5, WIDTH), np.float32)
    inputs[:, :, PAIR_FEATURES.index("is_repeat")] = 1.0  # so each candidate is learned from
    inputs[:, 0, COUNT] = 1.0
    labels = inputs[:, :, COUNT].copy()
    lists = LabelledLists(tuple(inputs), tuple(labels), (1,) * 40)
    trees, _ = train_trees(lists, replace(SETTINGS, trees=1))
    share, bought = 0.2, 40
    step = 0.1 * bought * (1 - share) / (bought * share * (1 - share) + 0.1)
    assert trees.scores([inputs[0]])[0][0] == pytest.approx(np.log(share / (1 - share)) + step, abs=1e-5)


def exported(trees: TreeRanker, folder: Path, inputs: Floats) -> Floats:
    trees.export(folder)
    (scores,) = onnxruntime.InferenceSession(str(folder / RANKER)).run(None, {"inputs": inputs})
    found: Floats = scores
    return found


def test_the_export_ranks_lists_as_scikit_learn_does(trees: TreeRanker, tmp_path: Path) -> None:
    inputs = np.stack(world(7, seed=3).inputs)
    expected = [trees.trees.decision_function(one) for one in inputs]
    assert exported(trees, tmp_path, inputs) == pytest.approx(np.stack(expected), abs=1e-5)
    assert np.stack(trees.scores(list(inputs))) == pytest.approx(np.stack(expected), abs=1e-5)


def test_the_export_takes_the_same_branch_at_every_threshold(trees: TreeRanker, tmp_path: Path) -> None:
    """Values on, just below and just above each threshold: a threshold rounded up would turn some of them."""
    nodes = np.concatenate([predictor.nodes for (predictor,) in trees.trees._predictors])
    splits = nodes[nodes["is_leaf"] == 0]
    near = splits["num_threshold"].astype(np.float32)
    rows = []
    for values in (near, np.nextafter(near, np.float32(-9)), np.nextafter(near, np.float32(9))):
        inputs = np.zeros((len(splits), WIDTH), np.float32)
        inputs[np.arange(len(splits)), splits["feature_idx"]] = values
        rows.append(inputs)
    inputs = np.concatenate(rows)
    assert exported(trees, tmp_path, inputs[np.newaxis])[0] == pytest.approx(
        trees.trees.decision_function(inputs), abs=1e-5
    )


def test_a_forest_that_says_something_else_is_refused(trees: TreeRanker) -> None:
    other = deepcopy(trees.trees)
    other._baseline_prediction += 1
    with pytest.raises(TandemError, match=r"The ONNX forest differs from scikit-learn's trees by 1 on the same input"):
        check_parity(trees.session, other, np.concatenate(world(7, seed=3).inputs))


def test_beyond_their_rows_trees_learn_from_some_users() -> None:
    few, _ = train_trees(world(60, seed=1), replace(SETTINGS, tree_rows=200))
    assert few.trees.n_features_in_ == WIDTH


def test_values_on_a_grid_take_the_branches_of_the_values_themselves() -> None:
    draw = np.random.default_rng(1)
    inputs = draw.normal(size=(2000, 3)).astype(np.float32)
    inputs[:, 1] = np.round(inputs[:, 1])
    weights = np.where(inputs[:, 0] > 0, 4, 1).astype(np.float32)
    grid = on_a_grid(inputs, weights)
    assert len(np.unique(grid[:, 2])) == 255
    assert (np.unique(grid[:, 0]) > 0).mean() == pytest.approx(4 / 5, abs=0.02)  # of the weight, not of the rows
    np.testing.assert_array_equal(grid[:, 1], inputs[:, 1])
    trees = HistGradientBoostingClassifier(max_iter=5).fit(grid, inputs[:, 0] * inputs[:, 2] > 0, sample_weight=weights)
    np.testing.assert_array_equal(trees.decision_function(inputs), trees.decision_function(grid))
    many = np.tile(inputs, (101, 1))
    assert on_a_grid(many, np.tile(weights, 101)) is many  # scikit-learn sorts a sample of these


@pytest.mark.tf
def test_both_rankers_are_measured_on_the_last_window() -> None:
    last = world(20, seed=2)
    choice = choose([world(60, seed=1), last], SETTINGS, nothing)
    assert choice.measured.keys() == {NEURAL, TREES} and choice.measured[TREES] > 0.99
    (judged,) = choice.judged
    assert last.ndcg(judged.scores(last.inputs)).mean() == choice.measured[choice.kind]


@pytest.mark.tf
@pytest.mark.parametrize("model", [NEURAL, "auto"])
def test_each_network_goes_on_from_the_one_before(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    """What teaches the first two has not seen the windows that they are measured on."""
    windows, calls, taught = [world(6, seed=at) for at in range(4)], list[tuple[int, Any, Any]](), dict[int, int]()

    def trained(kind: str, lists: LabelledLists, *rest: Any, **known: Any) -> tuple[Any, list[float]]:
        made, losses = train(kind, lists, *rest, **known)
        if kind == NEURAL:
            calls.append((len(lists), known["start"], made))
            taught[len(lists)] = teachers[id(known["teacher"])]
        return made, losses

    teachers = dict[int, int]()

    def forest(lists: LabelledLists, settings: RankerSettings) -> tuple[TreeRanker, list[float]]:
        made, losses = train_trees(lists, settings)
        kept.append(made)
        teachers[id(made)] = len(lists)
        return made, losses

    kept = list[TreeRanker]()
    monkeypatch.setattr(ranking_models, "train", trained)
    monkeypatch.setattr(ranking_models, "train_trees", forest)
    choice = choose(windows, replace(SETTINGS, model=model, trees=2), nothing)
    made = [made for _, _, made in calls]
    assert [learned for learned, _, _ in calls] == [6, 12, 18]
    assert [start for _, start, _ in calls] == [None, *made[:-1]]
    assert taught == {6: 6, 12: 6, 18: 18}
    assert len(choice.judged) == 3 and (model == "auto" or choice.judged == tuple(made))


@pytest.mark.tf
def test_a_network_that_goes_on_keeps_what_it_knows_and_leaves_the_first_as_it_was(trees: TreeRanker) -> None:
    lists = world(20, seed=1)
    first, losses = train(NEURAL, lists, replace(SETTINGS, epochs=30), nothing, teacher=trees)
    before = first.scores(lists.inputs)
    later, further = train(NEURAL, lists, replace(SETTINGS, further_epochs=2), nothing, teacher=trees, start=first)
    assert (len(losses), len(further)) == (30, 2) and further[0] < (losses[0] + losses[-1]) / 2  # as if just stopped
    assert np.concatenate(first.scores(lists.inputs)) == pytest.approx(np.concatenate(before))
    assert np.concatenate(later.scores(lists.inputs)) != pytest.approx(np.concatenate(before))


def test_trees_that_serve_are_judged_on_each_window() -> None:
    windows = [world(5, seed=at) for at in range(4)]
    choice = choose(windows, replace(SETTINGS, model=TREES, trees=2), nothing)
    assert choice.kind == TREES and len(choice.judged) == 3 and choice.judged[0] is not choice.judged[1]


@dataclass(frozen=True)
class Known:
    """A ranker whose scores are given."""

    given: list[Floats]

    def scores(self, inputs: Sequence[Floats]) -> list[Floats]:
        """What was given."""
        return self.given


@pytest.mark.parametrize(("misranked", "chosen"), [(20, TREES), (1, NEURAL), (0, NEURAL)])
def test_trees_must_be_better_than_chance_explains(
    monkeypatch: pytest.MonkeyPatch, misranked: int, chosen: str
) -> None:
    lists = world(20, seed=2)
    perfect = list(lists.labels)
    known = {TREES: perfect, NEURAL: [-one for one in perfect[:misranked]] + perfect[misranked:]}
    monkeypatch.setattr(ranking_models, "train", lambda kind, *_, **__: (Known(known[kind]), []))
    choice = choose([lists, lists], SETTINGS, nothing)
    assert choice.kind == chosen and choice.measured[TREES] >= choice.measured[NEURAL]


@pytest.mark.tf
def test_one_window_leaves_nothing_to_compare_on() -> None:
    assert choose([world(5, seed=1)], SETTINGS, nothing) == Choice(NEURAL, {})


def test_a_ranker_can_be_asked_for_by_name() -> None:
    settings, window = replace(SETTINGS, model=TREES), world(5, seed=1)
    assert choose([window], settings, nothing) == Choice(TREES, {})
    choice = choose([window, window], settings, nothing)
    assert choice.kind == TREES and choice.measured.keys() == {TREES} and choice.judged


def test_a_ranker_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"ranker\.model is 'forest'; there are neural, trees, auto\."):
        choose([world(5, seed=1)], replace(SETTINGS, model="forest"), nothing)


@pytest.mark.tf
@pytest.mark.parametrize("kind", [NEURAL, TREES])
def test_rankers_of_both_kinds_export_what_they_score(kind: str, trees: TreeRanker, tmp_path: Path) -> None:
    lists = world(10, seed=1)
    ranker, losses = train(kind, lists, SETTINGS, nothing, teacher=trees)
    ranker.export(tmp_path)
    session = onnxruntime.InferenceSession(str(tmp_path / RANKER))
    (scores,) = session.run(None, {"inputs": np.stack(lists.inputs[:5])})
    assert scores == pytest.approx(np.stack(ranker.scores(lists.inputs[:5])), abs=1e-4)
    assert all(loss > 0 for loss in each(losses))


@pytest.mark.tf
def test_the_network_learns_the_probabilities_of_the_trees(trees: TreeRanker) -> None:
    """Labels are pure chance and the teacher knows the answer: who listens to it has it, who does not has nothing."""
    lists, chance = world(60, seed=1), np.random.default_rng(3)
    drawn = replace(lists, labels=tuple(chance.permutation(own) for own in lists.labels))
    ndcg = {}
    for distillation_weight in (0.0, 10.0):
        settings = replace(SETTINGS, epochs=20, learning_rate=0.01, distillation_weight=distillation_weight)
        ranker, _ = train(NEURAL, drawn, settings, nothing, teacher=trees)
        ndcg[distillation_weight] = lists.ndcg(ranker.scores(lists.inputs)).mean()
    assert ndcg[10.0] > 0.9 > ndcg[0.0] + 0.2, ndcg
    assert all(own.max() == 1 for own in each(drawn.labels))  # what is judged by is left as it was


@pytest.mark.tf
def test_strangers_have_a_teacher_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[LabelledLists] = []

    def teachers(lists: LabelledLists, settings: RankerSettings) -> tuple[TreeRanker, list[float]]:
        taught.append(lists)
        return train_trees(lists, settings)

    monkeypatch.setattr(ranking_models, "train_trees", teachers)
    known, cold = world(6, seed=1), world(4, seed=2)
    train(NEURAL, known, SETTINGS, nothing, cold)
    assert taught == [known, cold]


def test_windows_are_joined_in_order() -> None:
    whole = joined([world(3, seed=1), world(2, seed=2)])
    assert len(whole) == 5 and whole.num_truths[3:] == world(2, seed=2).num_truths
