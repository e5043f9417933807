"""Settings that changed names: files and bundles written before are still read."""

from collections.abc import Mapping
from typing import Final

RENAMED_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "two_tower": {"stranger_share": "cold_user_share"},
    "ranker": {
        "num_looked": "num_engaged",
        "look_weight": "engagement_weight",
        "teaching": "distillation_weight",
    },
}
"""By section of params.yaml: names that bundles and files of version 0.1 have, each with today's name."""
