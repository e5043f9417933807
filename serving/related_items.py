"""What goes with an item."""

import numpy as np

from contracts.api.answers import AlsoBought, Companion, SimilarItem, SimilarItems
from contracts.arrays import Floats, Rows
from contracts.errors import InvalidInput
from contracts.features import names
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import NO_ROWS, Mask
from contracts.ranking.related import Nearness
from contracts.rules.selection import Filters
from serving.bundles.bundle import LoadedBundle
from serving.bundles.release import Releases
from serving.features.lookup import FeatureLookup
from serving.metrics import Metrics
from serving.recommendation.answer import prices_of
from serving.recommendation.scope import hidden_rows
from serving.retrieval.content import nearest_by_content
from serving.retrieval.filters import Exclusions, filtered, known_rows
from serving.retrieval.search import best

NO_NEARNESS = np.zeros(0, np.float32)
OVERSAMPLE = 4
"""The index orders by inner product, in which popular items are longer, so this many times n are compared by cosine."""


class UnknownItem(InvalidInput):
    """An item id that the catalogue lacks, where an answer needs one."""

    http_status = 404


class RelatedItems:
    """Companions of items."""

    def __init__(self, releases: Releases, lookup: FeatureLookup, metrics: Metrics) -> None:
        self._releases = releases
        self._lookup = lookup
        self._metrics = metrics

    def similar(self, item_id: str, n: int, filters: Filters, user_id: str | None = None) -> SimilarItems:
        """What goes with the item and the filters let pass: by baskets first, then by content.

        An item that is in few baskets, or came later, has its nearest by content. A bundle made before baskets were
        counted has the nearest embeddings. What the user has hidden is left out, where one is named.

        Raises UnknownItem, InvalidInput for a filter that the catalogue does not know, OnlineStoreError for a user.
        """
        bundle = self._releases.serving().bundle
        rows = known_rows([item_id], bundle.vocabularies)
        if len(rows) == 0:
            version = bundle.manifest.bundle_version
            raise UnknownItem(f"Item {item_id!r} is not in the catalogue of bundle {version}.")
        mask = filtered(
            filters,
            bundle.items,
            bundle.vocabularies,
            NO_ROWS,
            Exclusions(context=rows, hidden=self._hidden(user_id, bundle)),
        ).mask
        with self._metrics.stage("retrieval"):
            found, nearness, by = _related(bundle, rows, n, mask)
        items = [
            SimilarItem(
                item_id=bundle.item_ids[row],
                title=bundle.titles[row],
                department=bundle.departments[row],
                price=price,
                similarity=float(near),
                by=kind,
            )
            for row, price, near, kind in zip(
                found.tolist(), prices_of(bundle, found), nearness.tolist(), by, strict=True
            )
        ]
        version = bundle.manifest.bundle_version
        return SimilarItems(item_id=item_id, bundle_version=version, shortfall=n - len(items), items=items)

    def _hidden(self, user_id: str | None, bundle: LoadedBundle) -> Rows:
        if user_id is None:
            return NO_ROWS
        with self._metrics.stage("features"):
            return hidden_rows(self._lookup.user(user_id), bundle)

    def also_bought(self, item_id: str) -> AlsoBought:
        """What was bought together with an item. Raises OnlineStoreError.

        A companion that this bundle's catalogue lacks is left out: it could not be shown.
        """
        bundle = self._releases.serving().bundle
        with self._metrics.stage("features"):
            companions = self._lookup.companions(item_id)
        codes = bundle.vocabularies[names.ITEM_ID].encode(companion for companion, _ in companions)
        items = [
            Companion(
                item_id=companion,
                title=bundle.titles[code - 1],
                department=bundle.departments[code - 1],
                baskets=baskets,
            )
            for (companion, baskets), code in zip(companions, codes, strict=True)
            if code != OUT_OF_VOCABULARY
        ]
        return AlsoBought(item_id=item_id, items=items)


def _related(bundle: LoadedBundle, one: Rows, n: int, allowed: Mask | None) -> tuple[Rows, Floats, list[Nearness]]:
    """([m] rows, [m] how near, [m] by what); m is n or less. one: [1] row."""
    if bundle.related is None:
        rows, cosines = _most_alike(bundle, int(one[0]), n, allowed)
        return rows, cosines, [Nearness.EMBEDDING] * len(rows)
    rows, nearness = bundle.related.nearest(one, n, allowed, bundle.items.neighbours)
    alike, alikeness = NO_ROWS, NO_NEARNESS
    if len(rows) < n:
        alike, alikeness = nearest_by_content(bundle.items, int(one[0]), n - len(rows), rows, allowed)
    by = [Nearness.BASKETS] * len(rows) + [Nearness.CONTENT] * len(alike)
    return np.concatenate([rows, alike]), np.concatenate([nearness, alikeness]), by


def _most_alike(bundle: LoadedBundle, row: int, n: int, allowed: Mask | None) -> tuple[Rows, Floats]:
    """(rows, cosines) of the n nearest of the nearest by inner product."""
    embeddings = bundle.items.embeddings
    near, _ = bundle.nearest(embeddings[row], OVERSAMPLE * n, allowed)
    lengths = np.linalg.norm(embeddings[near], axis=1) * np.linalg.norm(embeddings[row])
    return best(near, embeddings[near] @ embeddings[row] / np.maximum(lengths, 1e-9), n)
