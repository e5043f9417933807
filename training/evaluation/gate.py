"""Whether a release may serve: its final list against every other, and against the champion's, user by user.

On all items, and again on what is new to the user: where nothing repeats, only the second distinguishes lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.arrays import Doubles
from contracts.bundle.files import EVALUATION
from contracts.bundle.manifest import read_manifest
from contracts.errors import BundleRefused, MissingArtifact, TandemError
from training.evaluation.list_names import named
from training.metrics.intervals import difference
from training.metrics.ranking_metrics import NDCG_AT

GATED: Final = f"ndcg@{NDCG_AT}"
FINAL_LIST: Final = "final_list"
CHAMPION: Final = "champion"
NEW: Final = "new_to_user"
SIMPLE: Final = ("popularity", "recent_popularity", "p_top_freq", "gp_top_freq")
"""Lists that need no model."""
LEAST_USERS: Final = 30
"""Fewer users refuse no release: means of a handful that is redrawn differ less than means of other users would."""


class GateFailed(TandemError):
    """A trained bundle is not as good as it must be; it does not serve, and what serves goes on serving."""


@dataclass(frozen=True)
class Champion:
    """What serves now: the metric of each user of its own evaluation."""

    version: str
    cutoff: float  # Unix seconds that its test window begins at
    values: Mapping[str, float]  # by user id


def champion_at(current: Path) -> Champion | None:
    """The champion, or None where nothing serves, or a bundle that this release cannot read or that kept no values."""
    try:
        manifest = read_manifest(current)
        table = pq.read_table(current / EVALUATION)
    except (MissingArtifact, BundleRefused, FileNotFoundError):
        return None
    values = dict(zip(table.column("user_id").to_pylist(), table.column(GATED).to_pylist(), strict=True))
    return Champion(manifest.bundle_version, manifest.training_cutoff_timestamp, values)


def write_values(path: Path, user_ids: tuple[str, ...], values: Doubles) -> None:
    """Keeps the final list's metric of each user, for the gate of the release after this one."""
    pq.write_table(pa.table({"user_id": user_ids, GATED: values}), path)


def comparisons(
    values: Mapping[str, Doubles],
    discoveries: Mapping[str, Doubles],
    user_ids: tuple[str, ...],
    cutoff: int,
    champion: Champion | None,
) -> dict[str, Any]:
    """For JSON: by rival the final list's NDCG@20 less the rival's, with its interval; and a note on the champion.

    values: [users] by list; discoveries: [users with a truth] of what is new to them, without the rest. The same users
    answer for both sides, so their differences are what is redrawn.
    """
    ours, rivals = values[FINAL_LIST], differences(values)
    gate = {"rivals": rivals, NEW: differences(discoveries)}
    if champion is None:
        return {**gate, "champion": "nothing serves yet that could be compared"}
    if champion.cutoff != cutoff:
        note = f"bundle {champion.version} was measured on another test window: the canary compares them"
        return {**gate, "champion": note}
    common = [row for row, user in enumerate(user_ids) if user in champion.values]
    theirs = np.array([champion.values[user_ids[row]] for row in common])
    if len(common):
        rivals[CHAMPION] = _compared(ours[common], theirs)
    few = f", too few to refuse a release: it takes {LEAST_USERS}" if len(common) < LEAST_USERS else ""
    return {**gate, "champion": f"bundle {champion.version}, {len(common)} users in common{few}"}


def differences(values: Mapping[str, Doubles]) -> dict[str, dict[str, float]]:
    """By rival: the final list's metric less the rival's, with its interval and its users; empty without users."""
    ours = values.get(FINAL_LIST, np.zeros(0))
    rivals = {name: theirs for name, theirs in values.items() if name != FINAL_LIST and len(ours)}
    return {name: _compared(ours, theirs) for name, theirs in rivals.items()}


def _compared(ours: Doubles, theirs: Doubles) -> dict[str, float]:
    return {**difference(ours, theirs).to_dict(), "users": len(ours)}


def best_simple(table: Mapping[str, Mapping[str, float]]) -> str:
    """The list of a table of `tandem evaluate` that needs no model and is best by NDCG; GP-TopFreq is not always."""
    simple = [name for name in SIMPLE if name in table]
    return max(simple, key=lambda name: table[name][GATED])


def losses(gate: Mapping[str, Any]) -> list[str]:
    """One sentence for each rival that the final list loses to beyond the interval; empty where it may serve.

    A comparison of fewer than LEAST_USERS users is none; `passed` says so.
    """
    return [
        f"the final list loses to {named(name)}{where} by {-one['mean']:.4f} NDCG@20 "
        f"(95 % interval {-one['high']:.4f} to {-one['low']:.4f})"
        for where, rivals in _parts(gate).items()
        for name, one in rivals.items()
        if one["high"] < 0 and _users(one) >= LEAST_USERS
    ]


def passed(gate: Mapping[str, Any]) -> str:
    """What the comparisons say of a final list that loses none, and where users were too few to say anything."""
    most = {where: max(map(_users, rivals.values())) for where, rivals in _parts(gate).items() if rivals}
    unsure = [
        f"too few users ({users}) to say whether another list is better{where}: it takes {LEAST_USERS}"
        for where, users in most.items()
        if users < LEAST_USERS
    ]
    judged = len(unsure) < len(most) or not most
    longer = ["a longer test window has more: features.test_days in params.yaml"] if unsure else []
    return "; ".join([*(["no other list is better beyond chance"] if judged else []), *unsure, *longer])


def _parts(gate: Mapping[str, Any]) -> dict[str, Mapping[str, Mapping[str, float]]]:
    return {"": gate["rivals"], " on what is new to the user": gate.get(NEW, {})}


def _users(one: Mapping[str, float]) -> int:
    """Bundles of before this was counted do not say it."""
    return int(one.get("users", LEAST_USERS))


def require_no_loss(metrics: Mapping[str, Any]) -> None:
    """Raises GateFailed naming each rival that a bundle's final list loses to; one without a gate has none."""
    if lost := losses(metrics.get("gate", {"rivals": {}})):
        raise GateFailed(
            f"Refused, because {'; '.join(lost)}. The bundle's model_card.html shows where. --force makes it serve."
        )
