"""The list of who was erased holds hashes alone, and a receipt one spelling of what it says."""

import hashlib
import hmac
from datetime import date
from pathlib import Path

import pytest

from contracts.bundle.manifest import Manifest, read_manifest
from contracts.bundle.promotions import current_version, exchange, promote, promotions, rollback
from contracts.bundle.retirement import RETIRING, learned, note_retiring, refuse_retired, retiring
from contracts.erasure.receipt import Erased, LearnedFrom, new_receipt, read_receipt
from contracts.erasure.suppression import SUPPRESSED, SuppressionList, hashes_in, nobody
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from tests.support.bundles import make_bundle

ODD = "o'Hara/ü %27\"\\ 🙂"


def test_the_list_holds_a_keyed_hash_and_not_the_id(tmp_path: Path) -> None:
    erased = SuppressionList(tmp_path / "erasures")
    assert not erased and "u1" not in erased
    erased.add(ODD)
    key = bytes.fromhex((tmp_path / "erasures" / "key").read_text())
    expected = hmac.new(key, ODD.encode(), hashlib.sha256).hexdigest()
    assert (tmp_path / "erasures" / SUPPRESSED).read_text() == expected + "\n"
    assert ODD in erased and "u1" not in erased and len(erased) == 1
    assert (tmp_path / "erasures" / "key").stat().st_mode & 0o077 == 0


def test_an_id_is_listed_once_and_another_process_sees_it_at_once(tmp_path: Path) -> None:
    one, other = SuppressionList(tmp_path), SuppressionList(tmp_path)
    assert "u1" not in other
    one.add("u1")
    other.add("u1")
    assert "u1" in other
    assert len(hashes_in(tmp_path)) == 1


def test_somebody_who_is_removed_may_come_back(tmp_path: Path) -> None:
    erased = SuppressionList(tmp_path)
    erased.add("u1")
    assert erased.remove("u1") is True
    assert "u1" not in erased
    assert erased.remove("u1") is False


def test_a_list_without_its_key_is_refused_because_it_keeps_nobody_out(tmp_path: Path) -> None:
    SuppressionList(tmp_path).add("u1")
    (tmp_path / "key").unlink()
    with pytest.raises(MissingArtifact, match="Restore the key"):
        SuppressionList(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot be kept"):
        SuppressionList(tmp_path / "file" / "below").add("u1")


def test_nobody_is_erased_where_there_is_no_list() -> None:
    assert nobody("u1") is False


def test_a_receipt_names_the_day_when_the_last_bundle_retires() -> None:
    bundles = [
        LearnedFrom(bundle_version="a", made_at="2024-01-01T00:00:00+00:00", retires_on="2024-06-29"),
        LearnedFrom(bundle_version="b", made_at="2023-01-01T00:00:00+00:00", retires_on="2023-06-30"),
    ]
    receipt = new_receipt("hash", [Erased(store="event log", found=2)], bundles)
    assert receipt.last_retires_on == "2024-06-29"
    assert read_receipt(receipt.model_dump_json()) == receipt
    assert new_receipt("hash", [], []).last_retires_on == ""


def test_what_is_no_receipt_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match=r"not a receipt of an erasure: .*person"):
        read_receipt("{}")


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
