"""Where new items lie among the others: what the item tower of a bundle gives for them, in bounded time.

A tower is a program, and one item can be the input on which it never ends. Such an item is left out of the lists of
that bundle, and said; the others come in, and prices and stock go on changing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats
from contracts.errors import BundleRefused
from contracts.events.items import CatalogueItem
from contracts.features import encoding, names
from contracts.features.text import text_vectors
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import PRICE_COLUMN
from contracts.ranking.inputs import Catalogue
from serving.bundles.bundle import LoadedBundle
from serving.events.metrics import CatalogueMetrics
from serving.resilience.breaker import HeldUp

AT_ONCE: Final = 256
"""Items of one run of a tower, which has the time of one list."""
PATIENCE: Final = 3
"""Runs of one pass that are ended; the items that are left wait for the next pass."""


@dataclass(frozen=True)
class Absent:
    """Ids of new items that a bundle goes without."""

    refused: frozenset[str]  # its tower cannot embed them
    waiting: frozenset[str]  # the pass did not come to them, as it was broken off
    again_seconds: float  # until those that wait should be tried

    def joined(self, other: "Absent") -> "Absent":
        """What one of two bundles goes without."""
        longer = max(self.again_seconds, other.again_seconds)
        return Absent(self.refused | other.refused, self.waiting | other.waiting, longer)


NONE_ABSENT: Final = Absent(frozenset(), frozenset(), 0.0)


@dataclass(frozen=True)
class NewItems:
    """New items of one bundle. Row i of catalogue and embeddings is items[i]."""

    items: list[CatalogueItem]
    catalogue: Catalogue
    embeddings: Floats
    absent: Absent


class Placement:
    """Embeds new items, and remembers which of them a bundle's tower cannot embed."""

    def __init__(self, metrics: CatalogueMetrics | None = None) -> None:
        self._metrics = metrics
        self._refused: set[tuple[str, CatalogueItem]] = set()  # by version: another tower may embed them

    def of(self, sealed: LoadedBundle, items: Sequence[CatalogueItem]) -> NewItems:
        """Those that the bundle's tower embeds. Raises BundleRefused where there is no tower to ask."""
        version = sealed.manifest.bundle_version
        asked = [item for item in items if (version, _asked(item)) not in self._refused]
        catalogue = described(sealed, asked)
        embeddings = np.full((len(asked), sealed.manifest.embedding_dim), np.nan, np.float32)
        refused = {item.item_id for item in items} - {item.item_id for item in asked}
        one_pass = _Pass(sealed, catalogue, embeddings)
        for at in one_pass.run(len(asked)):
            self._refuse(version, asked[at], one_pass.reason)
            refused.add(asked[at].item_id)
        placed = np.isfinite(embeddings[:, 0])  # a row is filled as a whole
        kept = [item for item, is_placed in zip(asked, placed, strict=True) if is_placed]
        waiting = {item.item_id for item in asked} - {item.item_id for item in kept} - refused
        again_seconds = one_pass.held_up_seconds if one_pass.is_broken_off() else 0.0
        absent = Absent(frozenset(refused), frozenset(waiting), again_seconds)
        if placed.all():
            return NewItems(asked, catalogue, embeddings, absent)
        return NewItems(kept, described(sealed, kept), embeddings[placed], absent)

    def _refuse(self, version: str, item: CatalogueItem, reason: str) -> None:
        self._refused.add((version, _asked(item)))
        if self._metrics is not None:
            self._metrics.refused()
        logging.getLogger(__name__).error(
            "Item %r is in no list: the item tower of bundle %s cannot embed it (%s). Post it with another title, "
            "content or price, or serve another bundle.",
            item.item_id,
            version,
            reason,
        )


def _asked(item: CatalogueItem) -> CatalogueItem:
    """The item as far as a tower reads it."""
    return item.model_copy(update={"in_stock": None})


class _Pass:
    """One pass over new items; fills in their embeddings."""

    def __init__(self, sealed: LoadedBundle, catalogue: Catalogue, embeddings: Floats) -> None:
        self._sealed = sealed
        self._catalogue = catalogue
        self._embeddings = embeddings
        self._ended = 0
        self.held_up_seconds = 0.0
        self.reason = ""  # why the last run failed

    def is_broken_off(self) -> bool:
        return self._ended >= PATIENCE

    def run(self, count: int) -> Iterator[int]:
        """Rows that cannot be embedded. A group that fails is asked again, each item alone."""
        for start in range(0, count, AT_ONCE):
            group = range(start, min(start + AT_ONCE, count))
            if self.is_broken_off():
                return
            if self._embedded(group):
                continue
            for at in group:
                if self.is_broken_off():
                    return
                if not self._embedded(range(at, at + 1)):
                    yield at

    def _embedded(self, rows: range) -> bool:
        part = slice(rows.start, rows.stop)
        try:
            found = self._sealed.embed_items(_inputs(self._catalogue, part))
        except BundleRefused:
            raise
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises what it likes
            self.reason = f"{type(error).__name__}: {error}"
            if isinstance(error, HeldUp):
                self._ended += 1
                self.held_up_seconds = error.seconds
            return False
        if not np.isfinite(found).all():
            self.reason = "it gives NaN or infinity"
            return False
        self._embeddings[part] = found
        return True


def described(sealed: LoadedBundle, items: Sequence[CatalogueItem]) -> Catalogue:
    """What models read of new items.

    Nothing is known yet of how they sell: until the next bundle they are taken for the usual item of their category, at
    their own price.
    """
    known = sealed.items.catalogue
    codes: dict[str, npt.NDArray[np.int32]] = {
        column: sealed.vocabularies[column].encode(getattr(item, column) for item in items)
        for column in names.ITEM_CONTENT
    }
    statistics = known.usual_statistics(codes["category"])
    asked = np.array([np.nan if item.price is None else item.price for item in items], np.float32)
    statistics[:, PRICE_COLUMN] = np.where(np.isnan(asked), statistics[:, PRICE_COLUMN], asked)
    text = text_vectors([item.title for item in items], sealed.text_projection)
    return Catalogue(codes=codes, sizes=known.sizes, statistics=statistics, text=text)


def _inputs(catalogue: Catalogue, part: slice) -> encoding.Inputs:
    content = np.stack([catalogue.codes[column][part] for column in names.ITEM_CONTENT], axis=1)
    return encoding.candidate_inputs(
        np.full(len(content), OUT_OF_VOCABULARY, np.int32), content, catalogue.statistics[part], catalogue.text[part]
    )
