"""Who takes part on which set, and what validation may choose from: a small fixed search for everybody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.quality.peers.peer import Peer
from benchmarks.quality.peers.simple import Ease, GpTopFreq, ItemKnn, Popularity
from benchmarks.quality.peers.tifu_knn import TifuKnn

Choice = Mapping[str, Any]


@dataclass(frozen=True)
class Entrant:
    """A recommender with the hyper-parameters that are tried on validation; the best by NDCG is asked on test."""

    name: str
    build: Callable[..., Peer]
    grid: Sequence[Choice] = ({},)  # in a smoke run only the first
    seeds: Sequence[int] = ()  # one run on test each; empty for what draws nothing
    smoke: Choice | None = None  # in place of the grid where even one choice takes minutes


def _implicit_als(**choice: Any) -> Peer:
    from benchmarks.quality.peers.factorization import ImplicitAls  # the extra `quality`; other entrants do without

    return ImplicitAls(**choice)


def _implicit_bpr(**choice: Any) -> Peer:
    from benchmarks.quality.peers.factorization import ImplicitBpr

    return ImplicitBpr(**choice)


POPULARITY = Entrant("popularity", Popularity)
GP_TOP_FREQ = Entrant("GP-TopFreq", GpTopFreq)
ITEM_KNN = Entrant("item-kNN", ItemKnn, [{"neighbours": n, "shrink": s} for n in (100, 400) for s in (10.0, 100.0)])
EASE = Entrant("EASE", Ease, [{"regularization": r} for r in (200.0, 500.0, 1000.0)])
IALS = Entrant(
    "implicit iALS", _implicit_als,
    [{"factors": 128, "regularization": r, "alpha": a} for r in (0.01, 1.0) for a in (1.0, 10.0)], (1, 2, 3),
)  # fmt: skip
BPR = Entrant(
    "implicit BPR", _implicit_bpr,
    [{"factors": 128, "regularization": r, "learning_rate": s} for r in (0.01, 0.001) for s in (0.05, 0.2)], (1, 2, 3),
)  # fmt: skip
TIFU_KNN = Entrant(
    "TIFU-KNN", TifuKnn,
    [{"neighbours": n, "own_share": s, "group_decay": d} for n in (300, 900) for s in (0.5, 0.7) for d in (0.6, 0.8)],
)  # fmt: skip

ENTRANTS: dict[str, tuple[Entrant, ...]] = {
    "gowalla": (POPULARITY, ITEM_KNN, EASE, IALS, BPR),
    "beauty": (POPULARITY, ITEM_KNN, EASE, IALS, BPR),
    "tafeng": (POPULARITY, GP_TOP_FREQ, TIFU_KNN, EASE, IALS),
}
"""By data set, in the order of the table."""
