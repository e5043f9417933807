"""When an answer is given again, and when not."""

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from contracts.api.answers import Recommendations
from contracts.api.records import ImpressionRecord
from contracts.api.requests import RecommendationRequest
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.health import Outcome
from serving.bundles.release import Assigned, OneRelease
from serving.features.lookup import FeastLookup
from serving.metrics import Metrics
from serving.recommendation.answer_cache import ITEM_BYTES, LIST_BYTES, REASON_BYTES, SETTLE_SECONDS, AnswerCache
from serving.recommendation.safeguards import Safeguards
from serving.resilience.circuit_breakers import CircuitBreakers
from serving.rules.rule_file import RuleBook
from serving.runtime.clock import frozen_clock
from tests.support.lists.recommender import new_recommender, recommend
from training.workspace import Workspace

pytestmark = pytest.mark.tf
MAX_AGE_SECONDS = 30.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """Impressions in a list."""

    def __init__(self) -> None:
        self.records: list[ImpressionRecord] = []

    def write(self, record: ImpressionRecord) -> None:
        self.records.append(record)


class Served:
    """A recommender with a cache of three short lists, and what a test looks at."""

    def __init__(self, trained: Workspace, bundle: LoadedBundle, rules: RuleBook | None = None) -> None:
        self.clock, self.impressions, self.registry = Clock(), Kept(), CollectorRegistry()
        metrics = Metrics(self.registry)
        self.cache = AnswerCache(30_000, MAX_AGE_SECONDS, metrics.cache, self.clock)
        self.releases = OneRelease(bundle, "stable")
        self.users = bundle.manifest.example_user_ids
        self.recommender = new_recommender(
            self,
            FeastLookup(trained.feature_repo),
            metrics,
            frozen_clock(bundle.manifest.data_end_timestamp),
            self.impressions,
            rules,
            Safeguards(CircuitBreakers(metrics), cache=self.cache),
        )

    def assigned(self, user_id: str, variant: str | None = None) -> Assigned:
        return self.releases.assigned(user_id, variant)

    def serving(self) -> Assigned:
        return self.releases.serving()

    def answered(self, assigned: Assigned, outcome: Outcome) -> None:
        self.releases.answered(assigned, outcome)

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        self.releases.replace(change)

    def ask(self, user: int = 0, n: int = 5) -> Recommendations:
        return recommend(self.recommender, RecommendationRequest(user_id=self.users[user], n=n))

    def hits(self) -> float:
        return self.registry.get_sample_value("tandem_cache_requests_total", {"outcome": "hit"}) or 0.0


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture
def served(trained: Workspace, bundle: LoadedBundle) -> Served:
    return Served(trained, bundle)


def test_the_same_request_gets_the_same_list_as_an_answer_of_its_own(served: Served) -> None:
    first, second = served.ask(), served.ask()
    assert served.hits() == 1
    assert first.items == second.items
    assert first.request_id != second.request_id
    logged = served.impressions.records
    assert [record.request_id for record in logged] == [first.request_id, second.request_id]
    assert logged[0].features == logged[1].features != {}


def test_an_explored_list_that_is_given_again_has_the_propensities_of_its_draw(
    trained: Workspace, bundle: LoadedBundle, tmp_path: Path
) -> None:
    (tmp_path / "rules.yaml").write_text("version: '1'\nrules: [{name: try, explore: {share: 0.5, among: 9}}]\n")
    explored = Served(trained, bundle, RuleBook(tmp_path / "rules.yaml"))
    first, second = explored.ask(n=8), explored.ask(n=8)
    assert explored.hits() == 1 and first.items == second.items
    logged, again = explored.impressions.records
    assert logged.item_propensities == again.item_propensities
    # The best that is left: .5 / 9 + .5; what chance brought: .5 / 9.
    assert {round(one, 4) for one in logged.item_propensities} <= {0.0556, 0.5556}
    assert len(logged.item_propensities) == 8


