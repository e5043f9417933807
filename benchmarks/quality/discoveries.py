"""Lists of what is new to each user: what nobody's repeats can carry."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from benchmarks.quality.metrics import Values, per_user
from benchmarks.quality.peers.peer import Peer, counts, top_lists
from benchmarks.quality.splits import Split


@runtime_checkable
class Discovering(Protocol):
    """A peer with another list for those who ask for what they never had."""

    def discovering(self) -> Peer:
        """The same, fitted, with that list."""
        ...


@dataclass(frozen=True)
class Discoveries:
    """Entry i of the arrays is one user who chose something new; no list and no truth has what the user had before."""

    recall: Values
    ndcg: Values
    warm: npt.NDArray[np.bool_]  # whether the user has a history
    items: float  # distinct ones over all lists


def discoveries(peer: Peer, split: Split) -> Discoveries | None:
    """New-item lists of a fitted peer; None where the set has no clock, or does not count repeats."""
    if split.ages is None or not split.repeats:
        return None
    before = [np.unique(np.concatenate([*own, np.zeros(0, np.int64)])) for own in split.histories]
    truths = [np.setdiff1d(truth, own) for truth, own in zip(split.truths, before, strict=True)]
    new = replace(split, truths=truths, repeats=False)
    lists = top_lists(peer.discovering() if isinstance(peer, Discovering) else peer, new, counts(split, binary=True))
    recall, ndcg = per_user(lists, [truths[user] for user in new.users], split.k)
    warm = np.array([len(before[user]) > 0 for user in new.users])
    return Discoveries(recall, ndcg, warm, float(len(np.unique(lists))))


def mean_of(runs: list[Discoveries]) -> Discoveries:
    """Means over seeds."""
    first = runs[0]
    return Discoveries(
        np.mean([one.recall for one in runs], axis=0),
        np.mean([one.ndcg for one in runs], axis=0),
        first.warm,
        float(np.mean([one.items for one in runs])),
    )
