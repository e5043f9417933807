"""The items of a page or basket: what they do to the query, and what goes with them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from contracts.arrays import Rows
from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.vocabulary import OUT_OF_VOCABULARY
from contracts.ranking.candidates import NO_ROWS, Mask
from contracts.ranking.related import Near
from serving.bundles.bundle import LoadedBundle
from serving.features.lookup import FeatureLookup, OnlineStoreError, UserFeatures
from serving.retrieval.content import nearest_by_content

READ_LATEST = 5
"""Context items whose companions are read: each costs one online read."""
NUM_SIMILAR = 30


@dataclass(frozen=True)
class ContextCandidates:
    """What goes with the context, best first, and how it was found."""

    rows: Rows = field(default_factory=lambda: NO_ROWS)
    near: Near | None = None  # all that is near by baskets; None without a context, or where the bundle has no baskets
    baskets: Mapping[int, Mapping[int, int]] = field(default_factory=dict)  # candidate to context rows, with baskets
    companions_read: bool = True  # False where the online store did not answer


def nobody() -> UserFeatures:
    """Features of an unknown user: a new visitor is known by the context of the request alone."""
    known = (*names.USER_PROFILE, *names.USER_STATISTICS, *names.SEQUENCE, *names.HISTORY)
    return dict.fromkeys(known)


def features_in_context(features: UserFeatures, context: Rows, bundle: LoadedBundle) -> UserFeatures:
    """The user's features as if the context items had just been bought."""
    if len(context) == 0:
        return features
    known = {name: list(features[name]) if features[name] is not None else [] for name in names.SEQUENCE}
    latest = {
        names.SEQUENCE_ITEM_IDS: [bundle.item_ids[row] for row in context],
        names.SEQUENCE_EVENT_TYPES: [EventType.PURCHASE.value] * len(context),
        # The tower reads times as days before the latest event: nothing lies between the context and that.
        names.SEQUENCE_TIMESTAMPS: (known[names.SEQUENCE_TIMESTAMPS][:1] or [0]) * len(context),
    }
    return {**features, **{name: latest[name] + known[name] for name in names.SEQUENCE}}


def context_candidates(
    bundle: LoadedBundle, context: Rows, allowed: Mask | None, lookup: FeatureLookup
) -> ContextCandidates:
    """What was bought together with the context items, then what is similar to them.

    In the order of nearness by baskets where the bundle has it, else of the companions' baskets.
    """
    if len(context) == 0:
        return ContextCandidates()
    try:
        baskets, read = _companions(bundle, context, lookup), True
    except OnlineStoreError:
        baskets, read = {}, False
    together = Counter({row: sum(counts.values()) for row, counts in baskets.items()})
    bought = np.array([row for row, _ in together.most_common()], np.int64)
    if bundle.related is not None:
        near = bundle.related.everything_near(context, bundle.items.neighbours)
        nearest, _ = near.best(NUM_SIMILAR, allowed)
        rest = bought[~np.isin(bought, nearest)]
        rows = np.concatenate([nearest, rest if allowed is None else rest[allowed[rest]]])
        return ContextCandidates(_filled(bundle, rows, context, allowed), near, baskets, read)
    direction = bundle.items.embeddings[context].mean(axis=0)
    similar, _ = bundle.nearest(direction, NUM_SIMILAR + len(context), allowed)
    rows = np.concatenate([bought, similar[~np.isin(similar, np.concatenate([bought, context]))][:NUM_SIMILAR]])
    return ContextCandidates(rows if allowed is None else rows[allowed[rows]], None, baskets, read)


def _filled(bundle: LoadedBundle, rows: Rows, context: Rows, allowed: Mask | None) -> Rows:
    """The rows, and what is like the latest context item by content where they are few."""
    missing = NUM_SIMILAR - len(rows)
    if missing <= 0:
        return rows
    alike, _ = nearest_by_content(bundle.items, int(context[0]), missing, np.concatenate([rows, context]), allowed)
    return np.concatenate([rows, alike])


def companions_of(bundle: LoadedBundle, row: int, lookup: FeatureLookup) -> dict[int, int]:
    """Catalogue rows bought together with one, and in how many baskets. Raises OnlineStoreError."""
    companions = lookup.companions(bundle.item_ids[row])
    codes = bundle.vocabularies[names.ITEM_ID].encode(item for item, _ in companions)
    counted = zip(codes.tolist(), companions, strict=True)
    return {code - 1: int(count) for code, (_, count) in counted if code != OUT_OF_VOCABULARY}


def _companions(bundle: LoadedBundle, context: Rows, lookup: FeatureLookup) -> dict[int, dict[int, int]]:
    baskets: dict[int, dict[int, int]] = {}
    in_context = set(context.tolist())
    for row in context[:READ_LATEST].tolist():
        for companion, count in companions_of(bundle, row, lookup).items():
            if companion not in in_context:
                baskets.setdefault(companion, {})[row] = count
    return baskets
