"""What a visitor has just looked at, in the list that is asked for next: by a bundle whose ranker reads looks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.requests import RecommendationRequest
from contracts.bundle.files import RANKER
from contracts.errors import BundleRefused
from contracts.features import names
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, RANKING_FEATURES
from contracts.ranking.neighbours import NEIGHBOUR_FEATURES
from serving.bundles.bundle import LoadedBundle, _check_dimensions, load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup, UserFeatures
from serving.metrics import Metrics
from serving.runtime.clock import frozen_clock
from tests.support.lists.recommender import new_recommender
from training.ranking.export import export_ranker
from training.ranking.neural import Ranker
from training.settings import RankerSettings
from training.workspace import Workspace

pytestmark = pytest.mark.tf
WITHOUT_ENGAGEMENTS = len(RANKING_FEATURES) + len(NEIGHBOUR_FEATURES)
WITH_ENGAGEMENTS = WITHOUT_ENGAGEMENTS + len(ENGAGEMENT_FEATURES)


class Visitor:
    """Reads of the online store, with one view before all that it knows of a user."""

    def __init__(self, lookup: FeastLookup, item_id: str, seconds: float) -> None:
        self._lookup = lookup
        self._view = dict(zip(names.SEQUENCE, (item_id, "view", int(seconds)), strict=True))

    def user(self, user_id: str) -> UserFeatures | None:
        """Raises OnlineStoreError."""
        known = self._lookup.user(user_id)
        return known and known | {name: [value, *known[name]] for name, value in self._view.items()}

    def bought_before(self, user_id: str) -> list[str] | None:
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """Raises OnlineStoreError."""
        return self._lookup.companions(item_id)


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


def with_ranker(bundle: LoadedBundle, width: int, folder: Path) -> LoadedBundle:
    """The bundle with an untrained ranker that reads this number of columns."""
    ranker = Ranker(np.random.default_rng(1).normal(size=(50, width)).astype(np.float32), RankerSettings())
    ranker(np.zeros((1, 2, width), np.float32))
    export_ranker(ranker, folder)
    return replace(bundle, ranker=onnxruntime.InferenceSession(str(folder / RANKER)))


def proposed_for_an_engagement(bundle: LoadedBundle, trained: Workspace) -> list[str]:
    """Sources of an item that nobody buys and one user has viewed a day ago."""
    user, now = bundle.manifest.example_user_ids[0], bundle.manifest.data_end_timestamp
    item = bundle.item_ids[int(np.argmin(bundle.items.popularity))]
    visitor = Visitor(FeastLookup(trained.feature_repo), item, now - 86_400)
    release, metrics = OneRelease(bundle, "stable"), Metrics(CollectorRegistry())
    recommender = new_recommender(release, visitor, metrics, frozen_clock(now))
    why_not = recommender.why_not(RecommendationRequest(user_id=user), item)
    return [proposal.source for proposal in why_not.proposals]


def test_what_was_looked_at_is_a_candidate(trained: Workspace, bundle: LoadedBundle, tmp_path: Path) -> None:
    reading = with_ranker(bundle, WITH_ENGAGEMENTS, tmp_path)
    assert reading.reads_engagements
    assert "looked" in proposed_for_an_engagement(reading, trained)


def test_a_bundle_of_a_log_without_looks_reads_none(trained: Workspace, bundle: LoadedBundle) -> None:
    assert not bundle.reads_engagements
    assert "looked" not in proposed_for_an_engagement(bundle, trained)


def test_a_ranker_of_another_width_is_refused(bundle: LoadedBundle, tmp_path: Path) -> None:
    expected = (
        f"the ranker reads 5 features, this server computes {WITHOUT_ENGAGEMENTS}, or {WITH_ENGAGEMENTS} "
        "with engagements"
    )
    with pytest.raises(BundleRefused, match=expected):
        _check_dimensions(with_ranker(bundle, 5, tmp_path))
