"""Lists with filters, pages, context and rules on the trained slice, in process: what is promised holds for each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.api.answers import Recommendations
from contracts.api.explanations import ItemOutcome, Stage
from contracts.api.limits import MAX_ITEMS
from contracts.api.records import ImpressionRecord
from contracts.api.requests import RankingRequest, RecommendationRequest, RetrievalRequest
from contracts.errors import InvalidInput
from contracts.rules.selection import Filters
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.features.lookup import FeastLookup, OnlineStoreError, UserFeatures
from serving.metrics import Metrics
from serving.recommendation.context import nobody
from serving.recommendation.query import history_in
from serving.recommender import Recommender
from serving.related_items import RelatedItems, UnknownItem
from serving.rules.rule_file import RuleBook
from serving.runtime.clock import frozen_clock
from tests.support.each import each
from tests.support.lists.recommender import new_recommender, recommend
from training.workspace import Workspace

pytestmark = pytest.mark.tf

Build = Callable[..., Recommender]


class NoCompanions:
    """A store that knows users and fails for items."""

    def __init__(self, lookup: FeastLookup) -> None:
        self.user = lookup.user

    def bought_before(self, user_id: str) -> list[str] | None:
        return []

    def companions(self, item_id: str) -> list[tuple[str, int]]:
        raise OnlineStoreError(f"no answer for {item_id}")


class Remembering:
    """A store that knows of purchases that histories lack, or does not."""

    def __init__(self, lookup: FeastLookup, bought: list[str] | OnlineStoreError | None) -> None:
        self.user, self.companions = lookup.user, lookup.companions
        self._bought = bought

    def bought_before(self, user_id: str) -> list[str] | None:
        if isinstance(self._bought, OnlineStoreError):
            raise self._bought
        return self._bought


class StoreDown(NoCompanions):
    """A store that knows nothing."""

    def __init__(self) -> None:
        self.user = self._down

    def _down(self, user_id: str) -> UserFeatures | None:
        raise OnlineStoreError(f"no answer for {user_id}")


class Kept:
    """Remembers what was recorded."""

    def __init__(self) -> None:
        self.records: list[ImpressionRecord] = []

    def write(self, record: ImpressionRecord) -> None:
        self.records.append(record)


@pytest.fixture(scope="module")
def flat(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture(scope="module", params=["Flat", "IVF128,Flat"])
def bundle(request: pytest.FixtureRequest, flat: LoadedBundle) -> LoadedBundle:
    """The slice's bundle, and the same with an inverted file that probes 4 of its lists."""
    if request.param == "Flat":
        return flat
    index = faiss.index_factory(flat.index.d, request.param, faiss.METRIC_INNER_PRODUCT)
    index.train(flat.items.embeddings)
    index.add(flat.items.embeddings)
    index.nprobe = 4
    return replace(flat, index=index)


@pytest.fixture(scope="module")
def lookup(trained: Workspace) -> FeastLookup:
    return FeastLookup(trained.feature_repo)


@pytest.fixture
def build(lookup: FeastLookup, bundle: LoadedBundle, tmp_path: Path) -> Build:
    def make(
        rules: str | None = None, store: Any = lookup, sink: Any = None, registry: CollectorRegistry | None = None
    ) -> Recommender:
        book = RuleBook()
        if rules is not None:
            (tmp_path / "rules.yaml").write_text(f"version: test\nrules:\n{rules}")
            book = RuleBook(tmp_path / "rules.yaml")
        now = frozen_clock(bundle.manifest.data_end_timestamp)
        metrics = Metrics(registry or CollectorRegistry())
        return new_recommender(OneRelease(bundle, "stable"), store, metrics, now, sink, book)

    return make


@pytest.fixture
def users(bundle: LoadedBundle) -> list[str]:
    return [*bundle.manifest.example_user_ids[::10], "stranger"]


def asked(user_id: str, **fields: Any) -> RecommendationRequest:
    return RecommendationRequest(user_id=user_id, **fields)


def ids(answer: Recommendations) -> list[str]:
    return [item.item_id for item in answer.items]


def bought(lookup: FeastLookup, user_id: str) -> set[str]:
    """In the history, and what it lacks of longer ago."""
    features = lookup.user(user_id)
    return set(features["history_item_ids"]) | set(lookup.bought_before(user_id) or ()) if features else set()


