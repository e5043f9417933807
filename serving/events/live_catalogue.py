"""The catalogue as it is now: what was posted since a bundle was made, laid over the bundle in a new snapshot.

Always from the sealed bundle and everything that was posted, so applying it again changes nothing, and a server that
starts or swaps its bundle comes to the same catalogue by reading the log.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from contracts.events.items import SHELVES, CatalogueItem, shelf_of
from contracts.features import names
from contracts.features.vocabulary import OUT_OF_VOCABULARY, Vocabulary
from contracts.ranking.candidates import ItemSide
from contracts.ranking.inputs import Catalogue
from contracts.rules.selection import ATTRIBUTES
from serving.bundles.bundle import LoadedBundle
from serving.events.log import EventLog, Logged
from serving.events.metrics import CatalogueMetrics
from serving.events.new_items import NONE_ABSENT, Absent, NewItems, Placement

AT_ONCE = 1000
APART_SECONDS = 1.0
"""Between two snapshots: one costs 0.1 s of CPU for 100,000 items, however many of them change."""


@dataclass(frozen=True)
class ReceivedItem:
    """An item with all that was posted of it, and when that was last."""

    item: CatalogueItem
    received_seconds: float


class Replaceable(Protocol):
    """Bundles that serve, and can be changed while they do."""

    def replace(self, change: Callable[[LoadedBundle], LoadedBundle]) -> None:
        """Serves changed copies of the bundles that serve."""
        ...


class LiveCatalogue:
    """What was posted, read from the log and kept in effect."""

    def __init__(self, log: EventLog, metrics: CatalogueMetrics) -> None:
        self._log = log
        self._metrics = metrics
        self._items: dict[str, ReceivedItem] = {}
        self._placement = Placement(metrics)
        self._position = 0
        self._next = 0.0
        self._waiting: list[tuple[str, float]] = []  # items that are read and not in effect, and when each was received
        self._absent = NONE_ABSENT  # from a bundle that was changed since the last step began

    def over(self, bundle: LoadedBundle) -> LoadedBundle:
        """The bundle with everything that was posted by now. Raises BundleRefused where there is no tower to ask."""
        posted = dict(self._items)  # a copy: a bundle may be loaded while the log is read
        live, absent = laid_over(bundle, posted, self._placement)
        self._absent = self._absent.joined(absent)
        return live

    def read(self) -> list[tuple[str, float]]:
        """Ids of what had not been read before, and when each change was received. Raises EventLogError."""
        changes: list[tuple[str, float]] = []
        while entries := self._log.read(self._position, AT_ONCE):
            changes += [(self._take(entry), entry.received_seconds) for entry in entries]
            self._position = entries[-1].position
        return changes

    def _take(self, entry: Logged) -> str:
        """The item's id; empty for a change that this release cannot read."""
        try:
            item = CatalogueItem.model_validate_json(entry.payload)
        except ValidationError:  # of another release; it stays in the log and is counted
            self._metrics.unreadable()
            return ""
        known = self._items.get(item.item_id)
        whole = known.item.updated(item) if known else item
        self._items[item.item_id] = ReceivedItem(whole, entry.received_seconds)
        return item.item_id

    def begin(self, releases: Replaceable) -> None:
        """Puts in effect what was posted before this server started; how long ago that was is not measured.

        Raises EventLogError or BundleRefused.
        """
        if self.read():
            releases.replace(self.over)

    def step(self, releases: Replaceable) -> int:
        """How many changes are in effect that were not before. Raises EventLogError or BundleRefused."""
        if time.monotonic() < self._next:
            return 0
        self._waiting += self.read()
        if not self._waiting and not self._absent.waiting:
            return 0
        self._absent = NONE_ABSENT
        releases.replace(self.over)
        absent = self._absent
        self._next = time.monotonic() + max(absent.again_seconds, APART_SECONDS)
        out = absent.waiting | absent.refused
        done = [received for item_id, received in self._waiting if item_id not in out]
        self._waiting = [change for change in self._waiting if change[0] in absent.waiting]
        self._metrics.recommendable(done, time.time())
        return len(done)


