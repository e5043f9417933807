"""A receipt is signed by one key, and every change of it shows."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.bundle.signature import public_key_text
from contracts.erasure.receipt import UNSIGNED, Erased, Receipt, new_receipt
from contracts.errors import InvalidInput, MissingArtifact, NotAllowed
from serving.bundles.signature import public_keys
from serving.erasure.receipts import check, private_key, signed


def pem(path: Path, key: object) -> Path:
    content = key.private_bytes(  # type: ignore[attr-defined]  # the two kinds of keys share no base
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(content)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return pem(tmp_path / "key.pem", Ed25519PrivateKey.generate())


@pytest.fixture
def receipt() -> Receipt:
    return new_receipt("hash", [Erased(store="event log", found=3)], [])


def public(key: Path) -> str:
    return public_key_text(private_key(key).public_key().public_bytes_raw())


def test_a_signed_receipt_is_of_the_key_that_signed_it(receipt: Receipt, key: Path, tmp_path: Path) -> None:
    done = signed(receipt, key)
    assert done.public_key == public(key)
    check(done, public_keys(public(key)))
    other = pem(tmp_path / "other.pem", Ed25519PrivateKey.generate())
    check(done, public_keys(f"{public(other)},{public(key)}"))
    with pytest.raises(NotAllowed, match="not of a key that is trusted"):
        check(done, public_keys(public(other)))


@pytest.mark.parametrize(
    "change",
    [
        {"person": "another"},
        {"stores": []},
        {"erased_at": "2020-01-01T00:00:00+00:00"},
        {"not_reached": ["x"]},
        {"last_retires_on": "2020-01-01"},
        {"note": "x"},
        {"public_key": "x"},
    ],
)
def test_every_change_of_it_shows(receipt: Receipt, key: Path, change: dict[str, object]) -> None:
    with pytest.raises(NotAllowed, match="changed after it was signed"):
        check(signed(receipt, key).model_copy(update=change), public_keys(public(key)))


def test_without_a_key_it_says_that_nobody_vouches_for_it(receipt: Receipt, key: Path) -> None:
    done = signed(receipt, None)
    assert done.note == UNSIGNED
    with pytest.raises(NotAllowed, match="is not signed"):
        check(done, public_keys(public(key)))


def test_a_signature_that_is_none_is_refused(receipt: Receipt, key: Path) -> None:
    with pytest.raises(NotAllowed, match="not base64"):
        check(signed(receipt, key).model_copy(update={"signature": "ü"}), public_keys(public(key)))


def test_a_file_that_holds_no_such_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="no signing key"):
        private_key(tmp_path / "nothing.pem")
    (tmp_path / "text.pem").write_text("x")
    with pytest.raises(InvalidInput, match="not a private key"):
        private_key(tmp_path / "text.pem")
    with pytest.raises(InvalidInput, match="of another kind"):
        private_key(pem(tmp_path / "ec.pem", generate_private_key(SECP256R1())))