FILTERS: list[dict[str, Any]] = [
    {"department": ["Produce"]},
    {"category": ["Soft Drinks", "cheese"], "price_max": 3.0},
    {"brand": ["private"], "include_seen": False},
    {"price_min": 100.0},
    {"price_min": 1e6},
    {"department": ["Deli"], "price_min": 5.0, "price_max": 6.0, "include_seen": False},
    {"include_seen": False},
]


@pytest.mark.parametrize("given", FILTERS, ids=str)
@pytest.mark.parametrize("n", [1, 100])
def test_always_n_that_pass_or_a_shortfall_with_its_reason(
    build: Build, bundle: LoadedBundle, lookup: FeastLookup, users: list[str], given: dict[str, Any], n: int
) -> None:
    recommender, fitting = build(), _passing(bundle, given)
    for user in each(users):
        answer = recommend(recommender, asked(user, n=n, **given))
        seen = set() if given.get("include_seen", True) else bought(lookup, user)
        passing = [item for item in fitting if item not in seen]
        assert len(answer.items) == min(n, len(passing))
        assert answer.shortfall == n - len(answer.items)
        assert set(ids(answer)) <= set(passing)
        assert (answer.shortfall_reason is None) == (answer.shortfall == 0)
        assert len(set(ids(answer))) == len(answer.items)
    if answer.shortfall:
        assert answer.shortfall_reason is not None
        assert "the filter" in answer.shortfall_reason and "price" in answer.shortfall_reason


def _passing(bundle: LoadedBundle, given: dict[str, Any]) -> list[str]:
    """Without the code under test: by the words of the catalogue."""
    fits = np.ones(len(bundle.item_ids), np.bool_)
    for attribute in ("department", "category", "brand"):
        if attribute in given:
            words = np.array(["", *(term.lower() for term in bundle.vocabularies[attribute].terms)])
            fits &= np.isin(words[bundle.items.catalogue.codes[attribute]], [term.lower() for term in given[attribute]])
    prices = bundle.items.prices
    fits &= np.array(prices >= given.get("price_min", -np.inf)) | ("price_min" not in given)
    fits &= np.array(prices <= given.get("price_max", np.inf)) | ("price_max" not in given)
    return [bundle.item_ids[row] for row in np.flatnonzero(fits)]


def test_the_next_page_never_repeats_and_ends(build: Build, users: list[str]) -> None:
    recommender = build()
    for user in each(users):
        seen: list[str] = []
        page: str | None = None
        for _ in range(5):
            answer = recommend(recommender, asked(user, n=40, page=page))
            assert not set(ids(answer)) & set(seen)
            assert len(answer.items) == 40
            seen += ids(answer)
            page = answer.next_page
        rare = recommend(recommender, asked(user, n=100, price_min=100.0))
        assert rare.next_page is None
        assert rare.shortfall > 0


def test_pages_end_where_the_token_would_be_too_long(build: Build, users: list[str]) -> None:
    recommender, page, pages = build(), None, 0
    while pages == 0 or page is not None:
        answer = recommend(recommender, asked(users[0], n=100, page=page))
        page, pages = answer.next_page, pages + 1
        assert len(page or "") <= 6000
    assert pages == 11  # 1,000 items are remembered, and one more page follows
    with pytest.raises(InvalidInput, match="page token is not one"):
        recommend(recommender, asked(users[0], page="nonsense"))


def test_the_first_pages_are_the_longer_list(build: Build, users: list[str]) -> None:
    recommender = build()
    whole = ids(recommend(recommender, asked(users[0], n=20)))
    first = recommend(recommender, asked(users[0], n=10))
    second = recommend(recommender, asked(users[0], n=10, page=first.next_page))
    assert ids(first) == whole[:10]
    assert set(ids(second)) & set(whole[10:])


def test_a_context_is_left_out_changes_the_list_and_serves_strangers(
    build: Build, bundle: LoadedBundle, users: list[str]
) -> None:
    recommender = build()
    plain = recommend(recommender, asked(users[0], n=50))
    context = ids(plain)[:3]
    answer = recommend(recommender, asked(users[0], n=50, context=[*context, "gone"], explain=True))
    assert not set(context) & set(ids(answer))
    assert answer.notes == ["1 of 4 items of context are not in the catalogue."]
    assert ids(answer) != [item for item in ids(plain) if item not in context]
    stranger = recommend(recommender, asked("stranger", n=50, context=context, explain=True))
    assert stranger.degraded_level == "full"
    longest = recommend(recommender, asked("stranger", n=MAX_ITEMS, context=context))
    assert any("context" in item.source for item in longest.items)
    assert ids(stranger) != ids(recommend(recommender, asked("stranger", n=50)))