def laid_over(
    bundle: LoadedBundle, posted: Mapping[str, ReceivedItem], placement: Placement
) -> tuple[LoadedBundle, Absent]:
    """(A new snapshot: rows of new items after the bundle's own, later titles, prices and stock in their rows; which
    new items it goes without).

    What was posted of the bundle's own items before it was made is in its data already, or was overruled there.
    Raises BundleRefused where there is no tower to ask.
    """
    sealed = bundle.sealed
    made = datetime.fromisoformat(sealed.manifest.created_at).timestamp()
    known = sealed.vocabularies[names.ITEM_ID].encode(posted)
    unknown = [one.item for one, code in zip(posted.values(), known, strict=True) if code == OUT_OF_VOCABULARY]
    placed = placement.of(sealed, unknown)
    new = placed.items
    changed = {
        int(code) - 1: one.item
        for one, code in zip(posted.values(), known, strict=True)
        if code != OUT_OF_VOCABULARY and one.received_seconds > made
    }
    if not new and not changed:
        return sealed, placed.absent
    titles, departments = list(sealed.titles), list(sealed.departments)
    for row, item in changed.items():
        titles[row] = item.title or titles[row]
    titles += [item.title or item.item_id for item in new]
    departments += [shelf_of([getattr(item, column) for column in SHELVES]) for item in new]
    vocabularies = _with_later_terms(sealed, new)
    live = replace(
        sealed,
        base=sealed,
        vocabularies=vocabularies,
        titles=tuple(titles),
        departments=tuple(departments),
        items=replace(
            _offered(_appended(sealed.items, placed), changed, new), later_codes=_later_codes(sealed, new, vocabularies)
        ),
    )
    return live, placed.absent


def _with_later_terms(sealed: LoadedBundle, new: list[CatalogueItem]) -> dict[str, Vocabulary]:
    """The vocabularies with the ids of the new items, and with what filters may call them."""
    longer = {names.ITEM_ID: sealed.vocabularies[names.ITEM_ID].extended([item.item_id for item in new])}
    for attribute in ATTRIBUTES:
        vocabulary = sealed.vocabularies[attribute]
        terms = list(dict.fromkeys(term for item in new if (term := getattr(item, attribute)) is not None))
        known = vocabulary.encode(terms) != OUT_OF_VOCABULARY
        if later := [term for term, is_known in zip(terms, known, strict=True) if not is_known]:
            longer[attribute] = vocabulary.extended(later)
    return {**sealed.vocabularies, **longer}


def _later_codes(
    sealed: LoadedBundle, new: list[CatalogueItem], vocabularies: Mapping[str, Vocabulary]
) -> dict[str, npt.NDArray[np.int32]]:
    """[num_items] codes of each attribute whose vocabulary has grown, by its name."""
    return {
        attribute: np.concatenate(
            [
                sealed.items.codes_of(attribute),
                vocabularies[attribute].encode(getattr(item, attribute) for item in new),
            ]
        )
        for attribute in ATTRIBUTES
        if vocabularies[attribute] is not sealed.vocabularies[attribute]
    }


def _appended(side: ItemSide, new: NewItems) -> ItemSide:
    """The item side with rows for the new items. Nobody has bought them, so that they are not among what is popular."""
    if not new.items:
        return side
    count, added = len(new.items), new.catalogue
    rows = np.arange(len(side.embeddings), len(side.embeddings) + count)
    return ItemSide(
        catalogue=Catalogue(
            codes={
                column: np.concatenate([side.catalogue.codes[column], added.codes[column]]) for column in added.codes
            },
            sizes=side.catalogue.sizes,
            statistics=np.concatenate([side.catalogue.statistics, added.statistics]),
            text=np.concatenate([side.catalogue.text, added.text]),
        ),
        scaled_statistics=np.concatenate([side.scaled_statistics, added.scaled_statistics()]),
        embeddings=np.concatenate([side.embeddings, new.embeddings]),
        popularity=np.concatenate([side.popularity, np.zeros(count, np.float32)]),
        popular=np.concatenate([side.popular, rows]),
        prices=np.concatenate([side.prices, np.full(count, np.nan, np.float32)]),
        in_stock=np.concatenate([side.in_stock, np.ones(count, np.bool_)]),
        neighbours=side.neighbours,
    )


def _offered(side: ItemSide, changed: Mapping[int, CatalogueItem], new: list[CatalogueItem]) -> ItemSide:
    """The item side with the prices and the stock that were posted."""
    first = len(side.prices) - len(new)
    prices, in_stock = side.prices.copy(), side.in_stock.copy()
    for row, item in {**changed, **{first + at: item for at, item in enumerate(new)}}.items():
        if item.price is not None:
            prices[row] = item.price
        if item.in_stock is not None:
            in_stock[row] = item.in_stock
    return replace(side, prices=prices, in_stock=in_stock)
