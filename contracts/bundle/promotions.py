"""Which bundle serves by default and which served before it: the link `current` and the history."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.bundle.files import CURRENT, MANIFEST
from contracts.bundle.manifest import Manifest, read_manifest, verify
from contracts.bundle.retirement import refuse_retired
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact, TandemError

T = TypeVar("T")

PROMOTIONS: Final = "promotions.jsonl"
"""One line a change of `current`, oldest first."""
RESERVE: Final = ".promotions.reserve"
"""Space that a rollback takes where the disk has none left."""
RESERVED_BYTES: Final = 65_536


class Promotion(BaseModel):
    """One change of `current`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    promoted_at: str  # ISO 8601, UTC
    bundle_version: str
    rolled_back_from: str | None = None  # set where the change was a rollback


class NotWritten(TandemError):
    """A disk that is full or read-only: link and history are as they were."""


def point_current(bundle: Path) -> None:
    """Makes `current` name this bundle, in one atomic rename; the history is not touched."""
    link = bundle.parent / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(bundle.name)
        link.rename(bundle.parent / CURRENT)
    except OSError:
        with suppress(OSError):
            link.unlink(missing_ok=True)
        raise


def promote(bundle: Path) -> Promotion:
    """The change, made: `current` names this bundle, and the history says since when.

    Raises NotWritten where the disk does not take it; nothing has changed then.
    """
    bundles = bundle.parent
    before = current_version(bundles)
    with _in_words(bundles):
        if before and not (bundles / PROMOTIONS).exists():  # a link from before there was a history
            _append(bundles, _line(before))
        _with_reserve(bundles, lambda: point_current(bundle))
        try:
            change = _line(bundle.name)
            _with_reserve(bundles, lambda: _append(bundles, change))
        except OSError:
            if before:
                point_current(bundles / before)
            else:
                (bundles / CURRENT).unlink()
            raise
    _keep_reserve(bundles)
    return change


def require_promotable(bundles: Path, version: str) -> Manifest:
    """The manifest of a bundle that may be made to serve: whole, in the folder of its name, and not retired.

    Raises MissingArtifact where there is none, and BundleRefused.
    """
    manifest = verify(bundles / version, version, for_serving=True)
    refuse_retired(bundles, manifest.bundle_version)
    return manifest


def rollback(bundles: Path, to: str | None = None) -> Promotion:
    """The change back to version `to`, by default to what was promoted before the version that serves now.

    The bundle is verified first, so the link never moves to a bundle that does not work.
    Raises MissingArtifact without a bundle to leave or to go to, InvalidInput for a version that serves already, and
    BundleRefused for one that is altered. Raises NotWritten where the disk does not take the change: nothing changes.
    """
    now = current_version(bundles)
    if now is None:
        raise MissingArtifact(f"{bundles} has no bundle that serves: there is nothing to roll back. {_there(bundles)}")
    version = to or previous_version(bundles)
    if version == now:
        raise InvalidInput(f"Bundle {version} serves already. {_there(bundles)}")
    if version not in bundle_versions(bundles):
        raise MissingArtifact(f"Cannot roll back to {version}: {bundles} does not hold it. {_there(bundles)}")
    require_promotable(bundles, version)
    change = _line(version, now)
    with _in_words(bundles):
        # The history first: an older bundle serves only where it says so, whatever ends this process between the two.
        size = _with_reserve(bundles, lambda: _append(bundles, change))
        try:
            _with_reserve(bundles, lambda: point_current(bundles / version))
        except OSError:
            os.truncate(bundles / PROMOTIONS, size)
            raise
    return change


def refuse_older(bundles: Path, version: str) -> None:
    """Returns unless `current` names an older bundle than one that was promoted, and no entry of the history says so.

    A signature says who made a bundle and not when it was good: a link that was moved by somebody else brings back
    what was replaced for a reason. Raises BundleRefused with the command that does it.
    """
    history = promotions(bundles)
    if not history or history[-1].bundle_version == version:
        return
    made = _made_at(bundles, version)
    for promoted in {change.bundle_version for change in history}:
        later = _made_at(bundles, promoted)
        if made and later and later > made:
            raise BundleRefused(
                f"Bundle {version} is refused: it is older than {promoted}, which was promoted here, and "
                f"{PROMOTIONS} says of no rollback to it. To go back to it: tandem rollback --to {version}."
            )


def _made_at(bundles: Path, version: str) -> datetime | None:
    """None for a bundle that is not there, or cannot say when it was made."""
    try:
        made = datetime.fromisoformat(read_manifest(bundles / version).created_at)
    except (TandemError, ValueError):
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


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


def exchange(bundles: Path, old: str, new: str) -> None:
    """Puts version `new` into the place of `old`, in `current` and in the history: a rollback finds its way as before.

    The history is written anew and renamed, so that it is never half there.
    """
    if current_version(bundles) == old:
        point_current(bundles / new)
    path = bundles / PROMOTIONS
    if not path.is_file():
        return
    names = {old: new}
    changes = [
        change.model_copy(
            update={
                "bundle_version": names.get(change.bundle_version, change.bundle_version),
                "rolled_back_from": names.get(change.rolled_back_from or "", change.rolled_back_from),
            }
        )
        for change in promotions(bundles)
    ]
    temporary = path.with_name(f".{PROMOTIONS}.{os.getpid()}")
    temporary.write_text("".join(f"{change.model_dump_json()}\n" for change in changes), encoding="utf-8")
    temporary.replace(path)


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


def _line(version: str, rolled_back_from: str | None = None) -> Promotion:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Promotion(promoted_at=now, bundle_version=version, rolled_back_from=rolled_back_from)


def _append(bundles: Path, change: Promotion) -> int:
    """The size that the history had before: it has the whole line, or that size again. Raises OSError."""
    line = f"{change.model_dump_json()}\n".encode()
    with (bundles / PROMOTIONS).open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise
    return size


def _with_reserve(bundles: Path, write: Callable[[], T]) -> T:
    """What the writing returns; on a full disk it is tried again in the space that was kept for it. Raises OSError."""
    try:
        return write()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not (bundles / RESERVE).exists():
            raise
        (bundles / RESERVE).unlink()
        return write()


def _keep_reserve(bundles: Path) -> None:
    """Where there is no space for it, the next rollback needs none as long as the disk is not full to the last byte."""
    path = bundles / RESERVE
    with suppress(OSError):
        if not path.exists() or path.stat().st_size < RESERVED_BYTES:
            path.write_bytes(b"\0" * RESERVED_BYTES)


@contextmanager
def _in_words(bundles: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"What serves cannot be changed in {bundles}: {error.strerror}. Link and history are as they were. "
            "A full disk needs a few kilobytes, a read-only one another mount."
        ) from error


def _there(bundles: Path) -> str:
    return f"There is {', '.join(bundle_versions(bundles)) or 'no bundle; build one with `tandem bundle`'}."
