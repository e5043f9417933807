"""Promotions and rollbacks on a disk without a free byte, and on one that is read-only."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.bundle.files import CURRENT
from contracts.bundle.promotions import (
    PROMOTIONS,
    RESERVE,
    NotWritten,
    current_version,
    promote,
    promotions,
    rollback,
)
from tests.support.bundles.sealed import PARTS, make_bundle
from tests.support.real_parts.small_disk import fill_disk, mount


@pytest.fixture
def versions(small_disk: Path) -> list[str]:
    """Three bundles, all promoted, and then a full disk."""
    made = [
        make_bundle(small_disk / "bundles", PARTS | {"items.npz": name}) for name in (b"first", b"second", b"third")
    ]
    for bundle in made:
        promote(bundle)
    return [bundle.name for bundle in made]


def state(bundles: Path) -> tuple[str | None, list[str]]:
    return current_version(bundles), [change.bundle_version for change in promotions(bundles)]


def full_history(bundles: Path) -> None:
    """The history ends where its last block does, so that one more line needs another."""
    path = bundles / PROMOTIONS
    text = path.read_text()
    path.write_text(
        text + text.splitlines(keepends=True)[-1] * ((4096 - len(text)) // len(text.splitlines()[-1] + "\n"))
    )


def test_a_rollback_works_on_a_full_disk_in_the_space_that_was_kept_for_it(
    small_disk: Path, versions: list[str]
) -> None:
    bundles = small_disk / "bundles"
    full_history(bundles)
    fill_disk(small_disk)
    assert rollback(bundles).bundle_version == versions[1]
    assert (current_version(bundles), promotions(bundles)[-1].rolled_back_from) == (versions[1], versions[2])
    assert not (bundles / RESERVE).exists()
    assert rollback(bundles).bundle_version == versions[0]  # what was kept holds more than one


def test_link_and_history_stay_together_where_there_is_no_space_at_all(small_disk: Path, versions: list[str]) -> None:
    bundles = small_disk / "bundles"
    full_history(bundles)
    (bundles / RESERVE).unlink()
    fill_disk(small_disk)
    before = state(bundles)
    changes: list[Callable[[], object]] = [lambda: rollback(bundles), lambda: promote(bundles / versions[0])]
    for change in changes:
        with pytest.raises(
            NotWritten, match=r"cannot be changed in .*: No space left on device\. Link and history are"
        ):
            change()
        assert state(bundles) == before
    assert not [path.name for path in bundles.iterdir() if path.name.startswith(f".{CURRENT}")]


def test_a_first_promotion_that_cannot_be_written_down_leaves_no_link(small_disk: Path) -> None:
    bundle = make_bundle(small_disk / "bundles")
    (small_disk / "bundles" / PROMOTIONS).touch()
    fill_disk(small_disk)
    with pytest.raises(NotWritten, match="No space left on device"):
        promote(bundle)
    assert state(small_disk / "bundles") == (None, [])


def test_a_read_only_disk_is_said_in_words(small_disk: Path, versions: list[str]) -> None:
    bundles = small_disk / "bundles"
    subprocess.run(mount("-o", "remount,ro", small_disk), check=True)
    before = state(bundles)
    changes: list[Callable[[], object]] = [lambda: rollback(bundles), lambda: promote(bundles / versions[0])]
    for change in changes:
        with pytest.raises(NotWritten, match="Read-only file system"):
            change()
        assert state(bundles) == before
