"""A bundle without a person's name takes the place of the one with it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.bundle.files import EVALUATION, MODEL_SIGNATURE, SIGNATURE, VOCABULARIES
from contracts.bundle.manifest import read_manifest, verify
from contracts.bundle.promotions import bundle_versions, current_version, promote, promotions
from contracts.bundle.retirement import retiring
from contracts.bundle.signature import public_key_text, signed_bytes
from contracts.errors import BundleRefused, InvalidInput
from serving.bundles.signature import check_signed, public_keys
from serving.erasure.receipts import private_key
from tests.support.bundles.sealed import PARTS, make_bundle, rewrite_manifest
from training.erasure.bundles import SigningKeys, naming, without_name
from training.release.signing import new_key

ODD = "o'Hara/ü\"\\ 🙂"
TERMS = json.dumps({"user_id": ["u1", ODD, "u2"], "item_id": [ODD]}).encode()


def bundle(bundles: Path) -> Path:
    table = pa.BufferOutputStream()
    pq.write_table(pa.table({"user_id": ["u1", ODD], "ndcg@20": [0.5, 0.25]}), table)
    parts = {**PARTS, VOCABULARIES: TERMS, EVALUATION: table.getvalue().to_pybytes()}
    return make_bundle(bundles, parts, example_user_ids=["u1", ODD])


def test_everything_but_the_name_is_as_before(tmp_path: Path) -> None:
    old = bundle(tmp_path)
    promote(old)
    assert naming(tmp_path, ODD) == [old.name]
    (done,) = without_name(tmp_path, [old.name], ODD, "stand-in", SigningKeys(), 10)
    new = tmp_path / done.now.bundle_version
    assert bundle_versions(tmp_path) == [new.name] and new.name != old.name
    assert naming(tmp_path, ODD) == []
    manifest = verify(new)
    assert manifest.example_user_ids == ["u1"]
    assert manifest.created_at == "2026-01-01T00:00:00+00:00"
    assert json.loads((new / VOCABULARIES).read_text()) == {"user_id": ["u1", "stand-in", "u2"], "item_id": [ODD]}
    assert pq.read_table(new / EVALUATION)["user_id"].to_pylist() == ["u1"]
    assert (new / "ranker.onnx").read_bytes() == PARTS["ranker.onnx"]
    assert current_version(tmp_path) == new.name == promotions(tmp_path)[-1].bundle_version
    assert (done.before, done.now.retires_on) == (old.name, "2026-01-11")
    assert retiring(tmp_path) == {new.name: "2026-01-11"}


def test_a_signed_one_is_signed_again_or_not_touched(tmp_path: Path) -> None:
    old = bundle(tmp_path / "bundles")
    (old / SIGNATURE).write_text("c2lnbmVk\n")
    with pytest.raises(InvalidInput, match=r"manifest\.sig.*--sign-key FILE"):
        without_name(tmp_path / "bundles", [old.name], ODD, "x", SigningKeys(), 10)
    assert bundle_versions(tmp_path / "bundles") == [old.name]
    new_key(tmp_path / "key.pem")
    (done,) = without_name(tmp_path / "bundles", [old.name], ODD, "x", SigningKeys(tmp_path / "key.pem"), 10)
    public = public_key_text(private_key(tmp_path / "key.pem").public_key().public_bytes_raw())
    anew = tmp_path / "bundles" / done.now.bundle_version
    check_signed(anew, signed_bytes(anew), public_keys(public))


def test_the_other_signature_has_a_key_of_its_own(tmp_path: Path) -> None:
    old = bundle(tmp_path)
    (old / MODEL_SIGNATURE).write_text("{}")
    with pytest.raises(InvalidInput, match=r"model\.sig.*--model-sign-key FILE"):
        without_name(tmp_path, [old.name], ODD, "x", SigningKeys(tmp_path / "key.pem"), 10)


def test_a_copy_that_lacks_files_is_refused(tmp_path: Path) -> None:
    old = bundle(tmp_path)
    (old / EVALUATION).unlink()
    with pytest.raises(BundleRefused, match=r"lacks evaluation\.parquet"):
        without_name(tmp_path, [old.name], ODD, "x", SigningKeys(), 10)
    assert read_manifest(old).bundle_version == old.name


def test_a_bundle_that_does_not_name_them_is_left_alone(tmp_path: Path) -> None:
    bundle(tmp_path)
    assert naming(tmp_path, "u") == []
    assert without_name(tmp_path, [], "u", "x", SigningKeys(), 10) == []
    assert retiring(tmp_path) == {}


def test_a_bundle_of_another_contract_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    old = bundle(tmp_path)
    other = make_bundle(tmp_path, {**PARTS, VOCABULARIES: TERMS})
    rewrite_manifest(other, contract_version=1)
    assert naming(tmp_path, ODD) == sorted([old.name, other.name])
    with pytest.raises(BundleRefused, match="contract version 1"):
        without_name(tmp_path, [old.name, other.name], ODD, "x", SigningKeys(), 10)
    assert old.is_dir()
