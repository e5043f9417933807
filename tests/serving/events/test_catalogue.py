"""The live catalogue over a sealed bundle: what may change, what must not, and the same again after a restart."""

import shutil
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.bundle.files import CANDIDATE_TOWER
from contracts.errors import BundleRefused
from contracts.events.items import CatalogueItem
from contracts.events.log import ITEMS
from contracts.features import encoding, names
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import FRESH, NO_ROWS, PRICE_COLUMN, SOURCES
from contracts.rules.selection import Filters
from serving.bundles.bundle import LoadedBundle, load_bundle
from serving.bundles.release import OneRelease
from serving.events.live_catalogue import LiveCatalogue, ReceivedItem, laid_over
from serving.events.log import ConsumedLog, Entry
from serving.events.metrics import CatalogueMetrics
from serving.events.new_items import Placement
from serving.events.open_log import open_log
from serving.retrieval import filters
from training.workspace import Workspace

pytestmark = pytest.mark.tf
PURCHASES = names.ITEM_STATISTICS.index("item_purchases_365d")
LATER = 4e9
"""After any bundle was made."""


@pytest.fixture(scope="module")
def bundle(trained: Workspace) -> LoadedBundle:
    return load_bundle(trained.bundles / "current")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ConsumedLog]:
    opened = open_log(f"sqlite:///{tmp_path / 'events.db'}", ITEMS)
    yield opened
    opened.close()


def content(bundle: LoadedBundle, row: int) -> dict[str, str]:
    codes = {column: bundle.items.catalogue.codes[column][row] for column in names.ITEM_CONTENT}
    return {column: bundle.vocabularies[column].terms[code - 1] for column, code in codes.items() if code}


def posted(*items: CatalogueItem, received: float = LATER) -> dict[str, ReceivedItem]:
    return {item.item_id: ReceivedItem(item, received) for item in items}


def over(bundle: LoadedBundle, items: dict[str, ReceivedItem]) -> LoadedBundle:
    return laid_over(bundle, items, Placement())[0]


def test_a_new_item_is_a_row_of_its_own_after_all_others(bundle: LoadedBundle) -> None:
    size = len(bundle.item_ids)
    new = CatalogueItem(item_id="new", title="New", price=2.5, **content(bundle, 7))
    live = over(bundle, posted(new))
    assert live.item_ids[:size] == bundle.item_ids
    assert (live.item_ids[size], live.titles[size]) == ("new", "New")
    assert live.items.prices[size] == np.float32(2.5)
    assert live.items.catalogue.codes["category"][size] == bundle.items.catalogue.codes["category"][7]
    assert live.items.popularity[size] == 0
    assert live.items.popular[-1] == size
    assert len(live.items.embeddings) == len(live.items.scaled_statistics) == len(live.items.in_stock) == size + 1
    assert live.index.ntotal == size
    assert len(bundle.item_ids) == size  # what requests of before hold is as it was


def test_a_new_item_is_found_beside_the_index_and_by_the_source_for_it(bundle: LoadedBundle) -> None:
    size = len(bundle.item_ids)
    live = over(bundle, posted(CatalogueItem(item_id="new", **content(bundle, 7))))
    query = live.items.embeddings[size].copy()
    query[-4:] = 0  # popularity; of taste nothing is nearer to it than itself
    rows, scores = live.nearest(query, 2000)
    assert size in rows
    assert (np.diff(scores) <= 0).all()
    assert scores[rows.tolist().index(size)] == pytest.approx(query @ query, rel=1e-5)
    assert live.later(query, 20).tolist() == [size]
    assert bundle.later(query, 20).tolist() == []
    assert FRESH in SOURCES


def test_a_new_item_is_taken_for_the_usual_one_of_its_category_at_its_own_price(bundle: LoadedBundle) -> None:
    size, known = len(bundle.item_ids), bundle.items.catalogue
    row = int(np.argmax(known.statistics[:, PURCHASES]))
    new = CatalogueItem(item_id="new", title=bundle.titles[row], price=2.5, **content(bundle, row))
    live = over(bundle, posted(new, CatalogueItem(item_id="unheard", category="UNHEARD OF")))
    bought = known.statistics[:, PURCHASES] > 0
    usual = known.statistics[bought & (known.codes["category"] == known.codes["category"][row])].mean(axis=0)
    usual[PRICE_COLUMN] = 2.5
    np.testing.assert_allclose(live.items.catalogue.statistics[size], usual, rtol=1e-5)
    of_all = known.statistics[bought].mean(axis=0)
    np.testing.assert_allclose(live.items.catalogue.statistics[size + 1], of_all, rtol=1e-5)
    inputs = {
        encoding.ITEM: np.zeros(1, np.int32),  # no id was learned of it
        encoding.CONTENT: np.array([[known.codes[column][row] for column in names.ITEM_CONTENT]], np.int32),
        encoding.ITEM_STATISTICS_INPUT: usual[np.newaxis],
        encoding.TEXT: known.text[[row]],
    }
    expected = bundle.candidate_tower.embed(inputs)[0]
    np.testing.assert_allclose(live.items.embeddings[size], expected, atol=1e-6)
    assert live.items.popularity[size] == 0  # what is popular has been bought


