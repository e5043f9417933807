"""Lists of users who have done nothing: as the server makes them, and the ranker's for everybody else."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.requests import RecommendationRequest
from contracts.features import encoding
from contracts.ranking.candidates import allowed_history
from contracts.ranking.segments import known_profile
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.metrics import Metrics
from serving.runtime.clock import frozen_clock
from tests.support.lists.newcomer import Newcomer
from tests.support.lists.recommender import new_recommender, recommend
from training.dataset.dataset import Dataset, Moment
from training.ranking.without_history import as_served, lists_without_history
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def dataset(trained: Workspace) -> Dataset:
    return Dataset(trained)


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


def as_newcomer(moment: Moment, row: int) -> Moment:
    """The moment as if this user had never done anything. Their purchases are still their segment's."""
    sequences = moment.queries[encoding.SEQUENCE].copy()
    sequences[row] = 0
    histories = list(moment.histories)
    histories[row] = allowed_history(histories[row], np.zeros(len(moment.item_statistics), np.bool_))
    return replace(moment, queries=moment.queries | {encoding.SEQUENCE: sequences}, histories=tuple(histories))


@pytest.mark.parametrize(("known", "level"), [(max, "segment"), (min, "popularity")], ids=["a profile", "no profile"])
def test_a_newcomers_list_is_the_one_that_is_served(
    dataset: Dataset, bundle: LoadedBundle, known: Callable[[Iterable[int]], int], level: str
) -> None:
    moment = dataset.moment(dataset.timeline.data_end)
    values = (moment.queries[encoding.PROFILE] > 0).sum(axis=1).tolist()
    new = values.index(known(values))
    profile = known_profile(moment.queries[encoding.PROFILE][new], dataset.vocabularies)
    now, metrics = frozen_clock(bundle.manifest.data_end_timestamp), Metrics(CollectorRegistry())
    recommender = new_recommender(OneRelease(bundle, "stable"), Newcomer(profile), metrics, now)
    answer = recommend(recommender, RecommendationRequest(user_id="newcomer", n=100))
    made, other = lists_without_history(dataset, as_newcomer(moment, new), [new, new + 1])
    assert other is None, "the models make the list of a user with a history"
    assert made is not None
    assert [item.item_id for item in answer.items] == [dataset.item_ids[row] for row in made[:100]]
    assert answer.degraded_level == level


def test_who_has_only_looked_is_the_models_to_serve(dataset: Dataset) -> None:
    moment = as_newcomer(dataset.moment(dataset.timeline.data_end), 0)
    moment.queries[encoding.SEQUENCE][0, 0] = 1
    assert list(lists_without_history(dataset, moment, [0, 1])) == [None, None]


def test_ranked_lists_give_way_where_there_is_another() -> None:
    ranked = [(np.array([1, 2]), np.zeros(2, np.float32)), (np.array([3]), np.zeros(1, np.float32))]
    other = np.array([4])
    assert [rows.tolist() for rows in as_served(ranked, [None, other])] == [[1, 2], [4]]
