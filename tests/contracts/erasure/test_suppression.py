"""The list of who was erased holds hashes alone."""

import hashlib
import hmac
from pathlib import Path

import pytest

from contracts.erasure.suppression import SUPPRESSED, SuppressionList, hashes_in, nobody
from contracts.errors import InvalidInput, MissingArtifact

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
