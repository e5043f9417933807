"""Promote and roll back: the link, the history next to it, and every way it can fail."""

import json
from pathlib import Path

import pytest

from contracts.bundle.files import CURRENT
from contracts.bundle.promotions import (
    PROMOTIONS,
    RESERVE,
    bundle_versions,
    current_version,
    exchange,
    point_current,
    previous_version,
    promote,
    promotions,
    refuse_older,
    rollback,
)
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from tests.support.bundles.sealed import PARTS, make_bundle


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return tmp_path / "bundles"


@pytest.fixture
def versions(bundles: Path) -> tuple[str, str, str]:
    """Three bundles, promoted in this order."""
    made = [make_bundle(bundles, PARTS | {"items.npz": content}) for content in (b"first", b"second", b"third")]
    for bundle in made:
        promote(bundle)
    return made[0].name, made[1].name, made[2].name


def test_a_promotion_moves_current_and_is_written_down(bundles: Path, versions: tuple[str, str, str]) -> None:
    assert (bundles / CURRENT).readlink() == Path(versions[2])  # relative, so that bundles/ may be moved
    assert [change.bundle_version for change in promotions(bundles)] == list(versions)
    assert {path.name for path in bundles.iterdir()} == {*versions, CURRENT, PROMOTIONS, RESERVE}
    assert bundle_versions(bundles) == sorted(versions)


def test_a_rollback_goes_to_what_was_promoted_before(bundles: Path, versions: tuple[str, str, str]) -> None:
    change = rollback(bundles)
    assert (change.bundle_version, change.rolled_back_from) == (versions[1], versions[2])
    assert current_version(bundles) == versions[1]


def test_two_rollbacks_go_two_versions_back_and_a_third_says_there_is_nothing(
    bundles: Path, versions: tuple[str, str, str]
) -> None:
    rollback(bundles)
    assert rollback(bundles).bundle_version == versions[0]
    with pytest.raises(MissingArtifact, match=f"Nothing was promoted in .* before {versions[0]}.*--to"):
        rollback(bundles)


def test_after_a_rollback_and_a_new_promotion_the_way_back_skips_the_bad_one(
    bundles: Path, versions: tuple[str, str, str]
) -> None:
    rollback(bundles)  # third was bad
    promote(bundles / versions[0])
    assert previous_version(bundles) == versions[1]


def test_a_rollback_may_name_any_version_that_lies_there(bundles: Path, versions: tuple[str, str, str]) -> None:
    assert rollback(bundles, versions[0]).bundle_version == versions[0]
    assert rollback(bundles, versions[2]).bundle_version == versions[2]  # and forward again


def test_a_crash_between_link_and_history_still_leads_back(bundles: Path, versions: tuple[str, str, str]) -> None:
    newest = make_bundle(bundles, PARTS | {"items.npz": b"fourth"})
    point_current(newest)  # and the process ended before the history was written
    assert rollback(bundles).bundle_version == versions[2]


def test_a_link_from_before_there_was_a_history_is_the_way_back(bundles: Path) -> None:
    first, second = make_bundle(bundles), make_bundle(bundles, PARTS | {"items.npz": b"second"})
    point_current(first)
    promote(second)
    assert previous_version(bundles) == first.name


def test_promoting_what_serves_already_is_no_way_back_to_itself(bundles: Path, versions: tuple[str, str, str]) -> None:
    promote(bundles / versions[2])
    assert previous_version(bundles) == versions[1]


@pytest.mark.parametrize(
    ("to", "error", "said"),
    [
        ("gone", MissingArtifact, r"Cannot roll back to gone: .* does not hold it\. There is [0-9a-f]{12}, "),
        ("..", MissingArtifact, r"Cannot roll back to \.\."),
        (CURRENT, MissingArtifact, "Cannot roll back to current"),
    ],
)
def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    bundles: Path, versions: tuple[str, str, str], to: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        rollback(bundles, to)
    assert current_version(bundles) == versions[2]


