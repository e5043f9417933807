"""Who takes part on which set, and what validation may choose from: a small fixed search for everybody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from benchmarks.quality.peers.fading import FadingEase, SimilarUsers
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


def _final_list(**choice: Any) -> Peer:
    from benchmarks.quality.peers.final_list import FinalList  # scikit-learn; other entrants do without

    return FinalList(**choice)


def _boosted(**choice: Any) -> Peer:
    from benchmarks.quality.peers.boosted import Boosted  # LightGBM, of the extra `quality` too

    return Boosted(**choice)


def _pipeline_list(**choice: Any) -> Peer:
    from benchmarks.quality.peers.pipeline import PipelineList  # TensorFlow's side of training/

    return PipelineList(**choice)


def _oracle(**choice: Any) -> Peer:
    from benchmarks.quality.synthetic import Oracle

    return Oracle(**choice)


POPULARITY = Entrant("popularity", Popularity)
GP_TOP_FREQ = Entrant("GP-TopFreq", GpTopFreq)
ITEM_KNN = Entrant("item-kNN", ItemKnn, [{"neighbours": n, "shrink": s} for n in (100, 400) for s in (10.0, 100.0)])
EASE = Entrant(
    "EASE", Ease, [{"regularization": r} for r in (200.0, 500.0, 1000.0)],
    smoke={"regularization": 500.0, "max_items": 1000},
)  # fmt: skip
LARGE_KNN = replace(
    ITEM_KNN, name="item-kNN of the 8,000 most popular", grid=[{**one, "max_items": 8000} for one in ITEM_KNN.grid],
    smoke={"max_items": 1000},
)  # fmt: skip
POPULAR_EASE = replace(
    EASE, name="EASE of the 8,000 most popular", grid=[{**one, "max_items": 8000} for one in EASE.grid]
)
LARGE_EASE = replace(EASE, name="EASE of the 12,500 most popular")
FADING_EASE = Entrant(
    "EASE, fading", FadingEase,
    [{"regularization": r, "half_life_days": h} for r in (200.0, 500.0, 2000.0) for h in (60.0, 180.0)],
    smoke={"max_items": 1000},
)  # fmt: skip
SIMILAR_USERS = Entrant(
    "similar users, fading", SimilarUsers,
    [{"half_life_days": h, "own_share": s} for h in (60.0, 180.0) for s in (0.5, 0.9)],
)  # fmt: skip
IALS = Entrant(
    "implicit iALS", _implicit_als,
    [{"factors": 128, "regularization": r, "alpha": a} for r in (0.01, 1.0) for a in (1.0, 10.0)], (1, 2, 3),
)  # fmt: skip
BPR = Entrant(
    "implicit BPR", _implicit_bpr,
    [
        {"factors": 128, "regularization": r, "learning_rate": s, "iterations": n}
        for r in (1e-3, 1e-4) for s, n in ((0.01, 300), (0.05, 100))
    ], (1, 2, 3),
)  # fmt: skip
TIFU_KNN = Entrant(
    "TIFU-KNN", TifuKnn,
    [{"neighbours": n, "own_share": s, "group_decay": d} for n in (300, 900) for s in (0.5, 0.7) for d in (0.6, 0.8)],
)  # fmt: skip
LIGHTGBM = Entrant(
    "LightGBM", _boosted,
    [{"objective": o, "leaves": n} for o in ("lambdarank", "binary") for n in (7, 15, 31)], smoke={"trees": 5},
)  # fmt: skip

FINAL_LIST = Entrant("Tandem, final list", _final_list, [{"label_baskets": b} for b in (1, 2)])
# 593 users: fewer neighbours to choose from, and more of each history to learn from.
SMALL_TIFU_KNN = replace(
    TIFU_KNN, grid=[{"neighbours": n, "own_share": s, "group_decay": 0.8} for n in (50, 200) for s in (0.7, 0.9)]
)
SMALL_FINAL_LIST = replace(FINAL_LIST, grid=[{"label_baskets": b, "trees": t} for b in (3, 10) for t in (60, 150)])
OURS, ORACLE = "Tandem", "oracle"
GOWALLA_TOWERS = {
    "embedding_dim": 128, "temperature": 0.1, "learning_rate": 0.01, "batch_size": 512, "sequence_dropout": 0.5,
    "user_evenness": 0.0, "item_bias": True, "epochs": 12,
}  # fmt: skip
BEAUTY_TOWERS = {
    "encoder": "attention", "encoder_dropout": 0.5, "sequence_share": 1.0, "temperature": 0.07, "learning_rate": 0.003,
    "batch_size": 512, "user_evenness": 0.0, "epochs": 14,
}  # fmt: skip
QUICK = {"epochs": 1, "embedding_dim": 16}


def _two_tower(length: int, fixed: Choice, seed: int = 1, **choice: Any) -> Peer:
    from benchmarks.quality.peers.tandem import TwoTower  # TensorFlow; the other entrants do without

    return TwoTower({**fixed, **choice}, length, seed)


def _ours(length: int, fixed: Choice) -> Callable[..., Peer]:
    return partial(_two_tower, length, fixed)


GOWALLA_OURS = (
    Entrant(
        OURS, _ours(400, GOWALLA_TOWERS), seeds=(1, 2, 3), smoke=QUICK,
    ),
    # As long as the published embeddings are.
    Entrant("Tandem, 64 numbers", _ours(400, GOWALLA_TOWERS | {"embedding_dim": 64}), smoke=QUICK),
)  # fmt: skip
BEAUTY_OURS = (
    Entrant(
        OURS, _ours(50, BEAUTY_TOWERS), seeds=(1, 2, 3), smoke=QUICK,
    ),
    Entrant("Tandem, GRU", _ours(50, BEAUTY_TOWERS | {"encoder": "gru"}), smoke=QUICK),
    Entrant("Tandem, mean", _ours(50, BEAUTY_TOWERS | {"encoder": "mean"}), smoke=QUICK),
)  # fmt: skip
TEMPORAL = (
    POPULARITY, GP_TOP_FREQ, ITEM_KNN, EASE, FADING_EASE, SIMILAR_USERS, IALS, TIFU_KNN, LIGHTGBM,
    Entrant(OURS, _pipeline_list, seeds=(17, 18, 19)),
)  # fmt: skip
ENTRANTS: dict[str, tuple[Entrant, ...]] = {
    "journey": (
        POPULARITY, GP_TOP_FREQ, LARGE_KNN, POPULAR_EASE, IALS, TIFU_KNN, LIGHTGBM, Entrant(OURS, _pipeline_list),
    ),
    "synthetic": (
        POPULARITY, GP_TOP_FREQ, ITEM_KNN, EASE, IALS, TIFU_KNN, LIGHTGBM, Entrant(OURS, _pipeline_list),
        Entrant(ORACLE, _oracle),
    ),
    "online_retail": TEMPORAL,
    "movielens": TEMPORAL,
    "gowalla": (POPULARITY, ITEM_KNN, LARGE_EASE, IALS, BPR, *GOWALLA_OURS),
    "beauty": (POPULARITY, ITEM_KNN, EASE, IALS, BPR, *BEAUTY_OURS),
    "tafeng": (POPULARITY, GP_TOP_FREQ, TIFU_KNN, EASE, IALS, LIGHTGBM, FINAL_LIST),
    "instacart": (POPULARITY, GP_TOP_FREQ, SMALL_TIFU_KNN, EASE, IALS, LIGHTGBM, SMALL_FINAL_LIST),
}  # fmt: skip
"""By data set, in the order of the table."""
