"""Every level of the degradation ladder, its real part failing: Redis stopped or frozen, models and index broken."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import faiss
import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.answers import DegradedLevel, Reason, Recommendations, ScoredItems
from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.bundle import files as parts
from contracts.errors import InvalidInput
from contracts.features import names
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.health import Outcome
from serving.bundles.release import Assigned, OneRelease
from serving.features.guarded_lookup import GuardedLookup
from serving.features.lookup import FeastLookup, OnlineStoreError
from serving.features.reader import FeastReader
from serving.features.redis_reader import RedisReader
from serving.features.remembered import RememberedFeatures
from serving.metrics import Metrics
from serving.recommendation.safeguards import Safeguards
from serving.recommender import ModelFailed, Recommender
from serving.resilience.circuit_breakers import CircuitBreakers
from serving.resilience.deadline import Budget
from serving.resilience.run_limit import Run, RunLimit, without_limit
from serving.runtime.clock import frozen_clock
from tests.support.bundles.broken_models import looping
from tests.support.lists.newcomer import Newcomer
from tests.support.lists.recommender import new_recommender, recommend
from tests.support.real_parts.redis_server import RedisServer, use_redis
from training.feature_store.store import apply_definitions, materialize_users, open_store
from training.workspace import Workspace

pytestmark = pytest.mark.tf
RETRY_SECONDS = 0.3
TIMEOUT_SECONDS = 0.2  # four times the default: this machine may be busy


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture(scope="module")
def redis_module(redis_servers: Callable[..., RedisServer]) -> RedisServer:
    """One that has its data again after a restart."""
    return redis_servers("--appendonly", "yes")


@pytest.fixture(scope="module")
def workspace(trained: Workspace, redis_module: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The trained slice's features, materialized to Redis."""
    root = tmp_path_factory.mktemp("online")
    (root / "data").symlink_to(trained.root / "data")
    repo = root / "feature_repo"
    repo.mkdir()
    for name in ("feature_definitions.py", "feature_store.yaml"):
        (repo / name).write_text((trained.feature_repo / name).read_text())
    use_redis(repo / "feature_store.yaml", redis_module.connection_string)
    workspace = Workspace(root)
    apply_definitions(workspace)
    materialize_users(workspace)
    return workspace


@pytest.fixture
def redis(redis_module: RedisServer) -> Iterator[RedisServer]:
    """Running before and after each test."""
    yield redis_module
    redis_module.resume()
    if not redis_module.answers():
        redis_module.kill()
        redis_module.start()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


class Swappable:
    """One bundle at a time, which the test breaks and mends."""

    def __init__(self, bundle: LoadedBundle) -> None:
        self.now = OneRelease(bundle, "stable")
        self.outcomes: list[Outcome] = []

    def answered(self, assigned: Assigned, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def break_with(self, **changed: object) -> None:
        self.now = OneRelease(replace(self.now.serving().bundle, **changed), "stable")  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self.now, name)


Ask = Callable[..., Recommendations]


@pytest.fixture
def releases(bundle: LoadedBundle) -> Swappable:
    return Swappable(bundle)


@pytest.fixture
def recommender(
    workspace: Workspace, redis: RedisServer, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle
) -> Recommender:
    return build(workspace, releases, registry, bundle, Budget())


def build(
    workspace: Workspace, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle, budget: Budget
) -> Recommender:
    metrics = Metrics(registry)
    guard = CircuitBreakers(metrics, failures=3, retry_seconds=RETRY_SECONDS)
    lookup = GuardedLookup(FeastLookup(workspace.feature_repo, timeout_seconds=TIMEOUT_SECONDS), guard)
    return new_recommender(
        releases,  # type: ignore[arg-type]
        lookup,
        metrics,
        frozen_clock(bundle.manifest.data_end_timestamp),
        safeguards=Safeguards(guard, budget, RememberedFeatures(100, 60.0)),
    )


@pytest.fixture
def users(bundle: LoadedBundle) -> list[str]:
    return bundle.manifest.example_user_ids


def level_of(answer: Recommendations) -> tuple[str, str | None]:
    return answer.degraded_level.value, answer.degraded_reason.value if answer.degraded_reason else None


def asked(recommender: Recommender, user: str, n: int = 10, **options: object) -> Recommendations:
    return recommend(recommender, RecommendationRequest.model_validate({"user_id": user, "n": n, **options}))


