"""New items on which an item tower never ends, or fails: they are left out and said, and the others come in."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from prometheus_client import CollectorRegistry

from contracts.events.items import CatalogueItem
from contracts.events.log import ITEMS
from contracts.features import encoding, names
from serving.bundles.bundle import CandidateTower, LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.events.live_catalogue import LiveCatalogue, ReceivedItem, laid_over
from serving.events.log import ConsumedLog, Entry
from serving.events.metrics import CatalogueMetrics
from serving.events.new_items import AT_ONCE, NONE_ABSENT, PATIENCE, Absent, Placement
from serving.events.open_log import open_log
from serving.resilience.run_limit import RunLimit
from tests.support.bundles.broken_models import tower_looping_for
from training.workspace import Workspace

pytestmark = pytest.mark.tf
LOOPS_ABOVE = 1e6
LIMIT_SECONDS = 0.1


def good(number: int) -> CatalogueItem:
    return CatalogueItem(item_id=f"good-{number}", price=1.0)


def bad(number: int) -> CatalogueItem:
    return CatalogueItem(item_id=f"bad-{number}", price=2 * LOOPS_ABOVE)


class Runs:
    """Runs with a limit, and counts them."""

    def __init__(self, limit: RunLimit) -> None:
        self.count = 0
        self._limit = limit

    def __call__(self, session: onnxruntime.InferenceSession, inputs: dict[str, Any]) -> list[Any]:
        self.count += 1
        return self._limit.run(session, inputs)


@pytest.fixture
def runs() -> Iterator[Runs]:
    limit, stop = RunLimit(LIMIT_SECONDS), threading.Event()
    thread = threading.Thread(target=limit.watch, args=(stop,))
    thread.start()
    yield Runs(limit)
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def whole(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture
def bundle(whole: LoadedBundle, runs: Runs) -> LoadedBundle:
    """Its item tower never ends on an item of a high price."""
    known = whole.items.catalogue
    sizes = {
        encoding.CONTENT: len(names.ITEM_CONTENT),
        encoding.ITEM_STATISTICS_INPUT: known.statistics.shape[1],
        encoding.TEXT: known.text.shape[1],
    }
    model = tower_looping_for(sizes, whole.manifest.embedding_dim, LOOPS_ABOVE)
    return replace(whole, candidate_tower=CandidateTower(lambda: model), run=runs)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ConsumedLog]:
    opened = open_log(f"sqlite:///{tmp_path / 'events.db'}", ITEMS)
    yield opened
    opened.close()


def post(log: ConsumedLog, *items: CatalogueItem) -> None:
    log.append([Entry(item.item_id, item.model_dump_json(exclude_unset=True)) for item in items])


def ids(placed: Any) -> list[str]:
    return [item.item_id for item in placed.items]


def test_an_item_on_which_the_tower_never_ends_is_left_out_and_the_others_come_in(
    bundle: LoadedBundle, log: ConsumedLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Before, the thread that follows the catalogue never came back, and held the lock of every change of bundles."""
    registry, releases = CollectorRegistry(), OneRelease(bundle, "stable")
    catalogue = LiveCatalogue(log, CatalogueMetrics(registry))
    size = len(bundle.item_ids)
    post(log, good(1), bad(1), good(2), CatalogueItem(item_id=bundle.item_ids[0], price=7.0))
    assert catalogue.step(releases) == 3
    live = releases.serving().bundle
    assert live.item_ids[size:] == ("good-1", "good-2")
    assert live.items.prices[0] == 7.0
    assert registry.get_sample_value("tandem_items_refused_total") == 1
    assert registry.get_sample_value("tandem_time_to_recommendable_seconds_count") == 3
    assert "Item 'bad-1' is in no list: the item tower of bundle" in caplog.text
    assert "longer than 0.1 s and was ended (TANDEM_MODEL_RUN_SECONDS)" in caplog.text


def test_a_server_starts_where_such_an_item_was_posted_before(bundle: LoadedBundle, log: ConsumedLog) -> None:
    post(log, bad(1), good(1))
    releases = OneRelease(bundle, "stable")
    LiveCatalogue(log, CatalogueMetrics(CollectorRegistry())).begin(releases)
    assert releases.serving().bundle.item_ids[-1] == "good-1"