def test_what_goes_with_a_context_comes_first_and_nobody_is_said_to_have_bought_it(
    build: Build, bundle: LoadedBundle
) -> None:
    assert bundle.related is not None
    context = bundle.related.rows[np.argsort(-bundle.related.popularity[1:])[20:23]]
    near, _ = bundle.related.nearest(context, 20, None, bundle.items.neighbours)
    given = [bundle.item_ids[row] for row in context]
    answer = recommend(build(), asked("stranger", n=20, context=given, explain=True))
    popular = ids(recommend(build(), asked("stranger", n=20, exclude=given)))
    goes_with = {bundle.item_ids[row] for row in near}
    assert len(goes_with & set(ids(answer))) >= max(10, 2 * len(goes_with & set(popular)))
    assert not [
        item.explanation.reason for item in answer.items if item.explanation and "you b" in item.explanation.reason
    ]


def test_given_items_are_wanted_by_taste_or_by_the_context(
    build: Build, bundle: LoadedBundle, lookup: FeastLookup, users: list[str]
) -> None:
    assert bundle.related is not None
    context = bundle.related.rows[np.argsort(-bundle.related.popularity[1:])[20:21]]
    near = bundle.related.everything_near(context, bundle.items.neighbours)
    given, items = [bundle.item_ids[row] for row in context], [bundle.item_ids[row] for row in near.best(40)[0][::2]]
    without = OneRelease(replace(bundle, related=None), "stable")
    now = frozen_clock(bundle.manifest.data_end_timestamp)
    plain = new_recommender(without, lookup, Metrics(CollectorRegistry()), now)

    def scores(recommender: Recommender) -> dict[str, float]:
        found = recommender.rank(RankingRequest(user_id=users[0], item_ids=items, context=given))
        assert found.scores == sorted(found.scores, reverse=True)
        return dict(zip(found.item_ids, found.scores, strict=True))

    both, own = scores(build()), scores(plain)
    rows = bundle.vocabularies["item_id"].encode(items).astype(np.int64) - 1
    for item, nearness in zip(items, near.of(rows).tolist(), strict=True):
        neither = (1 - 1 / (1 + np.exp(-own[item]))) * np.exp(-nearness)  # wanted neither by taste nor by context
        assert both[item] == pytest.approx(np.log(1 / neither - 1), abs=1e-4)


def test_the_models_see_a_context_as_just_bought(build: Build, bundle: LoadedBundle) -> None:
    context, now = np.array([7, 3]), frozen_clock(bundle.manifest.data_end_timestamp)()[0]
    stranger = nobody()
    user = build()._path.user(bundle, "stranger", stranger, context, history_in(bundle, stranger))
    assert user.history.item_rows.tolist() == [7, 3]
    assert user.history.last.tolist() == [now, now]


def test_without_companions_the_context_still_counts_and_the_loss_is_counted(
    build: Build, lookup: FeastLookup, users: list[str]
) -> None:
    registry = CollectorRegistry()
    recommender = build(store=NoCompanions(lookup), registry=registry)
    context = ids(recommend(recommender, asked(users[0], n=2)))
    answer = recommend(recommender, asked(users[0], n=5, context=context, explain=True))
    assert len(answer.items) == 5
    assert registry.get_sample_value("tandem_context_lost_total") == 1


def test_while_the_store_is_down_filters_hold_and_what_cannot_is_said(build: Build, bundle: LoadedBundle) -> None:
    answer = recommend(
        build(store=StoreDown()), asked("1", n=100, department=["Produce"], include_seen=False, explain=True)
    )
    assert answer.degraded_level == "popularity"
    assert {item.department for item in answer.items} == {"PRODUCE"}
    assert answer.notes == ["include_seen=false: the user's purchases are not known, so some may be in the list."]
    explanation = answer.items[0].explanation
    assert explanation is not None
    assert explanation.reason.startswith("Popular this month")
    assert (explanation.proposals[0].rank, explanation.ranking_score) == (1, None)


