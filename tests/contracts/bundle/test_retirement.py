"""A bundle that learned from somebody who was erased is promoted until its last day, and not after."""

from datetime import date
from pathlib import Path

import pytest

from contracts.bundle.manifest import Manifest, read_manifest
from contracts.bundle.promotions import promote, rollback
from contracts.bundle.retirement import RETIRING, learned, note_retiring, refuse_retired, retiring
from contracts.erasure.receipt import LearnedFrom
from contracts.errors import BundleRefused, InvalidInput
from tests.support.bundles.sealed import make_bundle


def manifest(created_at: str, tmp_path: Path) -> Manifest:
    return read_manifest(make_bundle(tmp_path, created_at=created_at))


def test_a_bundle_retires_some_days_after_it_was_made(tmp_path: Path) -> None:
    found = learned(manifest("2024-01-01T12:00:00+00:00", tmp_path), 10)
    assert found.retires_on == "2024-01-11"
    note_retiring(tmp_path, [found])
    refuse_retired(tmp_path, found.bundle_version, date(2024, 1, 10))
    refuse_retired(tmp_path, "another", date(2034, 1, 10))
    with pytest.raises(BundleRefused, match="retired on 2024-01-11"):
        refuse_retired(tmp_path, found.bundle_version, date(2024, 1, 11))


def test_the_earlier_day_holds_and_what_is_gone_is_noted_no_more(tmp_path: Path) -> None:
    first, second = (
        LearnedFrom(bundle_version="a", made_at="", retires_on=day) for day in ("2024-01-02", "2024-01-01")
    )
    note_retiring(tmp_path, [first])
    note_retiring(tmp_path, [second])
    note_retiring(tmp_path, [first])
    assert retiring(tmp_path) == {"a": "2024-01-01"}
    note_retiring(tmp_path, [first.model_copy(update={"bundle_version": "b"})], ["a"])
    assert retiring(tmp_path) == {"b": "2024-01-02"}


def test_days_that_cannot_be_read_are_an_error_and_not_no_days(tmp_path: Path) -> None:
    (tmp_path / RETIRING).write_text('{"a": "soon"}')
    with pytest.raises(InvalidInput, match="Mend it"):
        retiring(tmp_path)


def test_a_rollback_to_a_retired_bundle_is_refused(tmp_path: Path) -> None:
    old, new = make_bundle(tmp_path), make_bundle(tmp_path, {"items.npz": b"others"})
    promote(old)
    promote(new)
    note_retiring(tmp_path, [learned(read_manifest(old), 1)])
    with pytest.raises(BundleRefused, match="retired on 2026-01-02"):
        rollback(tmp_path)
