"""The OpenSSF model signature, checked by the library and its program: yes, and no for each way to alter a bundle."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.bundle.files import MODEL_SIGNATURE, SIGNATURE
from contracts.bundle.manifest import seal, verify, write_bundle
from contracts.bundle.signature import signed_bytes
from contracts.errors import InvalidInput, MissingArtifact
from serving.bundles.signature import check_signed, public_keys
from tandem.__main__ import app
from tests.support.bundles.sealed import FIELDS, PARTS, fill, make_bundle
from tests.support.bundles.signatures import CHANGES, checked
from training.release.model_signature import model_signer, new_model_key, signers
from training.release.publish import publish
from training.release.signing import new_key


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a key of either kind, `ours.pem` and `model.pem`; ours.txt holds the public half."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "ours.txt").write_text(new_key(folder / "ours.pem"))
    new_model_key(folder / "model.pem")
    return folder


@pytest.fixture
def signed(tmp_path: Path, keys: Path) -> Path:
    with write_bundle(tmp_path / "bundles") as folder:
        fill(folder, PARTS)
        return seal(folder, signers(keys / "ours.pem", keys / "model.pem"), **FIELDS)


def holds(bundle: Path, public_key: Path) -> bool:
    """What the library says, without a process of its own."""
    from model_signing import verifying

    try:
        verifying.Config().use_elliptic_key_verifier(public_key=public_key).verify(bundle, bundle / MODEL_SIGNATURE)
    except ValueError:
        return False
    return True


def test_a_bundle_has_both_signatures_under_the_version_it_has_without(
    signed: Path, keys: Path, tmp_path: Path
) -> None:
    well, said = checked(signed, keys / "model.pem.pub")
    assert well, said
    check_signed(signed, signed_bytes(signed), public_keys((keys / "ours.txt").read_text()))
    assert verify(signed).bundle_version == signed.name == make_bundle(tmp_path / "others").name


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_is_altered_is_found(signed: Path, keys: Path, change: Callable[[Path], None]) -> None:
    change(signed)
    assert not holds(signed, keys / "model.pem.pub")


def test_its_program_says_no_and_names_the_altered_file(signed: Path, keys: Path) -> None:
    CHANGES["a file altered"](signed)
    well, said = checked(signed, keys / "model.pem.pub")
    assert not well and "Verification failed" in said and "items.npz" in said


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    assert not holds(signed, new_model_key(tmp_path / "other.pem"))


def test_a_published_bundle_keeps_it(signed: Path, keys: Path, tmp_path: Path) -> None:
    publish(signed, str(tmp_path / "shared"))
    assert holds(tmp_path / "shared" / signed.name, keys / "model.pem.pub")


def test_without_a_key_nothing_signs() -> None:
    assert signers(None, None) is None


def test_one_signature_is_made_without_the_other(tmp_path: Path, keys: Path) -> None:
    bundle = make_bundle(tmp_path / "bundles")
    sign = signers(None, keys / "model.pem")
    assert sign is not None
    sign(bundle)
    assert (bundle / MODEL_SIGNATURE).is_file() and not (bundle / SIGNATURE).exists()


def test_what_is_no_such_key_is_refused_with_the_command_that_makes_one(tmp_path: Path, keys: Path) -> None:
    with pytest.raises(MissingArtifact, match="tandem keys new-model"):
        model_signer(tmp_path / "gone.pem")
    with pytest.raises(InvalidInput, match=r"key of another kind.*tandem keys new-model"):
        model_signer(keys / "ours.pem")


def test_a_key_is_its_owners_alone_and_neither_half_is_overwritten(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["keys", "new-model", str(tmp_path / "k.pem")], catch_exceptions=False).output
    assert f"public key: {tmp_path / 'k.pem.pub'}" in said
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInput, match="the public key would go there"):
        new_model_key(tmp_path / "k.pem")
    (tmp_path / "k.pem.pub").unlink()
    with pytest.raises(InvalidInput, match="a key that is overwritten is lost"):
        new_model_key(tmp_path / "k.pem")
