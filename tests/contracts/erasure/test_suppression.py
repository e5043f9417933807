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


def test_a_key_without_its_list_is_refused_because_the_list_is_gone(tmp_path: Path) -> None:
    running = SuppressionList(tmp_path)
    running.add("u1")
    (tmp_path / SUPPRESSED).unlink()
    for lost in (lambda: SuppressionList(tmp_path), lambda: running.add("u2"), lambda: running.remove("u1")):
        with pytest.raises(MissingArtifact, match="restore it"):
            lost()
    assert not (tmp_path / SUPPRESSED).exists()


def test_a_list_that_goes_while_a_server_runs_stays_in_force_and_is_missed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = SuppressionList(tmp_path)
    running.add("u1")
    text = (tmp_path / SUPPRESSED).read_text()
    (tmp_path / SUPPRESSED).unlink()
    assert "u1" in running and "u2" not in running
    assert caplog.text.count("is gone") == 1
    (tmp_path / SUPPRESSED).write_text(text)
    running.add("u2")
    assert "u1" in running and "u2" in running


def test_a_list_without_anybody_needs_no_key(tmp_path: Path) -> None:
    """A process that was killed before it made the key leaves it."""
    (tmp_path / SUPPRESSED).touch()
    erased = SuppressionList(tmp_path)
    assert "u1" not in erased
    erased.add("u1")
    assert "u1" in SuppressionList(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot be kept"):
        SuppressionList(tmp_path / "file" / "below").add("u1")


def test_nobody_is_erased_where_there_is_no_list() -> None:
    assert nobody("u1") is False
