"""How long the demo's parts take: as measured here before, or as measured once on two quiet cores."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

MEASURED: Final[Mapping[str, float]] = {
    "first/ingest": 10,
    "first/features": 5,
    "first/online store": 6,
    "first/dataset": 6,
    "first/bundle": 6,
    "first/co-purchases": 10,
    "small/features": 12,
    "small/dataset": 12,
    "small/towers": 30,
    "small/ranker": 15,
    "small/bundle": 12,
    "full/features": 36,
    "full/copurchase": 8,
    "full/materialize": 10,
    "full/dataset": 20,
    "full/train-towers": 84,
    "full/train-ranker": 167,
    "full/evaluate": 138,
    "full/bundle": 12,
}
"""Seconds, two quiet cores."""
_SECONDS: Final = TypeAdapter(dict[str, float])


class Times:
    """Seconds of each part, kept in a JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds = {**MEASURED, **_read(path)}

    def expected(self, part: str) -> float:
        """Seconds; a part that nobody has measured counts as one."""
        return self._seconds.get(part, 1.0)

    def keep(self, part: str, seconds: float) -> None:
        """Remembers what a part took, for the next run."""
        self._seconds[part] = round(seconds, 1)
        self._path.write_text(json.dumps(self._seconds, indent=2) + "\n")


def _read(path: Path) -> dict[str, float]:
    try:
        return _SECONDS.validate_json(path.read_bytes())
    except (OSError, ValidationError):  # none yet, or damaged: estimates are then from another machine
        return {}
