"""Who sealed a bundle: signed, unsigned, by an unknown key, changed afterwards, and texts that are not keys."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts.bundle.files import MANIFEST, SIGNATURE
from contracts.bundle.manifest import seal, verify, write_bundle
from contracts.bundle.signature import signed_bytes
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact
from serving.bundles.signature import check_signed, public_keys
from tests.support.bundles.sealed import FIELDS, PARTS, fill, make_bundle
from training.release.signing import new_key, signer

OPENSSL = shutil.which("openssl")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "signing.pem"


@pytest.fixture
def public_key(key: Path) -> str:
    return new_key(key)


@pytest.fixture
def signed(tmp_path: Path, key: Path, public_key: str) -> Path:
    with write_bundle(tmp_path / "bundles") as folder:
        fill(folder, PARTS)
        return seal(folder, signer(key), **FIELDS)


def test_a_signed_bundle_passes_under_the_version_it_has_unsigned(
    signed: Path, public_key: str, tmp_path: Path
) -> None:
    check_signed(signed, signed_bytes(signed), public_keys(public_key))
    assert verify(signed).bundle_version == signed.name == make_bundle(tmp_path / "others").name


def test_without_a_public_key_nothing_is_checked(signed: Path) -> None:
    (signed / SIGNATURE).unlink()
    check_signed(signed, signed_bytes(signed), public_keys(""))


def test_an_unsigned_bundle_is_refused_with_how_to_sign_it(signed: Path, public_key: str) -> None:
    (signed / SIGNATURE).unlink()
    with pytest.raises(BundleRefused, match=r"not signed \(manifest\.sig is missing\).*--sign-key"):
        check_signed(signed, signed_bytes(signed), public_keys(public_key))


def test_a_strangers_signature_is_refused(signed: Path, tmp_path: Path) -> None:
    stranger = new_key(tmp_path / "stranger.pem")
    with pytest.raises(BundleRefused, match="not of a key this server trusts"):
        check_signed(signed, signed_bytes(signed), public_keys(stranger))


def test_while_keys_change_both_are_trusted(signed: Path, public_key: str, tmp_path: Path) -> None:
    check_signed(signed, signed_bytes(signed), public_keys(f"{new_key(tmp_path / 'next.pem')},{public_key}"))


def test_a_manifest_that_changed_after_signing_is_refused(signed: Path, public_key: str) -> None:
    with (signed / MANIFEST).open("a") as file:
        file.write("\n")
    with pytest.raises(BundleRefused, match="its manifest was changed after it was signed"):
        check_signed(signed, signed_bytes(signed), public_keys(public_key))


@pytest.mark.parametrize("content", ["", "not base64!", "QUJD"])
def test_a_signature_that_is_none_is_refused(signed: Path, public_key: str, content: str) -> None:
    (signed / SIGNATURE).write_text(content)
    with pytest.raises(BundleRefused, match="is refused"):
        check_signed(signed, signed_bytes(signed), public_keys(public_key))


@pytest.mark.parametrize("text", ["short", "QUJD", "ü", "-----BEGIN PUBLIC KEY-----"])
def test_a_public_key_that_is_none_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidInput, match="base64 of 32 bytes, as `tandem keys new` prints it"):
        public_keys(text)


def test_a_private_key_is_its_owners_alone_and_never_overwritten(key: Path, public_key: str) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInput, match="a key that is overwritten is lost"):
        new_key(key)
    with pytest.raises(InvalidInput, match=r"Cannot write a key to .*: No such file or directory"):
        new_key(key.parent / "no" / "folder.pem")


@pytest.mark.skipif(OPENSSL is None, reason="needs the program openssl")
def test_a_key_of_openssl_signs_too(tmp_path: Path) -> None:
    path = tmp_path / "openssl.pem"
    subprocess.run([str(OPENSSL), "genpkey", "-algorithm", "ed25519", "-out", str(path)], check=True)
    signer(path)(make_bundle(tmp_path / "bundles"))


def test_what_is_no_signing_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="tandem keys new"):
        signer(tmp_path / "gone.pem")
    other = tmp_path / "other.pem"
    other.write_text("not a key")
    with pytest.raises(InvalidInput, match="not a private key in PEM"):
        signer(other)
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(InvalidInput, match="bundles are signed with Ed25519"):
        signer(other)
