"""The recommender in process, with a lookup and a sink that fail on demand."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.answers import DegradedLevel, Reason
from contracts.api.records import ImpressionRecord
from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.bundle import files as parts
from contracts.bundle.manifest import seal, write_bundle
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from contracts.features.names import HOUR_UNKNOWN, WEEKDAY_UNKNOWN
from contracts.ranking.candidates import NO_ROWS
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.events.impressions import ImpressionSink, JsonLinesImpressions
from serving.features.lookup import FeastLookup, OnlineStoreError, UserFeatures
from serving.metrics import Metrics
from serving.recommendation.answer import shortfall_reason
from serving.recommendation.ranked_candidates import RankedCandidates
from serving.recommender import Recommender
from serving.runtime.clock import frozen_clock, wall_clock
from serving.runtime.list_ids import ListIds
from serving.runtime.stage_batching import Stages, alone
from serving.users import UnknownUser, Users
from tests.support.lists.recommender import new_recommender, recommend
from training.workspace import Workspace

pytestmark = pytest.mark.tf


class StoreDown:
    """An online store that does not answer."""

    def user(self, user_id: str) -> UserFeatures | None:
        raise OnlineStoreError(f"no answer for {user_id}")

    def bought_before(self, user_id: str) -> list[str] | None:
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        raise OnlineStoreError(f"no answer for {item_id}")


class DiskFull:
    """A log that cannot keep anything."""

    def write(self, record: ImpressionRecord) -> None:
        raise OSError(28, "No space left on device")


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture(scope="module")
def lookup(trained: Workspace) -> FeastLookup:
    return FeastLookup(trained.feature_repo)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


Build = Callable[..., Recommender]


@pytest.fixture
def build(bundle: LoadedBundle, lookup: FeastLookup, registry: CollectorRegistry) -> Build:
    def make(store: FeastLookup | StoreDown = lookup, sink: ImpressionSink | None = None) -> Recommender:
        now = frozen_clock(bundle.manifest.data_end_timestamp)
        return new_recommender(OneRelease(bundle, "stable"), store, Metrics(registry), now, sink)

    return make


@pytest.fixture
def user(bundle: LoadedBundle) -> str:
    return bundle.manifest.example_user_ids[0]


def test_while_the_online_store_is_down_popular_items_are_served_and_counted(
    build: Build, registry: CollectorRegistry, user: str
) -> None:
    answer = recommend(build(StoreDown()), RecommendationRequest(user_id=user, n=7))
    assert (answer.degraded_level, answer.degraded_reason) == (DegradedLevel.POPULARITY, Reason.ONLINE_STORE)
    assert len(answer.items) == 7
    counted = {"level": "popularity", "reason": "online_store"}
    assert registry.get_sample_value("tandem_degraded_answers_total", counted) == 1
    assert registry.get_sample_value("tandem_stage_seconds_count", {"stage": "features"}) == 1


def test_history_and_retrieval_have_no_fallback_and_say_so(build: Build, bundle: LoadedBundle, user: str) -> None:
    with pytest.raises(OnlineStoreError):
        build(StoreDown()).retrieve(RetrievalRequest(user_id=user, k=3))
    with pytest.raises(OnlineStoreError):
        Users(OneRelease(bundle, "stable"), StoreDown(), Metrics(CollectorRegistry())).history(user, 3)


def test_a_stranger_has_no_history(bundle: LoadedBundle, lookup: FeastLookup, registry: CollectorRegistry) -> None:
    with pytest.raises(UnknownUser, match="'stranger' is not in the online store"):
        Users(OneRelease(bundle, "stable"), lookup, Metrics(registry)).history("stranger", 3)


def test_an_answer_names_its_variant_and_is_counted_and_timed_under_it(
    build: Build, registry: CollectorRegistry, user: str
) -> None:
    answer = recommend(build(), RecommendationRequest(user_id=user, n=3))
    assert answer.variant == "stable"
    assert answer.request_id.endswith("-stable")
    assert registry.get_sample_value("tandem_answers_total", {"variant": "stable", "level": "full"}) == 1
    assert registry.get_sample_value("tandem_answer_seconds_count", {"variant": "stable"}) == 1
    assert registry.get_sample_value("tandem_empty_answers_total", {"variant": "stable"}) == 0


def counts(registry: CollectorRegistry) -> dict[str, float]:
    names = ("tandem_answers_total", "tandem_empty_answers_total", "tandem_forced_answers_total")
    found: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name in names and sample.value:
                found[sample.labels.get("level", sample.name)] = sample.value
    return found


def test_an_unknown_user_is_no_failure_of_a_slot(build: Build, registry: CollectorRegistry) -> None:
    assert recommend(build(), RecommendationRequest(user_id="stranger")).degraded_level == DegradedLevel.POPULARITY
    assert counts(registry) == {"cold": 1}


@pytest.mark.parametrize(
    "asked", [{"price_min": 9e8}, {"only": ["no such item"]}, {"price_min": 9e8, "include_seen": False}]
)
def test_a_list_that_the_request_left_empty_is_not_counted_as_empty(
    build: Build, registry: CollectorRegistry, user: str, asked: dict[str, Any]
) -> None:
    answer = recommend(build(), RecommendationRequest.model_validate({"user_id": user, **asked}))
    assert answer.items == []
    assert answer.shortfall == 10
    assert counts(registry) == {"full": 1}


@pytest.mark.parametrize("asked", [{}, {"price_min": 0.5}, {"exclude": ["no such item"]}])
def test_a_list_that_the_bundle_left_empty_is_counted(
    build: Build, registry: CollectorRegistry, user: str, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    nothing = RankedCandidates(NO_ROWS, np.zeros(0, np.float32), np.zeros(0, np.uint8))

    def empty(*_: object) -> Stages[RankedCandidates]:
        yield
        return nothing

    recommender = build()
    monkeypatch.setattr(recommender, "_ladder", SimpleNamespace(ranked_candidates=empty))
    recommend(recommender, RecommendationRequest.model_validate({"user_id": user, **asked}))
    assert counts(registry) == {"full": 1, "tandem_empty_answers_total": 1}


def test_a_slot_that_the_caller_chose_is_counted_apart(build: Build, registry: CollectorRegistry, user: str) -> None:
    forced = alone(build().steps(RecommendationRequest(user_id=user), compared=False))
    assert ListIds().variant(forced.request_id, [forced.variant]) is None  # and neither do clicks on it
    assert counts(registry) == {"tandem_forced_answers_total": 1}
    assert registry.get_sample_value("tandem_answer_seconds_count", {"variant": "stable"}) is None


def test_a_whole_catalogue_that_is_too_small_is_told_as_that(build: Build, user: str) -> None:
    scope = build()._scope(RecommendationRequest(user_id=user))
    for rows, said in (
        (len(scope.bundle.item_ids), "The catalogue has "),
        (3, "items of the catalogue 3 are candidates"),
    ):
        ranked = RankedCandidates(np.arange(rows), np.zeros(rows, np.float32), np.zeros(rows, np.uint8))
        assert said in shortfall_reason(scope, ranked, SimpleNamespace(left_out={}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "rows", "said"),
    [
        ({"price_min": 1}, 0, "No item passes the filter price."),
        ({"price_min": 1}, 1, "Only 1 item passes the filter price."),
        ({"price_min": 1, "only": ["x"]}, 2, "Only 2 items pass the filters "),
        ({}, 1, " of the catalogue 1 is a candidate for this list."),
    ],
)
def test_what_is_missing_is_told_in_a_sentence_that_fits_the_number(
    build: Build, user: str, asked: dict[str, Any], rows: int, said: str
) -> None:
    scope = build()._scope(RecommendationRequest.model_validate({"user_id": user, **asked}))
    ranked = RankedCandidates(np.arange(rows), np.zeros(rows, np.float32), np.zeros(rows, np.uint8))
    assert said in shortfall_reason(scope, ranked, SimpleNamespace(left_out={}))  # type: ignore[arg-type]


def test_ranking_names_the_items_it_does_not_know(build: Build, user: str) -> None:
    with pytest.raises(InvalidInput, match=r"1 of 1 item_ids are not in the catalogue .* first is 'gone'"):
        build().rank(RankingRequest(user_id=user, item_ids=["gone"]))


def test_a_full_disk_costs_the_impression_and_not_the_answer(
    build: Build, registry: CollectorRegistry, user: str
) -> None:
    answer = recommend(build(sink=DiskFull()), RecommendationRequest(user_id=user))
    assert len(answer.items) == 10
    assert registry.get_sample_value("tandem_impressions_total", {"outcome": "lost"}) == 1


def test_impressions_are_whole_records(build: Build, user: str, tmp_path: Path) -> None:
    with closing(JsonLinesImpressions(tmp_path / "log" / "shown.jsonl")) as sink:
        recommender = build(sink=sink)
        answers = [recommend(recommender, RecommendationRequest(user_id=who, n=3)) for who in (user, "stranger")]
    lines = (tmp_path / "log" / "shown.jsonl").read_text().splitlines()
    records = [ImpressionRecord.model_validate_json(line) for line in lines]
    assert [record.request_id for record in records] == [answer.request_id for answer in answers]
    assert [len(record.item_ids) for record in records] == [3, 3]
    assert "user_spend_28d" in records[0].features
    assert records[1].features == {}


def test_items_that_the_ranker_puts_first_come_first_in_the_list(build: Build, bundle: LoadedBundle, user: str) -> None:
    """The list is the ranker's order, so ranking the list again changes nothing."""
    recommender = build()
    listed = [item.item_id for item in recommend(recommender, RecommendationRequest(user_id=user, n=30)).items]
    ranked = recommender.rank(RankingRequest(user_id=user, item_ids=listed[::-1])).item_ids
    assert ranked == listed


