"""Items that nobody had bought before the window, ordered by what is known of them: their content."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from benchmarks.quality.cold_start.shop import NOTHING, Opened, Shop
from benchmarks.quality.cold_start.visitors import POPULARITY, SEGMENT
from contracts import encoding
from contracts import features as names
from contracts.ranking import Floats, Rows
from contracts.segments import SEGMENT_DAYS
from training.timeline import DAY_SECONDS

TOWERS: Final = "towers, content alone"
CHANCE: Final = "any order"
LENGTH: Final = 100
KIND: Final = names.ITEM_CONTENT.index("subcategory")


def new_item_lists(shop: Shop, opened: Opened) -> tuple[dict[str, list[Rows]], list[Rows]]:
    """(lists of new items by name, truths among them), of users whom the shop knows and who bought a new item.

    New items have no popularity: theirs is that of their subcategory. Nothing tells those of a subcategory apart.
    """
    bought = shop.bought(shop.start, shop.end)
    known = np.unique(np.concatenate(list(shop.bought(0, shop.start).values())))
    new = np.setdiff1d(np.arange(len(shop.item_ids)), known)
    truths = {row: np.intersect1d(bought.get(shop.now.user_ids[row], NOTHING), new) for row in shop.met}
    users = [row for row in shop.met if len(truths[row]) and shop.now.queries[encoding.PROFILE][row].any()]
    queries, items = opened.embeddings.queries(shop.start), opened.embeddings.items(shop.start)[new]
    kinds, chance = kind_popularity(shop), np.random.default_rng(17).permutation(new)
    everybody = best(kinds[0].sum(axis=0), shop, new)
    lists = {
        TOWERS: [new[np.argsort(-(items @ queries[row]), kind="stable")[:LENGTH]] for row in users],
        SEGMENT: [best(of_segment(kinds, shop.now.queries[encoding.PROFILE][row]), shop, new) for row in users],
        POPULARITY: [everybody for _row in users],
        CHANCE: [chance[:LENGTH] for _row in users],
    }
    return lists, [truths[row] for row in users]


def kind_popularity(shop: Shop) -> Mapping[int, Floats]:
    """By place in USER_PROFILE: [codes, subcategory codes] purchases of users whom the shop knows, of the last days."""
    bought = shop.bought(shop.start - SEGMENT_DAYS * DAY_SECONDS, shop.start)
    profile, kinds = shop.now.queries[encoding.PROFILE], shop.content[:, KIND]
    columns = range(len(names.USER_PROFILE))
    size = len(shop.vocabularies["subcategory"])
    found = {at: np.zeros((len(shop.vocabularies[names.USER_PROFILE[at]]), size), np.float32) for at in columns}
    for row in shop.met:
        counts = np.bincount(kinds[bought.get(shop.now.user_ids[row], NOTHING)], minlength=size)
        for at in columns:
            found[at][profile[row, at]] += counts
    return found


def of_segment(kinds: Mapping[int, Floats], profile: Rows) -> Floats:
    """[subcategory codes] sum over the known profile values of their shares, as serving adds up segments."""
    known = [kinds[at][code] for at, code in enumerate(profile.tolist()) if code]
    total: Floats = np.sum([one / max(float(one.max()), 1.0) for one in known], axis=0)
    return total


def best(scores: Floats, shop: Shop, new: Rows) -> Rows:
    """[LENGTH] of the new rows, those of the best subcategories first."""
    return new[np.argsort(-scores[shop.content[new, KIND]], kind="stable")[:LENGTH]]
