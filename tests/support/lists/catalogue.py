"""A catalogue of a dozen items whose answers can be seen by looking at it."""

from dataclasses import replace

import numpy as np

from contracts.features import names
from contracts.features.text import TEXT_DIM
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.candidates import BUYERS_COLUMN, ItemSide, item_side
from contracts.ranking.inputs import Catalogue

# id, department, category, brand, price (0: unknown), buyers in 28 days. Row i is the i-th line.
ITEMS = (
    ("apple", "FOOD", "FRUIT", "Farm", 1.0, 50),
    ("pear", "FOOD", "FRUIT", "Farm", 2.0, 40),
    ("plum", "FOOD", "FRUIT", "Wild", 3.0, 30),
    ("bread", "FOOD", "BAKERY", "Mill", 4.0, 60),
    ("bun", "FOOD", "BAKERY", "Mill", 0.0, 5),
    ("soap", "HOME", "CLEANING", "Pure", 6.0, 20),
    ("brush", "HOME", "CLEANING", "", 7.0, 10),
    ("lamp", "HOME", "LIGHT", "Pure", 30.0, 3),
    ("bulb", "HOME", "LIGHT", "Pure", 5.0, 0),
    ("ball", "TOYS", "SPORT", "Kick", 12.0, 2),
)
IDS = tuple(item[0] for item in ITEMS)


def vocabularies() -> dict[str, Vocabulary]:
    """Values of the columns that filters and rules name; the brush has no brand."""
    columns = {"department": 1, "category": 2, "brand": 3}
    terms = {column: sorted({str(item[at]) for item in ITEMS if item[at]}) for column, at in columns.items()}
    terms |= {"subcategory": ["ANY"], "manufacturer": ["ANY"]}
    return {names.ITEM_ID: Vocabulary(IDS), **{column: Vocabulary(values) for column, values in terms.items()}}


def items(*, out_of_stock: tuple[str, ...] = ()) -> ItemSide:
    """The item side; item i's embedding is the angle 10·i degrees."""
    known = vocabularies()
    codes = {
        "department": known["department"].encode(item[1] for item in ITEMS),
        "category": known["category"].encode(item[2] for item in ITEMS),
        "brand": known["brand"].encode(item[3] for item in ITEMS),
        "subcategory": np.ones(len(ITEMS), np.int32),
        "manufacturer": np.ones(len(ITEMS), np.int32),
    }
    statistics = np.zeros((len(ITEMS), len(names.ITEM_STATISTICS)), np.float32)
    statistics[:, BUYERS_COLUMN] = [item[5] for item in ITEMS]
    sizes = {column: len(known[column]) for column in codes}
    catalogue = Catalogue(codes, sizes, statistics, text=np.zeros((len(ITEMS), TEXT_DIM), np.float32))
    angles = np.deg2rad(10 * np.arange(len(ITEMS)))
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    prices = np.array([item[4] or np.nan for item in ITEMS], np.float32)
    side = item_side(catalogue, embeddings, len(ITEMS), prices)
    return replace(side, in_stock=np.array([item not in out_of_stock for item in IDS]))


def rows(*item_ids: str) -> list[int]:
    """Catalogue rows."""
    return [IDS.index(item) for item in item_ids]
