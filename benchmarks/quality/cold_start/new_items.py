"""Items of which the shop knows the content alone, ordered by it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from onnxruntime import InferenceSession

from benchmarks.quality.cold_start.shop import NOTHING, Shop
from benchmarks.quality.cold_start.visitors import POPULARITY, SEGMENT
from contracts.arrays import Floats, Rows
from contracts.bundle.files import CANDIDATE_TOWER
from contracts.features import encoding, names
from contracts.features.names import DAY_SECONDS
from contracts.ranking.segments import SEGMENT_DAYS
from training.metrics.ranking_metrics import without
from training.retrieval.embeddings import Embeddings

TOWERS: Final = "towers, content alone"
CHANCE: Final = "any order"
LENGTH: Final = 100
KIND: Final = names.ITEM_CONTENT.index("subcategory")


def new_item_lists(shop: Shop, embeddings: Embeddings) -> tuple[dict[str, list[Rows]], list[Rows]]:
    """(lists of new items by name, truths among them), of users with a profile who bought one that they never had.

    New items have no popularity, so each has its subcategory's. All items of one subcategory are then alike.
    """
    bought, before, new = shop.bought(shop.start, shop.end), shop.bought(0, shop.start), shop.new_items
    truths = {}
    for row, user in enumerate(shop.now.user_ids):
        first = without(np.intersect1d(bought.get(user, NOTHING), new), before.get(user, NOTHING))
        if len(first) and shop.now.queries[encoding.PROFILE][row].any():
            truths[row] = first
    queries, items = embeddings.queries(shop.start), embedded(shop, embeddings.folder)
    kinds, chance = kind_popularity(shop), np.random.default_rng(17).permutation(new)
    everybody = best(kinds[0].sum(axis=0), shop, new)
    lists = {
        TOWERS: [new[np.argsort(-(items @ queries[row]), kind="stable")[:LENGTH]] for row in truths],
        SEGMENT: [best(of_segment(kinds, shop.now.queries[encoding.PROFILE][row]), shop, new) for row in truths],
        POPULARITY: [everybody for _row in truths],
        CHANCE: [chance[:LENGTH] for _row in truths],
    }
    return lists, list(truths.values())


def embedded(shop: Shop, folder: Path) -> Floats:
    """[new items, embedding_dim] by the candidate tower of the folder, as a server embeds what joins its catalogue."""
    new, items = shop.new_items, shop.catalogue(shop.now.item_statistics)
    statistics = items.usual_statistics(items.codes["category"][new])
    inputs = encoding.candidate_inputs(np.zeros(len(new), np.int32), shop.content[new], statistics, shop.text[new])
    found: Floats = InferenceSession(str(folder / CANDIDATE_TOWER)).run(None, inputs)[0]
    return found


def kind_popularity(shop: Shop) -> Mapping[int, Floats]:
    """By place in USER_PROFILE: [codes, subcategory codes] purchases of what is not new, of the last days."""
    bought = shop.bought(shop.start - SEGMENT_DAYS * DAY_SECONDS, shop.start)
    profile, kinds = shop.now.queries[encoding.PROFILE], shop.content[:, KIND]
    columns = range(len(names.USER_PROFILE))
    size = len(shop.vocabularies["subcategory"])
    found = {at: np.zeros((len(shop.vocabularies[names.USER_PROFILE[at]]), size), np.float32) for at in columns}
    for row in shop.known:
        rows = without(bought.get(shop.now.user_ids[row], NOTHING), shop.new_items)
        counts = np.bincount(kinds[rows], minlength=size)
        for at in columns:
            found[at][profile[row, at]] += counts
    return found


def of_segment(kinds: Mapping[int, Floats], profile: Rows) -> Floats:
    """[subcategory codes] sum over the known profile values of their shares, as serving adds up segments."""
    known = [kinds[at][code] for at, code in enumerate(profile.tolist()) if code]
    total: Floats = np.sum([one / max(float(one.max()), 1.0) for one in known], axis=0)
    return total


def best(scores: Floats, shop: Shop, new: Rows) -> Rows:
    """[LENGTH] of the new rows; items of the best subcategories come first."""
    return new[np.argsort(-scores[shop.content[new, KIND]], kind="stable")[:LENGTH]]
