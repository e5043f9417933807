"""A list that leaves out what the user had is ranked by the bundle's ranker for such lists, where it has one."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.requests import RecommendationRequest
from contracts.bundle.files import RANKER, UNSEEN_RANKER
from contracts.bundle.manifest import write_bundle
from contracts.errors import BundleRefused
from serving.bundles.bundle import LoadedBundle, _check_dimensions, load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup
from serving.metrics import Metrics
from serving.runtime.clock import frozen_clock
from tests.support.bundles.variations import copied, reseal
from tests.support.lists.recommender import new_recommender, recommend
from training.ranking.export import export_ranker
from training.ranking.neural import Ranker
from training.settings import RankerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture(scope="module")
def other(bundle: LoadedBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained ranker of the same inputs."""
    folder, width = tmp_path_factory.mktemp("other"), bundle.ranker.get_inputs()[0].shape[-1]
    ranker = Ranker(np.random.default_rng(1).normal(size=(50, width)).astype(np.float32), RankerSettings())
    ranker(np.zeros((1, 2, width), np.float32))
    export_ranker(ranker, folder)
    return folder / RANKER


def test_a_bundle_holds_the_ranker_of_unseen_items_where_there_is_one(
    trained: Workspace, bundle: LoadedBundle, other: Path, tmp_path: Path
) -> None:
    with write_bundle(tmp_path) as folder:
        copied(trained.bundles / "current", folder, UNSEEN_RANKER)
        shutil.copyfile(other, folder / UNSEEN_RANKER)
        sealed = load_bundle(reseal(folder))
    assert sealed.unseen_ranker is not None
    inputs = np.random.default_rng(2).random((4, other_width(bundle)), np.float32)
    assert sealed.rank(inputs).tolist() == bundle.rank(inputs).tolist()
    assert sealed.rank(inputs, include_seen=False).tolist() != bundle.rank(inputs).tolist()
    alone = replace(bundle, unseen_ranker=None)  # as earlier releases made them
    assert alone.rank(inputs, include_seen=False).tolist() == bundle.rank(inputs).tolist()


def other_width(bundle: LoadedBundle) -> int:
    width = bundle.ranker.get_inputs()[0].shape[-1]
    assert isinstance(width, int)
    return width


def test_a_request_without_seen_items_is_answered_by_it(trained: Workspace, bundle: LoadedBundle, other: Path) -> None:
    lookup = FeastLookup(trained.feature_repo)
    user = bundle.manifest.example_user_ids[0]

    def scores(served: LoadedBundle, *, include_seen: bool) -> list[float]:
        clock = frozen_clock(served.manifest.data_end_timestamp)
        recommender = new_recommender(OneRelease(served, "stable"), lookup, Metrics(CollectorRegistry()), clock)
        request = RecommendationRequest(user_id=user, n=10, include_seen=include_seen)
        return [item.score for item in recommend(recommender, request).items]

    with_two = replace(bundle, unseen_ranker=onnxruntime.InferenceSession(str(other)))
    alone = replace(bundle, unseen_ranker=None)
    assert scores(with_two, include_seen=True) == scores(alone, include_seen=True)
    assert scores(with_two, include_seen=False) != scores(alone, include_seen=False)


def test_a_ranker_of_unseen_items_that_reads_other_inputs_is_refused(bundle: LoadedBundle, tmp_path: Path) -> None:
    ranker = Ranker(np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32), RankerSettings())
    ranker(np.zeros((1, 2, 7), np.float32))
    export_ranker(ranker, tmp_path)
    narrow = onnxruntime.InferenceSession(str(tmp_path / RANKER))
    with pytest.raises(BundleRefused, match="the ranker of unseen items reads 7 features"):
        _check_dimensions(replace(bundle, unseen_ranker=narrow))
