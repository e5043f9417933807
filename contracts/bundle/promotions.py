"""Which bundle serves by default and which served before it: the link `current` and the history."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.bundle.manifest import MANIFEST, verify
from contracts.errors import InvalidInput, MissingArtifact

CURRENT: Final = "current"
"""Symbolic link in the bundles' folder to the version that serves by default."""
PROMOTIONS: Final = "promotions.jsonl"
"""One line a change of `current`, oldest first."""


class Promotion(BaseModel):
    """One change of `current`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promoted_at: str  # ISO 8601, UTC
    bundle_version: str
    rolled_back_from: str | None = None  # set where the change was a rollback


def point_current(bundle: Path) -> None:
    """Makes `current` name this bundle, in one atomic rename; the history is not touched."""
    link = bundle.parent / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(bundle.name)
    link.rename(bundle.parent / CURRENT)


def promote(bundle: Path) -> Promotion:
    """The change, made: `current` names this bundle, and the history says since when."""
    bundles = bundle.parent
    before = current_version(bundles)
    if before and not (bundles / PROMOTIONS).exists():  # a link from before there was a history
        _append(bundles, before)
    return _point(bundle, None)


def rollback(bundles: Path, to: str | None = None) -> Promotion:
    """The change back to version `to`, by default to what was promoted before the version that serves now.

    The bundle is verified first, so the link never leaves a bundle that works for one that does not.
    Raises MissingArtifact without a bundle to leave or to go to, InvalidInput for a version that serves already, and
    BundleRefused for one that is altered.
    """
    now = current_version(bundles)
    if now is None:
        raise MissingArtifact(f"{bundles} has no bundle that serves: there is nothing to roll back. {_there(bundles)}")
    version = to or previous_version(bundles)
    if version == now:
        raise InvalidInput(f"Bundle {version} serves already. {_there(bundles)}")
    if version not in bundle_versions(bundles):
        raise MissingArtifact(f"Cannot roll back to {version}: {bundles} does not hold it. {_there(bundles)}")
    verify(bundles / version, for_serving=True)
    return _point(bundles / version, now)


def previous_version(bundles: Path) -> str:
    """What was promoted before the version that serves now; a rollback twice in a row goes two versions back.

    Raises MissingArtifact where nothing was promoted before.
    """
    now = current_version(bundles)
    before = [version for version in _stack(promotions(bundles)) if version != now]
    if not before:
        raise MissingArtifact(
            f"Nothing was promoted in {bundles} before {now}. Say which version with --to. {_there(bundles)}"
        )
    return before[-1]


def promotions(bundles: Path) -> list[Promotion]:
    """The history, oldest first; empty where nothing was promoted. Raises InvalidInput naming a faulty line."""
    path = bundles / PROMOTIONS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    history = []
    for number, line in enumerate(lines, start=1):
        try:
            history.append(Promotion.model_validate_json(line))
        except ValidationError as error:
            raise InvalidInput(
                f"{path} line {number} cannot be read as a promotion. Mend it, or say --to VERSION."
            ) from error
    return history


def current_version(bundles: Path) -> str | None:
    """The version that `current` names, or None without one."""
    link = bundles / CURRENT
    return link.readlink().name if link.is_symlink() else None


def bundle_versions(bundles: Path) -> list[str]:
    """The versions that lie there, by name."""
    return sorted(path.parent.name for path in bundles.glob(f"[!.]*/{MANIFEST}") if path.parent.name != CURRENT)


def _stack(history: list[Promotion]) -> list[str]:
    """Versions in the order in which a rollback would leave them; what was rolled back from is off the stack."""
    stack: list[str] = []
    for change in history:
        if change.rolled_back_from and change.bundle_version in stack:
            while stack[-1] != change.bundle_version:
                stack.pop()
        elif stack[-1:] != [change.bundle_version]:
            stack.append(change.bundle_version)
    return stack


def _point(bundle: Path, rolled_back_from: str | None) -> Promotion:
    point_current(bundle)  # first: a history that is one line short still leads back, one that is ahead does not
    return _append(bundle.parent, bundle.name, rolled_back_from)


def _append(bundles: Path, version: str, rolled_back_from: str | None = None) -> Promotion:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    change = Promotion(promoted_at=now, bundle_version=version, rolled_back_from=rolled_back_from)
    with (bundles / PROMOTIONS).open("a", encoding="utf-8") as file:
        file.write(change.model_dump_json() + "\n")
    return change


def _there(bundles: Path) -> str:
    return f"There is {', '.join(bundle_versions(bundles)) or 'no bundle; build one with `tandem bundle`'}."
