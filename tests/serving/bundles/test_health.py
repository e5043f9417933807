"""A bundle that fails what users ask is left: by itself, once, and only for what was not its users' doing."""

import asyncio
from pathlib import Path

import pytest
from kserve.model_repository import ModelRepository
from prometheus_client import CollectorRegistry

from contracts.api.answers import DegradedLevel, Reason, Recommendations
from contracts.bundle.files import CURRENT
from contracts.bundle.promotions import point_current
from serving.api.kserve_models import RecommenderModel
from serving.api.kserve_server import StrictDataPlane
from serving.bundles.health import LEAST, BundleHealth, Outcome, outcome_of
from serving.bundles.live_releases import LiveReleases
from serving.bundles.loader import Loader
from serving.bundles.sources import DirectorySource
from serving.metrics import Metrics
from serving.service import Lists
from tests.support.bundles.variations import variation
from training.workspace import Workspace

ANSWER = Recommendations(
    user_id="u", request_id="r", bundle_version="b", variant="stable", degraded_level=DegradedLevel.FULL, items=[]
)


def test_what_a_list_says_of_its_bundle() -> None:
    def of(level: DegradedLevel, reason: Reason | None) -> Outcome | None:
        return outcome_of(ANSWER.model_copy(update={"degraded_level": level, "degraded_reason": reason}))

    assert of(DegradedLevel.FULL, None) is Outcome.ANSWERED
    assert of(DegradedLevel.REMEMBERED, Reason.ONLINE_STORE) is Outcome.ANSWERED
    for part in (Reason.QUERY_TOWER, Reason.INDEX, Reason.RANKER):
        assert of(DegradedLevel.RETRIEVAL, part) is Outcome.LACKING
    for other in (Reason.UNKNOWN_USER, Reason.ONLINE_STORE, Reason.DEADLINE):
        assert of(DegradedLevel.POPULARITY, other) is None