def test_the_server_does_not_start_without_applied_definitions(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="tandem materialize"):
        FeastLookup(tmp_path)


def test_a_broken_online_store_is_an_online_store_error(trained: Workspace, tmp_path: Path, user: str) -> None:
    """The real SQLite store with its file overwritten."""
    repo = tmp_path / "feature_repo"
    shutil.copytree(trained.feature_repo, repo)
    (repo / "data" / "online.db").write_bytes(b"not a database, and longer than the header of one" * 10)
    with pytest.raises(OnlineStoreError, match="DatabaseError"):
        FeastLookup(repo).user(user)


def test_parts_that_do_not_fit_together_are_refused(trained: Workspace, tmp_path: Path) -> None:
    """Every digest is right, but the embeddings are of another dimension than the index."""
    source = (trained.bundles / "current").resolve()
    manifest = json.loads((source / parts.MANIFEST).read_text())
    with write_bundle(tmp_path) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        embeddings = np.load(folder / parts.ITEM_EMBEDDINGS)
        np.save(folder / parts.ITEM_EMBEDDINGS, embeddings[:-1, :-1])
        (folder / parts.MANIFEST).unlink()
        derived = ("bundle_version", "contract_version", "schema_hash", "files")
        sealed = seal(folder, **{key: value for key, value in manifest.items() if key not in derived})
    with pytest.raises(BundleRefused, match="does not fit together") as refused:
        load_bundle(sealed)
    assert "embeddings has dimension 63, the manifest says 64" in str(refused.value)
    assert f"{len(embeddings) - 1} embedding rows, {len(embeddings)} item ids" in str(refused.value)


def test_the_wall_clock_is_local_to_the_shop_and_the_frozen_one_has_no_visit() -> None:
    new_york, tokyo = wall_clock("America/New_York")(), wall_clock("Asia/Tokyo")()
    assert (tokyo[1] - new_york[1]) % 24 in (13, 14)  # Tokyo is 14 hours ahead, 13 in New York's summer
    assert frozen_clock(5.0)() == (5.0, HOUR_UNKNOWN, WEEKDAY_UNKNOWN)
