"""What a user has hidden is in no list of theirs, on every rung of the ladder, and in nobody else's way."""

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from contracts.api.explanations import Stage
from contracts.api.requests import RecommendationRequest, RetrievalRequest
from contracts.features import names
from contracts.rules.selection import Filters
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup, OnlineStoreError, UserFeatures
from serving.metrics import Metrics
from serving.recommender import Recommender
from serving.related_items import RelatedItems
from serving.runtime.clock import frozen_clock
from serving.users import Users
from tests.support.each import each
from tests.support.lists.recommender import new_recommender, recommend
from training.workspace import Workspace

pytestmark = pytest.mark.tf


class Hiding:
    """Reads of the online store by users who have hidden some items; down on request."""

    def __init__(self, lookup: FeastLookup) -> None:
        self._lookup = lookup
        self.hidden: dict[str, float | None] = {}
        self.is_down = False
        self.new_users: dict[str, UserFeatures] = {}

    def user(self, user_id: str) -> UserFeatures | None:
        """Raises OnlineStoreError."""
        if self.is_down:
            raise OnlineStoreError("down")
        known = self.new_users.get(user_id) or self._lookup.user(user_id)
        return known and (known | {names.HIDDEN_ITEMS: self.hidden} if self.hidden else known)

    def bought_before(self, user_id: str) -> list[str] | None:
        """Raises OnlineStoreError."""
        return self._lookup.bought_before(user_id)

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        """Raises OnlineStoreError."""
        return self._lookup.companions(item_id)


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture
def lookup(trained: Workspace) -> Hiding:
    return Hiding(FeastLookup(trained.feature_repo, timeout_seconds=5))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def recommender(bundle: LoadedBundle, lookup: Hiding, metrics: Metrics) -> Recommender:
    now = frozen_clock(bundle.manifest.data_end_timestamp)
    return new_recommender(OneRelease(bundle, "stable"), lookup, metrics, now)


@pytest.fixture
def shown(recommender: Recommender, bundle: LoadedBundle) -> Callable[..., list[str]]:
    def ids(user_id: str = "", **fields: object) -> list[str]:
        user = user_id or bundle.manifest.example_user_ids[0]
        request = RecommendationRequest.model_validate({"user_id": user, "n": 10} | fields)
        return [item.item_id for item in recommend(recommender, request).items]

    return ids


def test_a_list_is_the_same_without_what_is_hidden_and_filled_up(
    shown: Callable[..., list[str]], lookup: Hiding
) -> None:
    before = shown()
    lookup.hidden = {before[0]: None, before[3]: 2e9, "not in the catalogue": None}
    after = shown()
    assert len(after) == 10
    assert not {before[0], before[3]} & set(after)
    assert after[:8] == [item for item in before if item not in (before[0], before[3])]


def test_the_context_and_filters_do_not_bring_it_back(shown: Callable[..., list[str]], lookup: Hiding) -> None:
    item, anchor = shown()[:2]
    lookup.hidden = {item: None}
    assert item not in shown(context=[anchor])
    assert shown(only=[item]) == []


def test_somebody_without_history_gets_what_is_popular_without_it(
    shown: Callable[..., list[str]], lookup: Hiding, bundle: LoadedBundle
) -> None:
    known = lookup.user(bundle.manifest.example_user_ids[0])
    assert known is not None
    lists = (*names.SEQUENCE, *names.HISTORY)
    lookup.new_users["new"] = known | {key: [] for key in lists} | dict.fromkeys(names.USER_PROFILE, "unknown")
    first = shown("new")[0]
    lookup.hidden = {first: None}
    assert first not in shown("new") and len(shown("new")) == 10


def test_while_the_store_is_down_what_is_remembered_holds(shown: Callable[..., list[str]], lookup: Hiding) -> None:
    item = shown()[0]
    lookup.hidden = {item: None}
    assert item not in shown()
    lookup.is_down = True
    assert item not in shown()


def test_it_is_said_why_the_item_is_not_there(
    recommender: Recommender, shown: Callable[..., list[str]], lookup: Hiding, bundle: LoadedBundle, metrics: Metrics
) -> None:
    item, user = shown()[0], bundle.manifest.example_user_ids[0]
    lookup.hidden = {item: None, "later": 86_400.0}
    outcome = recommender.why_not(RecommendationRequest(user_id=user), item)
    assert (outcome.stage, outcome.kept_out_by) == (Stage.FILTERED, ["hidden"])
    history = Users(OneRelease(bundle, "stable"), lookup, metrics).history(user, 1)
    assert [(one.item_id, one.until) for one in history.hidden] == [
        (item, None), ("later", "1970-01-02T00:00:00+00:00"),
    ]  # fmt: skip


def test_retrieval_alone_leaves_it_out(recommender: Recommender, lookup: Hiding, bundle: LoadedBundle) -> None:
    request = RetrievalRequest(user_id=bundle.manifest.example_user_ids[0], k=20)
    before = recommender.retrieve(request).item_ids
    lookup.hidden = {before[0]: None}
    assert recommender.retrieve(request).item_ids[:19] == before[1:]


def test_what_is_alike_leaves_it_out_where_the_user_is_named(
    shown: Callable[..., list[str]], lookup: Hiding, bundle: LoadedBundle, metrics: Metrics
) -> None:
    related, item = RelatedItems(OneRelease(bundle, "stable"), lookup, metrics), shown()[0]
    near = [one.item_id for one in each(related.similar(item, 10, Filters()).items)]
    lookup.hidden = {near[0]: None}
    user = bundle.manifest.example_user_ids[0]
    assert near[0] not in [one.item_id for one in each(related.similar(item, 10, Filters(), user).items)]
    assert [one.item_id for one in related.similar(item, 10, Filters()).items] == near
    assert related.similar(item, 10, Filters(), "nobody").items