def test_half_of_the_lists_in_one_window_are_a_failure() -> None:
    now = 100.0
    health = BundleHealth(0.5, 60, lambda: now)
    for _ in range(LEAST // 2):
        health.count("b", Outcome.ANSWERED)
    for number in range(LEAST // 2):
        assert health.failure("b") is None, number  # too few have asked
        health.count("b", Outcome.LACKING)
    failure = health.failure("b")
    assert failure is not None
    assert str(failure) == "of 20 lists 10 were made without a model that failed and 0 were not made"
    assert not failure.answers_nothing
    health.count("b", Outcome.ANSWERED)
    assert health.failure("b") is None  # 10 of 21
    for _ in range(22):
        health.count("b", Outcome.RAISED)
    failure = health.failure("b")
    assert failure is not None
    assert failure.answers_nothing  # 22 of 43
    assert health.failure("another") is None
    now = 161.0
    assert health.failure("b") is None  # another window
    assert BundleHealth(share=0).failure("b") is None


def test_lists_that_cannot_be_written_are_lists_that_were_not_made() -> None:
    health = BundleHealth(share=0.9)
    for _ in range(LEAST):
        health.count("b", Outcome.ANSWERED)
        health.count("b", Outcome.UNWRITTEN)
    failure = health.failure("b")
    assert failure is not None
    assert (failure.lists, failure.raised, failure.answers_nothing) == (LEAST, LEAST, True)
    for _ in range(LEAST):
        health.count("c", Outcome.UNWRITTEN)  # of lists that were kept
    assert health.failure("c") == failure


def test_none_is_ever_left_where_the_share_is_0() -> None:
    health = BundleHealth(0)
    for _ in range(LEAST):
        health.count("b", Outcome.RAISED)
    assert health.failure("b") is None


def test_a_server_is_ready_while_a_bundle_answers() -> None:
    ready = True
    models = ModelRepository()
    lists: Lists = None  # type: ignore[assignment]  # which no probe asks
    models.update(RecommenderModel("recommender", lists, lambda: ready))
    assert asyncio.run(StrictDataPlane(models).ready())
    ready = False
    assert not asyncio.run(StrictDataPlane(models).ready())


@pytest.fixture(scope="module")
def shop(trained: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two bundles that serve."""
    source, bundles = (trained.bundles / CURRENT).resolve(), tmp_path_factory.mktemp("bundles")
    return variation(source, bundles, "A"), variation(source, bundles, "B")


@pytest.fixture
def releases(shop: tuple[Path, Path]) -> LiveReleases:
    """The second bundle, after the first."""
    point_current(shop[0])
    live = LiveReleases(Loader(DirectorySource(shop[0].parent / CURRENT)), Metrics(CollectorRegistry()), "stable")
    point_current(shop[1])
    live.refresh()
    assert version(live) == shop[1].name
    return live


def version(releases: LiveReleases) -> str:
    return releases.serving().bundle.manifest.bundle_version


def is_ready(releases: LiveReleases) -> bool:
    return releases.is_ready


def fail(releases: LiveReleases, outcome: Outcome, variant: str | None = None) -> None:
    for _ in range(LEAST):
        releases.answered(releases.assigned("u", variant), outcome)
    releases.refresh()


@pytest.mark.tf
def test_a_bundle_that_fails_goes_back_once_and_says_so(releases: LiveReleases, shop: tuple[Path, Path]) -> None:
    first, second = shop
    releases.refresh()
    assert version(releases) == second.name
    fail(releases, Outcome.LACKING)
    assert version(releases) == first.name
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert refusal.reason == (
        f"Bundle {second.name} fails in service: of 20 lists 20 were made without a model that failed and 0 were not "
        f"made; {first.name} serves again."
    )
    fail(releases, Outcome.LACKING)  # the first one, too: there is none that has not failed
    assert version(releases) == first.name
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert refusal.reason.endswith("it goes on, as there is none before it that answers.")
    assert releases.is_ready  # lists are made, without a model
    releases.change(second.name)  # by name, whatever it did before
    assert version(releases) == second.name


@pytest.mark.tf
def test_a_server_without_a_bundle_that_makes_lists_is_not_ready(
    releases: LiveReleases, shop: tuple[Path, Path]
) -> None:
    fail(releases, Outcome.RAISED)
    assert (version(releases), is_ready(releases)) == (shop[0].name, True)
    fail(releases, Outcome.RAISED)
    assert not is_ready(releases)
    for _ in range(3 * LEAST):
        releases.answered(releases.serving(), Outcome.ANSWERED)
    releases.refresh()
    assert is_ready(releases)


@pytest.mark.tf
def test_a_bundle_before_it_that_is_gone_is_not_gone_back_to(trained: Workspace, tmp_path: Path) -> None:
    source = (trained.bundles / CURRENT).resolve()
    first, second = variation(source, tmp_path, "A"), variation(source, tmp_path, "B")
    point_current(first)
    releases = LiveReleases(Loader(DirectorySource(tmp_path / CURRENT)), Metrics(CollectorRegistry()), "stable")
    releases.change(second.name)
    first.rename(tmp_path / "elsewhere")
    fail(releases, Outcome.RAISED)
    assert version(releases) == second.name
    assert not releases.is_ready
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert "it goes on, as the one before it is refused: There is no bundle" in refusal.reason


@pytest.mark.tf
def test_a_challenger_that_fails_ends_its_experiment(shop: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = shop
    point_current(first)
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(f"{{name: towers, challenger: {second.name}, share: 0.25}}")
    loader = Loader(DirectorySource(first.parent / CURRENT))
    releases = LiveReleases(loader, Metrics(CollectorRegistry()), "stable", experiment)
    fail(releases, Outcome.LACKING, "challenger")
    assert releases.variants() == ("stable",)
    refusal = releases.card().last_refusal
    assert refusal is not None
    assert refusal.reason.endswith(f"{first.name} answers everybody.")