def seconds_of(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def wait_for_full(recommender: Recommender, user: str, within_seconds: float = 5.0) -> None:
    deadline = time.monotonic() + within_seconds
    while level_of(answer := asked(recommender, user)) != ("full", None):
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def counted(registry: CollectorRegistry, level: str, reason: str) -> float:
    return registry.get_sample_value("tandem_degraded_answers_total", {"level": level, "reason": reason}) or 0.0


def breaker_open(registry: CollectorRegistry, part: str) -> float | None:
    return registry.get_sample_value("tandem_breaker_open", {"part": part})


def test_the_direct_reader_gives_what_feast_gives(
    workspace: Workspace, redis: RedisServer, users: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("feast.infra.online_stores.online_store.OnlineStore._is_versioned_read_supported")  # not asked
    store = open_store(workspace)
    service = store.get_feature_service(names.ONLINE_SERVICE)
    direct = RedisReader(store, service, names.USER_ID, TIMEOUT_SECONDS)
    by_feast = FeastReader(store, service, names.USER_ID)
    for user in (*users, "nobody"):
        assert direct.read(user) == by_feast.read(user)


def test_with_redis_stopped_what_was_read_is_remembered_and_strangers_get_what_is_popular(
    recommender: Recommender, redis: RedisServer, registry: CollectorRegistry, users: list[str]
) -> None:
    before = asked(recommender, users[0])
    assert level_of(before) == ("full", None)
    redis.stop()
    answers: list[Recommendations] = []
    # redis-py's own retries would hold each of these for 7.4 s.
    slowest = max(seconds_of(lambda: answers.append(asked(recommender, users[0]))) for _ in range(5))
    assert slowest < 2 * TIMEOUT_SECONDS
    assert {level_of(answer) for answer in answers} == {("remembered", "online_store")}
    assert answers[-1].items == before.items
    assert level_of(asked(recommender, users[1])) == ("popularity", "online_store")
    assert counted(registry, "remembered", "online_store") == 5
    assert counted(registry, "popularity", "online_store") == 1
    assert breaker_open(registry, "online_store") == 1
    redis.start()
    wait_for_full(recommender, users[1])
    assert breaker_open(registry, "online_store") == 0


def test_with_redis_frozen_only_the_first_answers_wait_for_it(
    recommender: Recommender, redis: RedisServer, registry: CollectorRegistry, users: list[str]
) -> None:
    wait_for_full(recommender, users[0])
    redis.pause()
    waits = [seconds_of(lambda: asked(recommender, users[2])) for _ in range(3)]
    assert min(waits) >= TIMEOUT_SECONDS  # each of the three that open the breaker
    assert max(waits) < 3 * TIMEOUT_SECONDS
    assert seconds_of(lambda: asked(recommender, users[2])) < TIMEOUT_SECONDS
    assert breaker_open(registry, "online_store") == 1
    redis.resume()
    wait_for_full(recommender, users[2])


def test_a_server_starts_while_redis_is_down(
    workspace: Workspace, redis: RedisServer, releases: Swappable, bundle: LoadedBundle, users: list[str]
) -> None:
    redis.stop()
    recommender = build(workspace, releases, CollectorRegistry(), bundle, Budget())
    assert level_of(asked(recommender, users[0])) == ("popularity", "online_store")
    redis.start()
    wait_for_full(recommender, users[0])


def test_a_restart_that_nobody_noticed_costs_no_answer(
    recommender: Recommender, redis: RedisServer, users: list[str]
) -> None:
    wait_for_full(recommender, users[0])
    redis.stop()
    redis.start()
    assert level_of(asked(recommender, users[0])) == ("full", None)


def test_without_a_ranker_the_list_is_in_the_order_of_retrieval(
    recommender: Recommender, releases: Swappable, registry: CollectorRegistry, trained: Workspace, users: list[str]
) -> None:
    healthy = releases.now
    other_model = onnxruntime.InferenceSession(str(trained.bundles / "current" / parts.CANDIDATE_TOWER))
    releases.break_with(ranker=other_model)  # ONNX Runtime refuses the ranker's inputs
    answers = [asked(recommender, users[0]) for _ in range(4)]
    assert {level_of(answer) for answer in answers} == {("retrieval", "ranker")}
    scores = [item.score for item in answers[0].items]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 10
    assert counted(registry, "retrieval", "ranker") == 4
    assert breaker_open(registry, "ranker") == 1
    releases.now = healthy
    wait_for_full(recommender, users[0])


def test_a_ranker_that_never_ends_is_left_alone_and_another_bundle_answers_at_once(
    recommender: Recommender, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle, users: list[str]
) -> None:
    healthy, limit, stop = releases.now, RunLimit(0.2), threading.Event()
    thread = threading.Thread(target=limit.watch, args=(stop,))
    thread.start()
    endless = onnxruntime.InferenceSession(looping(bundle.ranker.get_inputs()[0].shape[-1]))
    other = bundle.manifest.model_copy(update={"bundle_version": "other"})
    releases.break_with(ranker=endless, run=limit.run, manifest=other)
    answers = [asked(recommender, users[0]) for _ in range(20)]  # 20 runs would take 4 s and more
    stop.set()
    thread.join()
    assert {level_of(answer) for answer in answers} == {("retrieval", "ranker")}
    assert breaker_open(registry, "ranker") == 1
    releases.now = healthy
    assert level_of(asked(recommender, users[0])) == ("full", None)


def rank(recommender: Recommender, user: str, bundle: LoadedBundle) -> ScoredItems:
    return recommender.rank(RankingRequest(user_id=user, item_ids=list(bundle.item_ids[:5])))


def retrieve(recommender: Recommender, user: str, bundle: LoadedBundle) -> ScoredItems:
    return recommender.retrieve(RetrievalRequest(user_id=user, k=5))


class CountedRuns:
    """Counts the runs of each model."""

    def __init__(self, run: Run) -> None:
        self.of: Counter[int] = Counter()
        self._run = run

    def __call__(self, session: onnxruntime.InferenceSession, inputs: dict[str, Any]) -> list[Any]:
        self.of[id(session)] += 1
        return self._run(session, inputs)


def test_a_ranker_that_never_ends_is_left_alone_however_it_is_asked(
    recommender: Recommender, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle, users: list[str]
) -> None:
    """Asked for alone it kept every other request waiting, each time anew."""
    limit, stop = RunLimit(0.2), threading.Event()
    thread = threading.Thread(target=limit.watch, args=(stop,))
    thread.start()
    endless, runs = (
        onnxruntime.InferenceSession(looping(bundle.ranker.get_inputs()[0].shape[-1])),
        CountedRuns(limit.run),
    )
    releases.break_with(ranker=endless, run=runs)
    for _ in range(3):
        with pytest.raises(ModelFailed, match=r"The ranker of bundle .* fails now") as raised:
            rank(recommender, users[0], bundle)
        assert raised.value.http_status == 503
    assert level_of(asked(recommender, users[1])) == ("retrieval", "ranker")
    stop.set()
    thread.join()
    assert runs.of[id(endless)] == 1
    assert breaker_open(registry, "ranker") == 1
    assert len(retrieve(recommender, users[0], bundle).item_ids) == 5  # the other stage answers


@pytest.mark.parametrize(
    ("ask", "part", "said"),
    [(rank, "query_tower", "query tower"), (retrieve, "query_tower", "query tower"), (rank, "ranker", "ranker")],
)
def test_a_stage_that_fails_alone_is_left_alone_and_counts_against_its_bundle(
    ask: Callable[..., ScoredItems], part: str, said: str, recommender: Recommender, releases: Swappable,
    registry: CollectorRegistry, bundle: LoadedBundle, users: list[str], trained: Workspace,
) -> None:  # fmt: skip
    other = onnxruntime.InferenceSession(str(trained.bundles / "current" / parts.CANDIDATE_TOWER))
    runs = CountedRuns(without_limit)
    ask(recommender, users[0], bundle)
    releases.break_with(**{part: other, "run": runs})  # it refuses these inputs
    for _ in range(5):
        with pytest.raises(ModelFailed, match=f"The {said} of bundle"):
            ask(recommender, users[0], bundle)
    assert runs.of[id(other)] == 3
    assert breaker_open(registry, part) == 1
    assert releases.outcomes == [Outcome.ANSWERED, *[Outcome.LACKING] * 5]


def test_an_index_that_fails_alone_is_left_alone(
    recommender: Recommender, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle, users: list[str]
) -> None:
    releases.break_with(index=faiss.IndexFlatIP(3))
    for _ in range(3):
        with pytest.raises(ModelFailed, match="The index of bundle"):
            retrieve(recommender, users[0], bundle)
    assert breaker_open(registry, "index") == 1


@pytest.mark.parametrize("part", [Reason.INDEX, Reason.QUERY_TOWER])
def test_without_retrieval_the_list_is_what_the_user_buys(
    part: Reason, recommender: Recommender, releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle,
    users: list[str],
) -> None:  # fmt: skip
    healthy = releases.now
    if part is Reason.INDEX:
        releases.break_with(index=faiss.IndexFlatIP(3))  # vectors of another dimension
    else:
        releases.break_with(query_tower=bundle.ranker)
    answer = asked(recommender, users[0], n=20)
    assert level_of(answer) == ("history", part.value)
    assert {item.source for item in answer.items} == {"repeat"}
    assert len(answer.items) == 20
    assert counted(registry, "history", part.value) == 1
    releases.now = healthy
    wait_for_full(recommender, users[0])


def test_a_user_without_purchases_gets_what_their_segment_buys(
    releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle
) -> None:
    """A profile is in the store and nothing else: the models are not asked. With a context they are, and fail here."""
    segment, best = segment_and_best(bundle)
    column, _, value = segment.partition("=")
    releases.break_with(index=faiss.IndexFlatIP(3))
    now = frozen_clock(bundle.manifest.data_end_timestamp)
    lookup = Newcomer({column: value})
    recommender = new_recommender(releases, lookup, Metrics(registry), now)  # type: ignore[arg-type]
    answer = asked(recommender, "newcomer")
    assert level_of(answer) == ("segment", "unknown_user")
    assert [item.item_id for item in answer.items] == best
    answer = asked(recommender, "newcomer", context=[bundle.item_ids[0]])
    assert level_of(answer) == ("segment", "index")


class Forgetful(Newcomer):
    """The store ends to answer between two reads."""

    def bought_before(self, user_id: str) -> list[str] | None:
        raise OnlineStoreError("down")


def test_a_list_of_unseen_items_is_made_where_only_the_older_purchases_cannot_be_read(
    releases: Swappable, registry: CollectorRegistry, bundle: LoadedBundle
) -> None:
    segment, best = segment_and_best(bundle)
    column, _, value = segment.partition("=")
    now = frozen_clock(bundle.manifest.data_end_timestamp)
    recommender = new_recommender(releases, Forgetful({column: value}), Metrics(registry), now)  # type: ignore[arg-type]
    assert [item.item_id for item in asked(recommender, "newcomer", include_seen=False).items] == best


def segment_and_best(bundle: LoadedBundle) -> tuple[str, list[str]]:
    """A profile value of which the slice has many people, and what they buy most."""
    column = names.USER_PROFILE[0]
    vocabulary = bundle.vocabularies[column]
    lists = {code: bundle.segments.popular(column, code) for code in range(1, len(vocabulary))}
    code = max(lists, key=lambda at: lists[at][1].sum())
    return f"{column}={vocabulary.terms[code - 1]}", [bundle.item_ids[row] for row in lists[code][0][:10]]


def test_a_stranger_with_a_known_segment_gets_what_it_buys(recommender: Recommender, bundle: LoadedBundle) -> None:
    segment, best = segment_and_best(bundle)
    answer = asked(recommender, "stranger", segment=[segment])
    assert level_of(answer) == ("segment", "unknown_user")
    assert [item.item_id for item in answer.items] == best
    assert level_of(asked(recommender, "stranger")) == ("popularity", "unknown_user")


@pytest.mark.parametrize(
    ("segment", "said"),
    [("shoe_size=43", "there is no profile column 'shoe_size'; there is age_band"), ("age_band=7", "no value '7'")],
)
def test_segments_that_there_are_not_are_refused(recommender: Recommender, segment: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        asked(recommender, "stranger", segment=[segment])


def test_what_would_begin_too_late_is_left_out(
    workspace: Workspace, redis: RedisServer, releases: Swappable, bundle: LoadedBundle, users: list[str]
) -> None:
    budget = Budget(retrieval_seconds=5.0, ranking_seconds=2.0)
    recommender = build(workspace, releases, CollectorRegistry(), bundle, budget)
    request = RecommendationRequest(user_id=users[0])
    levels = [level_of(recommend(recommender, request, time.monotonic() - waited)) for waited in (0.0, 3.0, 60.0)]
    assert levels == [("full", None), ("retrieval", "deadline"), ("history", "deadline")]


@pytest.mark.parametrize("level", [DegradedLevel.RETRIEVAL, DegradedLevel.HISTORY, DegradedLevel.POPULARITY])
def test_filters_hold_on_every_level(
    level: DegradedLevel, workspace: Workspace, redis: RedisServer, releases: Swappable, bundle: LoadedBundle,
    users: list[str],
) -> None:  # fmt: skip
    recommender = build(workspace, releases, CollectorRegistry(), bundle, Budget(5.0, 2.0))
    waited = {DegradedLevel.RETRIEVAL: 3.0, DegradedLevel.HISTORY: 60.0, DegradedLevel.POPULARITY: 0.0}[level]
    user = "stranger" if level is DegradedLevel.POPULARITY else users[0]
    department = bundle.departments[int(bundle.items.popular[0])]
    request = RecommendationRequest(user_id=user, n=10, department=[department], include_seen=False)
    answer = recommend(recommender, request, time.monotonic() - waited)
    assert answer.degraded_level is level
    assert {item.department for item in answer.items} == {department}
    scores = np.array([item.score for item in answer.items])
    assert (np.diff(scores) <= 0).all()