def test_without_exploration_nothing_is_logged_of_chance(served: Served) -> None:
    served.ask()
    assert served.impressions.records[0].item_propensities == []


def test_another_request_is_another_answer(served: Served) -> None:
    served.ask(user=0, n=5)
    served.ask(user=0, n=6)
    served.ask(user=1, n=5)
    assert served.hits() == 0


def test_answers_grow_old(served: Served) -> None:
    served.ask()
    served.clock.now += MAX_AGE_SECONDS
    served.ask()
    assert served.hits() == 1
    served.clock.now += 0.1
    served.ask()
    assert served.hits() == 1


def test_nothing_is_given_across_an_event_nor_kept_before_it_is_in_the_features(served: Served) -> None:
    served.ask(user=0)
    served.ask(user=1)
    served.cache.forget(served.users[0])
    served.ask(user=0)  # computed, maybe on features without the event
    served.ask(user=0)
    assert served.hits() == 0
    served.ask(user=1)
    assert served.hits() == 1
    served.clock.now += SETTLE_SECONDS
    served.ask(user=0)
    served.ask(user=0)
    assert served.hits() == 2


def test_another_snapshot_of_the_same_bundle_is_not_answered_from_the_cache(
    served: Served, bundle: LoadedBundle
) -> None:
    served.ask()
    served.releases = OneRelease(replace(bundle), "stable")
    served.ask()
    assert served.hits() == 0


def test_the_cache_does_not_hold_a_swapped_bundle_in_memory(served: Served, bundle: LoadedBundle) -> None:
    copy = replace(bundle)
    served.releases = OneRelease(copy, "stable")
    served.ask()
    served.releases = OneRelease(bundle, "stable")
    before = len(gc.get_referrers(copy))
    served.cache._lists.clear()
    assert len(gc.get_referrers(copy)) == before


def test_the_oldest_of_too_many_makes_room(served: Served) -> None:
    for n in (1, 2, 3, 4):
        served.ask(n=n)
    served.ask(n=4)
    assert served.hits() == 1
    served.ask(n=1)
    assert served.hits() == 1


def test_what_a_request_writes_is_not_kept_and_long_lists_take_the_room_of_several(
    trained: Workspace, bundle: LoadedBundle
) -> None:
    served = Served(trained, bundle)
    room = served.cache._max_bytes = 1_000_000
    long = [f"{'x' * 123}{number:05}" for number in range(900)]

    def ask(seed: int, **fields: Any) -> None:
        user_id = served.users[seed % len(served.users)]
        recommend(served.recommender, RecommendationRequest(user_id=user_id, seed=seed, **fields))
        served.impressions.records.clear()

    def taken(n: int, **fields: Any) -> float:
        """Bytes of one list, as Python has allocated them."""
        served.cache.erase(lambda _: True)
        ask(0, n=n, **fields)
        gc.collect()
        tracemalloc.start()
        for seed in range(1, 11):
            ask(seed, n=n, **fields)
        gc.collect()
        full = tracemalloc.get_traced_memory()[0]
        assert served.cache._bytes == sum(kept.bytes for kept in served.cache._lists.values()) <= room
        served.cache.erase(lambda _: True)
        gc.collect()
        found = (full - tracemalloc.get_traced_memory()[0]) / 10
        tracemalloc.stop()
        return found

    plain = taken(10)
    assert plain == pytest.approx(LIST_BYTES + 10 * ITEM_BYTES, rel=0.3)
    assert taken(10, exclude=long) == pytest.approx(plain, rel=0.2)
    assert taken(10, explain=True) == pytest.approx(LIST_BYTES + 10 * (ITEM_BYTES + REASON_BYTES), rel=0.3)
    served.cache._max_bytes = 300_000
    for seed in range(20):
        ask(seed, n=100)
    assert len(served.cache._lists) == 2


def test_degraded_answers_are_not_kept(served: Served) -> None:
    request = RecommendationRequest(user_id="stranger")
    assert recommend(served.recommender, request).degraded_level == "popularity"
    recommend(served.recommender, request)
    assert served.hits() == 0
