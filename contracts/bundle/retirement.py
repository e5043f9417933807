"""How long a bundle may serve that has learned from somebody who was erased.

The rule: it retires a number of days after it was made (`erasure.bundle_life_days`, TANDEM_BUNDLE_LIFE_DAYS). The day
is noted next to the bundles, and from then on it is neither promoted nor rolled back to. One that serves on that day
goes on until another one is promoted. Bundles that have learned from nobody who was erased do not retire.
"""

import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from contracts.bundle.manifest import Manifest
from contracts.erasure.receipt import LearnedFrom
from contracts.errors import BundleRefused, InvalidInput

RETIRING: Final = "retiring.json"
"""Day by version, in the bundles' folder."""


def learned(manifest: Manifest, life_days: float) -> LearnedFrom:
    """What a receipt says of a bundle that has learned from the person."""
    made = datetime.fromisoformat(manifest.created_at).astimezone(UTC)
    return LearnedFrom(
        bundle_version=manifest.bundle_version,
        made_at=manifest.created_at,
        retires_on=(made + timedelta(days=life_days)).date().isoformat(),
    )


def retiring(bundles: Path) -> dict[str, str]:
    """Day by version of the bundles that retire. Raises InvalidInput for a file that cannot be read as that."""
    path = bundles / RETIRING
    if not path.is_file():
        return {}
    try:
        return {
            str(version): date.fromisoformat(day).isoformat() for version, day in json.loads(path.read_text()).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path} cannot be read as days by bundle version. Mend it.") from error


def note_retiring(bundles: Path, learners: Sequence[LearnedFrom], replaced: Sequence[str] = ()) -> None:
    """Notes the days; the earlier one holds where there are two. replaced: versions that no longer exist."""
    days = {version: day for version, day in retiring(bundles).items() if version not in replaced}
    for one in learners:
        days[one.bundle_version] = min(one.retires_on, days.get(one.bundle_version, one.retires_on))
    temporary = bundles / f".{RETIRING}.{os.getpid()}"
    temporary.write_text(json.dumps(days, indent=2, sort_keys=True) + "\n")
    temporary.replace(bundles / RETIRING)


def refuse_retired(bundles: Path, version: str, today: date | None = None) -> None:
    """Returns for a bundle that may still serve. Raises BundleRefused for one that is retired."""
    day = retiring(bundles).get(version)
    if day is not None and (today or datetime.now(UTC).date()).isoformat() >= day:
        raise BundleRefused(
            f"Bundle {version} is refused: it has learned from somebody who was erased, and retired on {day} "
            f"({bundles / RETIRING}). Train a new one."
        )