def test_what_runs_out_of_stock_is_replaced_and_why_not_says_so(
    flat: LoadedBundle, lookup: FeastLookup, users: list[str]
) -> None:
    def over(bundle: LoadedBundle) -> Recommender:
        now = frozen_clock(bundle.manifest.data_end_timestamp)
        metrics = Metrics(CollectorRegistry())
        return new_recommender(OneRelease(bundle, "stable"), lookup, metrics, now)

    for user in each(users):
        listed = ids(recommend(over(flat), asked(user, n=10)))
        in_stock = ~np.isin(flat.item_ids, listed[:4])
        later = over(replace(flat, items=replace(flat.items, in_stock=in_stock)))
        now = ids(recommend(later, asked(user, n=10)))
        assert len(now) == 10
        assert not set(now) & set(listed[:4])
        assert later.why_not(asked(user, n=10), listed[0]).kept_out_by == ["out_of_stock"]
        assert ids(recommend(later, asked(user, n=10, include_out_of_stock=True))) == listed


def test_a_seed_orders_equal_scores_and_nothing_else(build: Build) -> None:
    recommender = build()
    one, again, other, plain = (recommend(recommender, asked("stranger", n=100, seed=seed)) for seed in (1, 1, 2, None))
    assert ids(one) == ids(again)
    assert [item.score for item in one.items] == [item.score for item in plain.items]
    assert ids(one) != ids(other)


def test_retrieval_takes_filters(build: Build, bundle: LoadedBundle, users: list[str]) -> None:
    given: dict[str, Any] = {"department": ["Produce"], "price_max": 2.0}
    answer = build().retrieve(RetrievalRequest(user_id=users[0], k=1000, **given))
    assert set(answer.item_ids) <= set(_passing(bundle, given))
    assert len(answer.item_ids) == min(1000, len(_passing(bundle, given)))


def test_similar_items_are_by_baskets_then_by_content(bundle: LoadedBundle, lookup: FeastLookup) -> None:
    items = RelatedItems(OneRelease(bundle, "stable"), lookup, Metrics(CollectorRegistry()))
    item = bundle.item_ids[int(bundle.items.popular[0])]
    answer = items.similar(item, 50, Filters(department=["Produce"]))
    kinds = [other.by for other in answer.items]
    first = kinds.index("content")
    assert 0 < first < 50 and set(kinds[:first]) == {"baskets"} and set(kinds[first:]) == {"content"}
    for part in (answer.items[:first], answer.items[first:]):
        nearness = [other.similarity for other in part]
        assert nearness == sorted(nearness, reverse=True) and 0 < nearness[0] <= 1.0001
    assert len({other.item_id for other in answer.items} - {item}) == 50
    assert {other.department for other in answer.items} == {"PRODUCE"}


def test_a_bundle_without_counts_of_baskets_has_similar_items_by_cosine(
    bundle: LoadedBundle, lookup: FeastLookup
) -> None:
    items = RelatedItems(OneRelease(replace(bundle, related=None), "stable"), lookup, Metrics(CollectorRegistry()))
    item = bundle.item_ids[int(bundle.items.popular[0])]
    answer = items.similar(item, 10, Filters(department=["Produce"], exclude=[]))
    cosines = [other.similarity for other in answer.items]
    assert len(cosines) == 10 and cosines == sorted(cosines, reverse=True)
    assert {other.department for other in answer.items} == {"PRODUCE"}
    assert item not in [other.item_id for other in items.similar(item, 10, Filters()).items]
    assert items.similar(item, 10, Filters(price_min=1e6)).shortfall == 10
    with pytest.raises(UnknownItem, match="'gone' is not in the catalogue"):
        items.similar("gone", 1, Filters())


def test_what_a_history_lacks_is_left_out_with_what_was_bought(
    build: Build, lookup: FeastLookup, users: list[str]
) -> None:
    plain = recommend(build(), RecommendationRequest(user_id=users[0], n=20, include_seen=False))
    older = [item.item_id for item in plain.items[:3]] + ["gone"]
    recommender = build(store=Remembering(lookup, older))
    answer = recommend(recommender, RecommendationRequest(user_id=users[0], n=20, include_seen=False))
    assert not {item.item_id for item in answer.items} & set(older) and not answer.notes
    assert {item.item_id for item in recommend(recommender, RecommendationRequest(user_id=users[0], n=50)).items}
    outcome = recommender.why_not(RecommendationRequest(user_id=users[0], include_seen=False), older[0])
    assert outcome.stage is Stage.FILTERED and outcome.kept_out_by == ["seen"]
    retrieved = recommender.retrieve(RetrievalRequest(user_id=users[0], k=100, include_seen=False))
    assert not set(retrieved.item_ids) & set(older)