def test_an_item_of_the_bundle_changes_its_offer_and_keeps_its_place(bundle: LoadedBundle) -> None:
    known = bundle.item_ids[5]
    change = CatalogueItem(item_id=known, title="Renamed", department="OTHER", price=9.0, in_stock=False)
    live = over(bundle, posted(change))
    assert (live.titles[5], live.departments[5]) == ("Renamed", bundle.departments[5])
    assert (live.items.prices[5], live.items.in_stock[5]) == (9.0, False)
    assert live.items.embeddings is bundle.items.embeddings
    assert bundle.items.in_stock[5]


def test_a_bundle_overrules_what_was_posted_before_it_was_made(bundle: LoadedBundle) -> None:
    made = datetime.fromisoformat(bundle.manifest.created_at).timestamp()
    change = CatalogueItem(item_id=bundle.item_ids[5], price=9.0)
    assert over(bundle, posted(change, received=made - 1)) is bundle
    new = CatalogueItem(item_id="new")
    assert over(bundle, posted(new, received=made - 1)).item_ids[-1] == "new"  # it knows nothing of that one


def test_laying_over_again_starts_from_the_sealed_bundle(bundle: LoadedBundle) -> None:
    once = over(bundle, posted(CatalogueItem(item_id="new")))
    twice = over(once, posted(CatalogueItem(item_id="new"), CatalogueItem(item_id="newer")))
    assert twice.item_ids[len(bundle.item_ids) :] == ("new", "newer")
    assert twice.sealed is bundle
    assert (twice.titles[-1], twice.departments[-1]) == ("newer", "")  # nothing else is known of it
    shelved = over(bundle, posted(CatalogueItem(item_id="new", title="tent, Blue", category="Camping")))
    assert (shelved.titles[-1], shelved.departments[-1]) == ("tent, Blue", "Camping")
    assert over(twice, {}) is bundle


def test_the_towers_read_the_vocabulary_that_they_were_trained_with(bundle: LoadedBundle) -> None:
    """A row number beyond their tables would be an error in the middle of a request."""
    live = over(bundle, posted(CatalogueItem(item_id="new")))
    assert live.vocabularies[names.ITEM_ID].encode(["new"])[0] == len(bundle.item_ids) + 1
    assert live.sealed.vocabularies[names.ITEM_ID].encode(["new"])[0] == 0


def test_later_posts_add_to_earlier_ones_and_a_restart_reads_them_all(bundle: LoadedBundle, log: ConsumedLog) -> None:
    registry = CollectorRegistry()
    releases = OneRelease(bundle, "stable")
    catalogue = LiveCatalogue(log, CatalogueMetrics(registry))
    post(log, CatalogueItem(item_id="new", title="New", price=2.0), CatalogueItem(item_id="new", in_stock=False))
    log.append([Entry("broken", '{"price": "free"}')])
    assert catalogue.step(releases) == 3
    assert catalogue.step(releases) == 0
    assert registry.get_sample_value("tandem_time_to_recommendable_seconds_count") == 3
    assert registry.get_sample_value("tandem_items_unreadable_total") == 1
    live = releases.serving().bundle
    assert (live.titles[-1], live.items.prices[-1], live.items.in_stock[-1]) == ("New", 2.0, False)
    restarted = CollectorRegistry()
    again, fresh = LiveCatalogue(log, CatalogueMetrics(restarted)), OneRelease(bundle, "stable")
    again.begin(fresh)
    assert fresh.serving().bundle.item_ids == live.item_ids
    assert restarted.get_sample_value("tandem_time_to_recommendable_seconds_count") == 0


def post(log: ConsumedLog, *items: CatalogueItem) -> None:
    log.append([Entry(uuid.uuid4().hex, item.model_dump_json(exclude_unset=True)) for item in items])


def test_a_tower_that_was_altered_on_the_disk_is_refused(trained: Workspace, tmp_path: Path) -> None:
    shutil.copytree(trained.bundles / "current", tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / CANDIDATE_TOWER).write_bytes(b"something else")
    with pytest.raises(BundleRefused, match=r"candidate_tower.onnx is altered"):
        over(loaded, posted(CatalogueItem(item_id="new")))


def test_what_a_posted_item_is_called_can_be_filtered_by(bundle: LoadedBundle) -> None:
    """A term in any case, next to the bundle's own terms; the towers still read it as unknown."""
    size = len(bundle.item_ids)
    own = bundle.vocabularies["department"].terms[0]
    new = [
        CatalogueItem(item_id="new-1", department="Pet care", category="Ünknown, with comma", brand="Rex"),
        CatalogueItem(item_id="new-2", department="PET CARE"),
        CatalogueItem(item_id="new-3", department=own),
        CatalogueItem(item_id="new-4"),
    ]
    live = over(bundle, posted(*new))

    def passing(**asked: list[str]) -> list[int]:
        found = filters.filtered(Filters(**asked), live.items, live.vocabularies, NO_ROWS, filters.Exclusions())
        assert found.mask is not None
        return np.flatnonzero(found.mask).tolist()

    assert passing(department=["pet CARE"]) == [size, size + 1]
    assert passing(category=["ünknown, with comma"]) == passing(brand=["rex"]) == [size]
    known = filters.filtered(
        Filters(department=[own]), bundle.items, bundle.vocabularies, NO_ROWS, filters.Exclusions()
    )
    assert known.mask is not None
    assert passing(department=[own]) == [*np.flatnonzero(known.mask).tolist(), size + 2]
    assert live.items.catalogue.codes["department"][size] == OUT_OF_VOCABULARY
    assert live.sealed.vocabularies["department"].terms == bundle.vocabularies["department"].terms
