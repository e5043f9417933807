"""Which towers a data set gets, and several joined as one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from contracts.arrays import Doubles
from contracts.bundle.files import CANDIDATE_TOWER, QUERY_TOWER
from contracts.features import encoding
from training.dataset.dataset import Dataset
from training.retrieval import recipes
from training.retrieval.export import export_towers
from training.retrieval.fit import Towers, new_towers, num_queries
from training.retrieval.joined import joined_towers
from training.retrieval.recipes import ChosenTowers, choose_towers, ids_alone
from training.retrieval.validation import Validation, discoveries_in
from training.settings import Recipe, TwoTowerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf

CONTENT = TwoTowerSettings(recipe=Recipe.AUTO, hidden_units=(8,), embedding_dim=8, item_id_dim=4, temperature=0.5)
IDS = replace(ids_alone(CONTENT), epochs=1)


@pytest.fixture(scope="module")
def dataset(trained: Workspace) -> Dataset:
    return Dataset(trained)


@pytest.fixture(scope="module")
def parts(dataset: Dataset) -> list[tuple[Towers, TwoTowerSettings]]:
    return [(new_towers(dataset, dataset.positives(), own), own) for own in (CONTENT, IDS)]


def test_scores_of_joined_towers_are_the_parts_logits_together(
    dataset: Dataset, parts: Sequence[tuple[Towers, TwoTowerSettings]]
) -> None:
    moment = dataset.moment(dataset.timeline.cutoff)
    few = {name: values[:20] for name, values in moment.queries.items()}

    def scores(towers: Towers) -> Doubles:
        return np.asarray(towers.embed_queries(few) @ towers.embed_items(moment.item_statistics).T, np.float64)

    expected = sum(scores(towers) / own.temperature for towers, own in parts)
    np.testing.assert_allclose(scores(joined_towers(parts)), expected, rtol=1e-3, atol=1e-3)
    assert joined_towers(parts[:1]) is parts[0][0]


def test_ids_say_nothing_of_an_item_or_a_user_that_they_do_not_know(
    dataset: Dataset, parts: Sequence[tuple[Towers, TwoTowerSettings]]
) -> None:
    towers = parts[1][0]
    moment = dataset.moment(dataset.timeline.cutoff)
    unknown = replace(towers, known_items=np.zeros_like(towers.known_items))
    assert not unknown.embed_items(moment.item_statistics).any()
    nobody = {name: np.zeros_like(values[:2]) for name, values in moment.queries.items()}
    taste = towers.embed_queries(nobody)[:, :-1]  # the last number is the items' bias
    assert not taste.any()
    assert towers.embed_queries({**nobody, encoding.USER: np.array([1, 2], np.int32)})[:, :-1].any()


def test_joined_towers_answer_the_same_in_onnx_runtime(
    dataset: Dataset, parts: Sequence[tuple[Towers, TwoTowerSettings]], tmp_path: Path
) -> None:
    towers, moment = joined_towers(parts), dataset.moment(dataset.timeline.cutoff)
    export_towers(towers, tmp_path)
    (found,) = onnxruntime.InferenceSession(str(tmp_path / QUERY_TOWER)).run(None, moment.queries)
    np.testing.assert_allclose(found, towers.embed_queries(moment.queries), atol=1e-4)
    inputs = {
        encoding.ITEM: towers.known_items,
        encoding.CONTENT: towers.content,
        encoding.ITEM_STATISTICS_INPUT: moment.item_statistics,
        encoding.TEXT: towers.text,
    }
    (found,) = onnxruntime.InferenceSession(str(tmp_path / CANDIDATE_TOWER)).run(None, inputs)
    np.testing.assert_allclose(found, towers.embed_items(moment.item_statistics), atol=1e-4)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Towers that are not trained."""
    monkeypatch.setattr(recipes, "fit", lambda *_: [1.0])


def chosen_where_ids_find(more: float, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> ChosenTowers:
    """What is chosen where content finds three tenths for everybody, and both find more."""
    shares = iter([np.full(50, 0.3), np.full(50, 0.3) + more])
    monkeypatch.setattr(recipes, "_new_recall", lambda *_: next(shares))
    return choose_towers(dataset, dataset.positives(), CONTENT, lambda *_: None)


def test_the_simplest_towers_are_taken_that_no_others_beat(
    dataset: Dataset, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    better = chosen_where_ids_find(0.1, dataset, monkeypatch)
    assert better.recipe is Recipe.CONTENT_AND_IDS and len(better.parts) == 2
    assert better.report["recipe"] == "content+ids"
    assert better.report["validation_new_recall@20"] == {
        "content": pytest.approx(0.3),
        "content+ids": pytest.approx(0.4),
    }
    assert better.report["seconds"].keys() == {"content", "ids"}
    assert better.losses == [[1.0], [1.0]]
    assert better.train_on(dataset.positives(), 0, 1, lambda *_: None) == [[1.0], [1.0]]
    level = chosen_where_ids_find(0.0, dataset, monkeypatch)
    assert level.recipe is Recipe.CONTENT and len(level.parts) == 1
    assert level.report["recipe"] == "content"


def test_what_is_asked_for_by_name_is_what_there_is(dataset: Dataset, quick: None) -> None:
    positives = dataset.positives()
    for named, count in ((Recipe.CONTENT, 1), (Recipe.CONTENT_AND_IDS, 2)):
        chosen = choose_towers(dataset, positives, replace(CONTENT, recipe=named), lambda *_: None)
        assert (chosen.recipe, len(chosen.parts)) == (named, count)
    alone = choose_towers(dataset, positives, replace(IDS, recipe=Recipe.AUTO), lambda *_: None)
    assert len(alone.parts) == 1  # settings that leave no content to join with


def test_ids_are_left_out_where_they_would_outlast_the_budget(dataset: Dataset, quick: None) -> None:
    short = replace(CONTENT, budget_minutes=1e-9)
    chosen = choose_towers(dataset, dataset.positives(), short, lambda *_: None)
    assert chosen.recipe is Recipe.CONTENT
    assert "two_tower.budget_minutes is 1e-09" in chosen.report["left_out"]


def test_queries_are_baskets_that_teach_something(dataset: Dataset) -> None:
    positives = dataset.positives()
    assert num_queries(positives, 0, 2**40, replace(IDS, repeat_weight=1.0)) == len(np.unique(positives.query_rows))
    assert num_queries(positives, 0, 1, IDS) == 0


def test_nobody_who_discovers_anything_has_no_shares(dataset: Dataset) -> None:
    start = dataset.timeline.cutoff
    nobody = discoveries_in(dataset, start, start, 20)
    assert isinstance(nobody, Validation) and len(nobody.shares(new_towers(dataset, dataset.positives(), CONTENT))) == 0
