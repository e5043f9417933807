"""Candidates that business rules ask for: pinned items, and enough of each quota's kind."""

from collections.abc import Callable, Sequence

import numpy as np

from contracts.arrays import Rows
from contracts.ranking.candidates import Mask
from serving.rules.compile import pinned_rows, quotas
from serving.rules.compiled_rule import CompiledRule

SPARE = 2  # times the quota: a cap may pass over some

Pick = Callable[[int, Mask], Rows]
"""(how many, of which rows) to the best of them, by whatever the level of the answer goes by."""


def proposed_by_rules(active: Sequence[CompiledRule], allowed: Mask | None, pick: Pick) -> Rows:
    """Distinct rows that must be among the candidates for pins and quotas to be kept."""
    if not active:
        return np.zeros(0, np.int64)
    pinned = pinned_rows(active)
    picked = [pinned if allowed is None else pinned[allowed[pinned]]]
    for at_least, members in quotas(active):
        fitting = members if allowed is None else members & allowed
        picked.append(pick(SPARE * at_least, fitting))
    return np.array(list(dict.fromkeys(np.concatenate(picked).tolist())), np.int64)