def test_what_was_refused_is_asked_again_when_it_is_another_item_or_another_bundle(
    bundle: LoadedBundle, runs: Runs
) -> None:
    registry = CollectorRegistry()
    placement = Placement(CatalogueMetrics(registry))
    assert ids(placement.of(bundle, [bad(1)])) == []
    asked = runs.count
    placement.of(bundle, [bad(1).model_copy(update={"in_stock": False})])
    assert runs.count == asked  # a tower does not read the stock
    assert ids(placement.of(bundle, [bad(1).model_copy(update={"price": 2.0})])) == ["bad-1"]
    other = replace(bundle, manifest=bundle.manifest.model_copy(update={"bundle_version": "other"}))
    placement.of(other, [bad(1)])
    assert registry.get_sample_value("tandem_items_refused_total") == 2


def test_a_pass_is_broken_off_after_a_few_ended_runs_and_the_next_one_goes_on(bundle: LoadedBundle, runs: Runs) -> None:
    """The first group is ended, then two of its items alone; nobody waits for more."""
    placement, items = (
        Placement(),
        [*(bad(number) for number in range(4)), *(good(number) for number in range(AT_ONCE))],
    )
    first = placement.of(bundle, items)
    assert ids(first) == []
    assert runs.count == PATIENCE
    assert first.absent.refused == {"bad-0", "bad-1"}
    assert len(first.absent.waiting) == 2 + AT_ONCE
    assert first.absent.again_seconds == 10 * LIMIT_SECONDS
    second = placement.of(bundle, items)  # the group is ended, and the other two
    assert ids(second) == []
    assert second.absent.refused == {f"bad-{number}" for number in range(4)}
    third = placement.of(bundle, items)
    assert len(third.items) == AT_ONCE
    assert (third.absent.refused, third.absent.waiting) == (second.absent.refused, frozenset())
    assert third.absent.again_seconds == 0


def test_what_two_bundles_go_without_is_what_either_does() -> None:
    stable = Absent(frozenset({"a"}), frozenset({"b"}), 3.0)
    challenger = Absent(frozenset({"c"}), frozenset(), 0.0)
    assert stable.joined(challenger) == Absent(frozenset({"a", "c"}), frozenset({"b"}), 3.0)
    assert NONE_ABSENT.joined(stable) == stable


def test_what_a_broken_off_pass_left_comes_in_without_another_post(bundle: LoadedBundle, log: ConsumedLog) -> None:
    releases, registry = OneRelease(bundle, "stable"), CollectorRegistry()
    catalogue = LiveCatalogue(log, CatalogueMetrics(registry))
    post(log, bad(1), bad(2), good(1))
    assert catalogue.step(releases) == 0
    assert catalogue.step(releases) == 0  # not yet: the tower is left alone for a while
    catalogue._next = 0.0
    assert catalogue.step(releases) == 1
    assert releases.serving().bundle.item_ids[-1] == "good-1"
    assert registry.get_sample_value("tandem_time_to_recommendable_seconds_count") == 1


class Failing(CandidateTower):
    """Raises for some prices and gives NaN for others, as models do."""

    def embed(self, inputs: dict[str, Any], run: Any = None) -> Any:
        statistics = inputs[encoding.ITEM_STATISTICS_INPUT]
        if (statistics == 100).any():
            raise RuntimeError("bad_alloc")
        given = np.zeros((len(statistics), 64), np.float32)
        given[(statistics == 200).any(axis=1)] = np.nan
        return given


def test_an_item_for_which_the_tower_raises_or_gives_nan_is_left_out(
    whole: LoadedBundle, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = whole.manifest.model_copy(update={"embedding_dim": 64})
    bundle = replace(whole, candidate_tower=Failing(lambda: b""), manifest=manifest)
    items = [good(1), *(CatalogueItem(item_id=f"bad-{price}", price=price) for price in (100, 200)), good(2)]
    assert ids(Placement().of(bundle, items)) == ["good-1", "good-2"]
    assert "RuntimeError: bad_alloc" in caplog.text
    assert "it gives NaN or infinity" in caplog.text


def test_many_new_items_are_embedded_as_each_alone(whole: LoadedBundle) -> None:
    titles = [whole.titles[row] for row in range(AT_ONCE + 3)]
    posted = {
        f"new-{at}": ReceivedItem(CatalogueItem(item_id=f"new-{at}", title=title or "x"), 4e9)
        for at, title in enumerate(titles)
    }
    live, absent = laid_over(whole, posted, Placement())
    size = len(whole.item_ids)
    assert absent == NONE_ABSENT
    for at in (0, AT_ONCE - 1, AT_ONCE, AT_ONCE + 2):
        (alone,) = Placement().of(whole, [posted[f"new-{at}"].item]).embeddings
        np.testing.assert_allclose(live.items.embeddings[size + at], alone, atol=1e-5)
