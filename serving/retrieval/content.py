"""What is alike by its words, where nobody's basket says anything."""

import numpy as np

from contracts.arrays import Floats, Rows
from contracts.ranking.candidates import ItemSide, Mask
from contracts.ranking.related import content_nearness


def nearest_by_content(
    items: ItemSide, row: int, k: int, without: Rows, allowed: Mask | None = None
) -> tuple[Rows, Floats]:
    """([m] catalogue rows, [m] nearness above 0), best first and of equals the most bought; m is k, or less."""
    nearness = content_nearness(items.catalogue, row)
    nearness[row] = 0.0
    nearness[without] = 0.0
    if allowed is not None:
        nearness = np.where(allowed, nearness, 0.0)
    top = np.argpartition(-nearness, k)[:k] if k < len(nearness) else np.arange(len(nearness))
    least = nearness[top].min(initial=1.0)
    some = np.flatnonzero((nearness >= least) & (nearness > 0))  # with all that are level with the last of them
    order = some[np.lexsort((-items.popularity[some], -nearness[some]))][:k]
    return order, nearness[order]