@pytest.mark.parametrize("bought", [None, OnlineStoreError("no answer")])
def test_what_cannot_be_known_of_older_purchases_is_said(
    build: Build, lookup: FeastLookup, users: list[str], bought: OnlineStoreError | None
) -> None:
    recommender = build(store=Remembering(lookup, bought))
    answer = recommend(recommender, RecommendationRequest(user_id=users[0], include_seen=False))
    (note,) = answer.notes
    assert note.startswith(
        "include_seen=false: what the user bought more than 365 days ago, or before the latest 1,000"
    )
    assert not recommend(recommender, RecommendationRequest(user_id=users[0])).notes


# --- rules in lists


def test_rules_hold_in_lists_of_every_level(build: Build, bundle: LoadedBundle, users: list[str]) -> None:
    """A pin, a denial, a cap and a quota at once, for known and unknown users alike."""
    pinned = bundle.item_ids[-1]
    recommender = build(
        f"""
  - {{name: launch, surfaces: [home], pin: {{item_id: "{pinned}", position: 2}}}}
  - {{name: no-grocery, deny: {{where: {{department: [GROCERY]}}}}}}
  - {{name: mixed, cap: {{at_most: 3, per: category}}}}
  - {{name: green, quota: {{at_least: 4, where: {{department: [PRODUCE]}}}}}}
  - {{name: elsewhere, surfaces: [basket], pin: {{item_id: "{pinned}", position: 1}}}}
"""
    )
    for user in each(users):
        answer = recommend(recommender, asked(user, n=12, explain=True))
        assert answer.items[1].item_id == pinned
        assert answer.items[1].explanation and answer.items[1].explanation.rules == ["launch"]
        assert "Grocery" not in {item.department for item in answer.items}
        assert [item.department for item in answer.items].count("PRODUCE") >= 4
        rows = [bundle.item_ids.index(item) for item in ids(answer)]
        categories = bundle.items.catalogue.codes["category"][rows]
        assert np.bincount(categories).max() <= 3
        assert answer.rules_version and answer.rules_version.startswith("test-")
        assert recommend(recommender, asked(user, surface="basket")).items[0].item_id == pinned


def test_a_pin_yields_to_a_filter(build: Build, bundle: LoadedBundle, users: list[str]) -> None:
    pinned = bundle.item_ids[-1]
    recommender = build(f'  - {{name: launch, pin: {{item_id: "{pinned}", position: 1}}}}')
    assert pinned not in ids(recommend(recommender, asked(users[0], exclude=[pinned])))


def test_a_cap_that_leaves_too_few_is_the_shortfalls_reason(build: Build, users: list[str]) -> None:
    recommender = build("  - {name: one-each, cap: {at_most: 1, per: department}}")
    answer = recommend(recommender, asked(users[0], n=100))
    assert 0 < len(answer.items) < 33
    assert answer.shortfall_reason and answer.shortfall_reason.startswith("The rules one-each leave out")