def test_the_version_that_serves_is_refused(bundles: Path, versions: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidInput, match=f"{versions[2]} serves already"):
        rollback(bundles, versions[2])


def test_an_altered_bundle_is_not_rolled_back_to(bundles: Path, versions: tuple[str, str, str]) -> None:
    (bundles / versions[1] / "items.npz").write_bytes(b"seconds")
    with pytest.raises(BundleRefused, match=r"items\.npz is altered"):
        rollback(bundles)
    assert current_version(bundles) == versions[2]


def test_an_empty_folder_has_nothing_to_roll_back(bundles: Path) -> None:
    with pytest.raises(MissingArtifact, match=r"nothing to roll back.*`tandem bundle`"):
        rollback(bundles)


def test_a_torn_history_names_the_line_and_the_way_around_it(bundles: Path, versions: tuple[str, str, str]) -> None:
    with (bundles / PROMOTIONS).open("a") as file:
        file.write(json.dumps({"promoted_at": "now"})[:-4] + "\n")
    with pytest.raises(InvalidInput, match=r"promotions\.jsonl line 4 cannot be read as a promotion.*--to"):
        rollback(bundles)
    assert rollback(bundles, versions[0]).bundle_version == versions[0]


@pytest.fixture
def aged(bundles: Path) -> tuple[str, str, str]:
    """Three bundles of three years; the second and the third were promoted."""
    made = [
        make_bundle(bundles, PARTS | {"items.npz": year.encode()}, created_at=f"{year}-01-01T00:00:00+00:00")
        for year in ("2024", "2025", "2026")
    ]
    for bundle in made[1:]:
        promote(bundle)
    return made[0].name, made[1].name, made[2].name


def test_a_link_to_an_older_bundle_is_refused_unless_it_is_a_rollback(
    bundles: Path, aged: tuple[str, str, str]
) -> None:
    first, second, third = aged
    refuse_older(bundles, third)
    for older in (first, second):
        with pytest.raises(
            BundleRefused, match=rf"{older} is refused: it is older than .* tandem rollback --to {older}"
        ):
            refuse_older(bundles, older)
    rollback(bundles)
    refuse_older(bundles, second)
    with pytest.raises(BundleRefused, match="it is older than"):
        refuse_older(bundles, first)
    refuse_older(bundles, third)  # a rollback that ended before its link was moved
    newest = make_bundle(bundles, PARTS | {"items.npz": b"new"}, created_at="2027-01-01T00:00:00+00:00")
    refuse_older(bundles, newest.name)  # a promotion that ended before its line was written


@pytest.mark.parametrize("created_at", ["yesterday", "2020-01-01T00:00:00"])
def test_a_bundle_that_cannot_say_when_it_was_made_is_left_to_the_other_checks(bundles: Path, created_at: str) -> None:
    promote(make_bundle(bundles, created_at="2026-01-01T00:00:00+00:00"))
    other = make_bundle(bundles, PARTS | {"items.npz": b"other"}, created_at=created_at)
    if created_at == "yesterday":
        refuse_older(bundles, other.name)
    else:  # without a zone it is UTC
        with pytest.raises(BundleRefused, match="it is older than"):
            refuse_older(bundles, other.name)


def test_nothing_is_older_where_nothing_was_promoted(bundles: Path) -> None:
    refuse_older(bundles, make_bundle(bundles).name)


def test_a_bundle_that_takes_the_place_of_another_has_its_history(tmp_path: Path) -> None:
    old, new, third = (make_bundle(tmp_path, {"items.npz": name}) for name in (b"1", b"2", b"3"))
    promote(old)
    promote(third)
    rollback(tmp_path)
    exchange(tmp_path, old.name, new.name)
    assert current_version(tmp_path) == new.name
    assert [change.bundle_version for change in promotions(tmp_path)] == [new.name, third.name, new.name]
    exchange(tmp_path, third.name, "x")
    assert promotions(tmp_path)[-1].rolled_back_from == "x"
    assert current_version(tmp_path) == new.name
