"""A business rule over one catalogue."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.arrays import Floats
from contracts.ranking.candidates import Mask
from contracts.rules.rules import Rule


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its names resolved to catalogue rows."""

    rule: Rule
    members: Mask | None = None  # [num_items] what it is about; None where that is the list or one item
    pinned_row: int | None = None  # None where the catalogue lacks the item
    groups: npt.NDArray[np.int32] | None = None  # [num_items] what a cap counts by, 0 is not counted
    embeddings: Floats | None = None  # [num_items, embedding_dim] what diversity compares items by

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.rule.name