def test_changed_rules_hold_within_a_second_and_faulty_ones_do_not(
    bundle: LoadedBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serving.rules.rule_file.LOOK_EVERY_SECONDS", 0.0)
    path, registry = tmp_path / "rules.yaml", CollectorRegistry()
    path.write_text("version: one\nrules: [{name: a, deny: {where: {brand: [Nobody]}}}]")
    book = RuleBook(path, registry)
    first = book.over(bundle)
    assert book.over(bundle) is first
    assert "rule a: the catalogue has no brand 'Nobody'" in caplog.text
    path.write_text("version: two\nrules: []")
    assert (book.over(bundle).rules_version or "").startswith("two-")
    path.write_text("version: three\nrules: [{name: x}]")
    assert (book.over(bundle).rules_version or "").startswith("two-")
    assert "refused, the old ones hold" in caplog.text
    path.unlink()
    assert (book.over(bundle).rules_version or "").startswith("two-")
    counted = [registry.get_sample_value("tandem_rules_read_total", {"outcome": o}) for o in ("read", "refused")]
    assert counted == [1, 2]


# --- why, and why not


def test_explanations_are_of_this_very_answer(
    build: Build, bundle: LoadedBundle, lookup: FeastLookup, users: list[str]
) -> None:
    answer = recommend(build(), asked(users[0], n=30, explain=True))
    for item in each(answer.items):
        assert item.explanation is not None
        assert "+".join(proposal.source for proposal in item.explanation.proposals) == item.source
        assert item.explanation.ranking_score == item.score
        assert ("repeat" in item.source) == (item.item_id in bought(lookup, users[0]))
        if item.explanation.reason.startswith(("You buy", "You have bought")):
            assert item.item_id in bought(lookup, users[0])
    assert [item.explanation.position_without_rules for item in answer.items if item.explanation] == list(range(1, 31))


def test_without_explain_there_is_none(build: Build, users: list[str]) -> None:
    assert all(item.explanation is None for item in each(recommend(build(), asked(users[0])).items))


def test_the_stage_that_is_told_is_the_real_one(
    build: Build, bundle: LoadedBundle, lookup: FeastLookup, users: list[str]
) -> None:
    """For items all over the catalogue: shown if and only if in the list, ranked if in a longer one, and so on."""
    recommender = build()
    for user in each(users):
        request = asked(user, n=10, category=["Soft Drinks", "Cheese"])
        listed, longer = (ids(recommend(recommender, request.model_copy(update={"n": n}))) for n in (10, 100))
        passing = set(_passing(bundle, {"category": ["Soft Drinks", "Cheese"]}))
        some = [*listed[:3], *longer[30:40:5], *sorted(passing)[:400:50], *bundle.item_ids[:5], "gone"]
        for item in some:
            why_not = recommender.why_not(request, item)
            expected = _expected(item, bundle, passing, listed)
            assert (
                (why_not.stage == expected) if expected else why_not.stage in (Stage.RANKED_BELOW, Stage.NOT_RETRIEVED)
            )
            _check_numbers(why_not, listed, longer)


def _expected(item: str, bundle: LoadedBundle, passing: set[str], listed: list[str]) -> Stage | None:
    if item not in bundle.item_ids:
        return Stage.UNKNOWN_ITEM
    if item not in passing:
        return Stage.FILTERED
    return Stage.SHOWN if item in listed else None


def _check_numbers(why_not: ItemOutcome, listed: list[str], longer: list[str]) -> None:
    if why_not.stage is Stage.FILTERED:
        assert why_not.kept_out_by == ["category"]
    if why_not.stage is Stage.SHOWN:
        assert why_not.position == why_not.ranked == listed.index(why_not.item_id) + 1
    if why_not.stage is Stage.RANKED_BELOW and why_not.item_id in longer:
        assert why_not.ranked == longer.index(why_not.item_id) + 1
    if why_not.stage is Stage.NOT_RETRIEVED:
        assert why_not.item_id not in longer
        assert why_not.ranking_score is None and why_not.proposals == []


def test_why_not_names_the_rule(build: Build, bundle: LoadedBundle, users: list[str]) -> None:
    first, second = ids(recommend(build(), asked(users[0], n=2)))
    request = asked(users[0], n=2)
    buried = build(f'  - {{name: last, bury: {{where: {{item_id: "{first}"}}}}}}').why_not(request, first)
    assert (buried.stage, buried.rules, buried.ranked) == (Stage.LEFT_OUT_BY_RULE, ["last"], 1)
    denied = build(f'  - {{name: recall, deny: {{where: {{item_id: "{first}"}}}}}}').why_not(request, first)
    assert (denied.stage, denied.kept_out_by) == (Stage.FILTERED, ["rule recall"])
    pushed = build(f'  - {{name: launch, pin: {{item_id: "{bundle.item_ids[-1]}", position: 1}}}}').why_not(
        request, second
    )
    assert (pushed.stage, pushed.rules) == (Stage.LEFT_OUT_BY_RULE, ["launch"])
    capped = build("  - {name: none-alike, cap: {at_most: 1, per: department}}")
    for item in each(ids(recommend(build(), asked(users[0], n=10)))):
        why_not = capped.why_not(asked(users[0], n=10), item)
        assert (why_not.stage is Stage.LEFT_OUT_BY_RULE) == (why_not.rules == ["none-alike"])


def test_what_was_asked_is_recorded_for_replay(build: Build, users: list[str]) -> None:
    sink = Kept()
    recommender = build(sink=sink)
    first = recommend(recommender, asked(users[0], n=5, department=["Produce"], surface="basket", explain=True))
    recommend(recommender, asked(users[0], n=5, department=["Produce"], page=first.next_page))
    one, two = sink.records
    assert one.request == {"n": 5, "department": ["Produce"], "surface": "basket"}
    assert (one.surface, one.page_offset, two.page_offset) == ("basket", 0, 5)
    assert RecommendationRequest(user_id=one.user_id, **one.request).department == ["Produce"]
