"""A ranker without training: how often the user bought the item, fading, and how many users buy it now.

It serves until a trained ranker is there, on the same inputs. Own purchases fade as in the candidates' order of repeats
(contracts.ranking.candidates), the popularity of what the user never bought stands behind them.
"""

from pathlib import Path

import numpy as np
from onnx import NodeProto, helper

from contracts.bundle.files import RANKER
from contracts.ranking.candidates import BUYERS_COLUMN, REPEAT_HALF_LIFE_DAYS
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES, RANKING_FEATURES
from training.onnx_graph import save_graph

COLUMNS = {
    "count": PAIR_FEATURES.index("count"),
    "count_91d": PAIR_FEATURES.index("count_91d"),
    "days": PAIR_FEATURES.index("days_since_last"),
    "buyers": len(PAIR_FEATURES) + BUYERS_COLUMN,
}


def export_frequency_ranker(num_users: int, folder: Path, *, engagements: bool) -> None:
    """ranker.onnx: [batch, candidates, features] to [batch, candidates].

    A score is (count + count in 91 days) · 2^(-days since the last / half-life) + the share of users who bought the
    item in 28 days. engagements: whether the log has any, whose columns stand behind the others and are not read.
    """
    width = len(RANKING_FEATURES) + (len(ENGAGEMENT_FEATURES) if engagements else 0)
    save_graph(
        folder / RANKER,
        [
            *(node for name in COLUMNS for node in _unscaled(name)),
            helper.make_node("Add", ["count", "count_91d"], ["bought"]),
            helper.make_node("Div", ["days", "half_life"], ["half_lives"]),
            helper.make_node("Pow", ["half", "half_lives"], ["faded"]),
            helper.make_node("Mul", ["bought", "faded"], ["own"]),
            helper.make_node("Div", ["buyers", "users"], ["share"]),
            helper.make_node("Add", ["own", "share"], ["scores"]),
        ],
        {"inputs": (np.float32, [None, None, width])},
        ("scores", [None, None]),
        {
            **{f"{name}_column": np.array(at, np.int64) for name, at in COLUMNS.items()},
            "one": np.float32(1.0),
            "half": np.float32(0.5),
            "half_life": np.float32(REPEAT_HALF_LIFE_DAYS),
            "users": np.float32(max(num_users, 1)),
        },
    )


def _unscaled(name: str) -> tuple[NodeProto, ...]:
    """A column of the inputs before its log1p."""
    return (
        helper.make_node("Gather", ["inputs", f"{name}_column"], [f"{name}_log"], axis=2),
        helper.make_node("Exp", [f"{name}_log"], [f"{name}_exp"]),
        helper.make_node("Sub", [f"{name}_exp", "one"], [name]),
    )
