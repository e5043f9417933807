"""The bundle: sealed once under the name of its content, refused when a single byte of it differs."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts import CONTRACT_VERSION, OLDEST_CONTRACT
from contracts.bundle.files import CURRENT, MANIFEST, SIGNATURE, digests, version_of
from contracts.bundle.manifest import read_manifest, schema_hash, verify, write_bundle
from contracts.bundle.promotions import require_promotable
from contracts.errors import BundleRefused, MissingArtifact
from serving.bundles.sealed_files import SealedFiles
from tests.support.bundles.sealed import PARTS, fill, make_bundle, rewrite_manifest


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundles")


def test_a_sealed_bundle_is_named_by_its_version_and_served_by_nobody_yet(bundle: Path) -> None:
    manifest = verify(bundle)
    assert bundle.name == manifest.bundle_version == version_of(manifest.files)
    assert re.fullmatch("[0-9a-f]{12}", bundle.name)
    assert manifest.files.keys() == PARTS.keys()
    assert manifest.files["items.npz"].size_bytes == 5
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_sealed_bundle_can_be_read_by_another_user(bundle: Path) -> None:
    assert bundle.stat().st_mode & 0o777 == 0o755


def test_equal_content_gives_an_equal_version_whenever_it_was_built(bundle: Path) -> None:
    again = make_bundle(bundle.parent, created_at="2027-01-01T00:00:00+00:00")
    assert again == bundle
    assert verify(again).created_at == "2027-01-01T00:00:00+00:00"
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_other_content_or_another_file_name_gives_another_version(bundle: Path) -> None:
    changed = make_bundle(bundle.parent, PARTS | {"items.npz": b"itemz"})
    renamed = make_bundle(bundle.parent, {"items.npy": b"items", **dict(list(PARTS.items())[1:])})
    assert len({bundle, changed, renamed}) == 3


def test_nothing_is_left_behind_when_writing_fails_half_way(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), write_bundle(tmp_path / "bundles") as temporary:
        fill(temporary, PARTS)
        raise OSError("disk full")
    assert list((tmp_path / "bundles").iterdir()) == []


def test_nothing_is_left_behind_when_a_field_of_the_manifest_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="num_items"):
        make_bundle(tmp_path / "bundles", num_items="three")
    assert list((tmp_path / "bundles").iterdir()) == []


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_byte_is_refused_naming_the_file(bundle: Path, name: str, position: int) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[position] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleRefused, match=rf"{bundle.name} is refused: {name} is altered \(SHA-256 [^;]*\)\.$"):
        verify(bundle)


def test_a_missing_file_is_refused_naming_it(bundle: Path) -> None:
    (bundle / "ranker.onnx").unlink()
    with pytest.raises(BundleRefused, match=r"refused: ranker\.onnx is missing\.$"):
        verify(bundle)


def test_an_unlisted_file_is_refused_naming_it(bundle: Path) -> None:
    fill(bundle, {"saved_model/extra": b""})
    with pytest.raises(BundleRefused, match=r"refused: saved_model/extra is not in the manifest\.$"):
        verify(bundle)


def test_a_manifest_or_signature_further_down_is_a_file_like_any_other(bundle: Path) -> None:
    fill(bundle, {f"saved_model/{MANIFEST}": b"", f"saved_model/{SIGNATURE}": b""})
    with pytest.raises(BundleRefused, match=r"saved_model/manifest\.json is not .*; saved_model/manifest\.sig is not"):
        verify(bundle)


def test_a_copy_for_serving_may_lack_what_no_server_reads_and_nothing_else(bundle: Path) -> None:
    saved = bundle / "saved_model" / "ranker" / "saved_model.pb"
    saved.unlink()
    assert verify(bundle, for_serving=True).bundle_version == bundle.name
    with pytest.raises(BundleRefused, match=r"saved_model/ranker/saved_model\.pb is missing"):
        verify(bundle)
    saved.write_bytes(b"another graph")
    with pytest.raises(BundleRefused, match=r"saved_model/ranker/saved_model\.pb is altered"):
        verify(bundle, for_serving=True)
    (bundle / "items.npz").unlink()
    with pytest.raises(BundleRefused, match=r"items\.npz is missing"):
        verify(bundle, for_serving=True)


def pipe_beside(bundle: Path) -> str:
    os.mkfifo(bundle / "extra")
    return "extra is a pipe"


def pipe_instead(bundle: Path) -> str:
    (bundle / "ranker.onnx").unlink()
    os.mkfifo(bundle / "ranker.onnx")
    return r"ranker\.onnx is a pipe"


def link_to_the_same_bytes(bundle: Path) -> str:
    (bundle / "ranker.onnx").rename(bundle.parent / "ranker.onnx")
    (bundle / "ranker.onnx").symlink_to("../ranker.onnx")
    return r"ranker\.onnx is a link"


def linked_manifest(bundle: Path) -> str:
    (bundle / MANIFEST).rename(bundle.parent / MANIFEST)
    (bundle / MANIFEST).symlink_to(f"../{MANIFEST}")
    return r"manifest\.json is a link"


def linked_signature(bundle: Path) -> str:
    (bundle / SIGNATURE).symlink_to("/dev/zero")
    return r"manifest\.sig is a link"


def link_to_nothing(bundle: Path) -> str:
    (bundle / "extra").symlink_to("gone")
    return "extra is a link"


def linked_folder(bundle: Path) -> str:
    (bundle / "saved_model").rename(bundle.parent / "away")
    (bundle / "saved_model").symlink_to("../away")
    return "saved_model is a link"


def folder_instead(bundle: Path) -> str:
    (bundle / "ranker.onnx").unlink()
    (bundle / "ranker.onnx").mkdir()
    return r"ranker\.onnx is a folder"


SPOILT = [
    pipe_beside,
    pipe_instead,
    link_to_the_same_bytes,
    linked_manifest,
    linked_signature,
    link_to_nothing,
    linked_folder,
    folder_instead,
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_no_plain_file_is_refused_before_it_serves(bundle: Path, spoil: Callable[[Path], str]) -> None:
    said = f"refused: (.*; )?{spoil(bundle)}, and only plain files may lie there"
    with pytest.raises(BundleRefused, match=said):
        verify(bundle)
    with pytest.raises(BundleRefused, match=said):
        require_promotable(bundle.parent, bundle.name)
    with pytest.raises(BundleRefused, match=f"{said}|is not a plain file|cannot be read"):
        SealedFiles(bundle)


def test_an_empty_folder_as_in_a_saved_model_is_no_fault(bundle: Path) -> None:
    (bundle / "saved_model" / "assets").mkdir()
    assert verify(bundle).bundle_version == bundle.name


@pytest.mark.parametrize("kind", ["copy", "link"])
def test_a_bundle_under_another_name_is_refused_with_the_name_that_works(bundle: Path, kind: str) -> None:
    other = bundle.parent / "another00000"
    if kind == "copy":
        shutil.copytree(bundle, other)
    else:
        other.symlink_to(bundle.name)
    said = f"Bundle another00000 is refused: it holds {bundle.name}. Ask for that version"
    with pytest.raises(BundleRefused, match=said):
        verify(other)
    with pytest.raises(BundleRefused, match=said):
        verify(bundle, "another00000")


def test_a_file_of_another_bundle_is_refused_with_both_digests(bundle: Path) -> None:
    other = make_bundle(bundle.parent, PARTS | {"ranker.onnx": b"another ranker"})
    was, now = (verify(folder).files["ranker.onnx"].sha256[:12] for folder in (bundle, other))
    (bundle / "ranker.onnx").write_bytes((other / "ranker.onnx").read_bytes())
    with pytest.raises(BundleRefused, match=rf"ranker\.onnx is altered \(SHA-256 {now}…, manifest says {was}…\)"):
        verify(bundle)


def test_mixed_parts_are_refused_even_when_the_manifest_lists_their_digests(bundle: Path) -> None:
    fill(bundle, {"ranker.onnx": b"another ranker"})
    rewrite_manifest(bundle, files={name: digest.model_dump() for name, digest in digests(bundle).items()})
    with pytest.raises(BundleRefused, match=r"refused: the version does not match .* several bundles are mixed"):
        verify(bundle)


def test_all_faults_are_named_at_once(bundle: Path) -> None:
    fill(bundle, {"extra": b"", "items.npz": b"itemz"})
    (bundle / "ranker.onnx").unlink()
    with pytest.raises(BundleRefused, match=r"extra is not .*; items\.npz is altered .*; ranker\.onnx is missing\.$"):
        verify(bundle)


@pytest.mark.parametrize("version", [OLDEST_CONTRACT - 1, CONTRACT_VERSION + 1])
def test_another_contract_version_is_refused_with_what_this_server_reads(bundle: Path, version: int) -> None:
    rewrite_manifest(bundle, contract_version=version)
    expected = f"contract version {version}, this server reads {OLDEST_CONTRACT} to {CONTRACT_VERSION}.*`tandem bundle`"
    with pytest.raises(BundleRefused, match=expected):
        verify(bundle)


def test_a_bundle_of_the_contract_before_is_read(bundle: Path) -> None:
    rewrite_manifest(bundle, contract_version=OLDEST_CONTRACT)
    assert verify(bundle).contract_version == OLDEST_CONTRACT


def test_another_feature_schema_is_refused_with_both_hashes(bundle: Path) -> None:
    rewrite_manifest(bundle, schema_hash="0" * 16)
    with pytest.raises(BundleRefused, match=f"feature schema {'0' * 16}, this server computes {schema_hash()}"):
        verify(bundle)


def test_a_manifest_with_an_unknown_key_is_refused_naming_it(bundle: Path) -> None:
    rewrite_manifest(bundle, colour="red")
    with pytest.raises(BundleRefused, match=r"not a manifest of contract version \d+: (?s:.*)colour"):
        read_manifest(bundle)


@pytest.mark.parametrize("changes", [{"example_user_ids": {"anna": 1}}, {"example_user_ids": ["anna", 17]}])
def test_a_refused_manifest_shows_no_ids_of_users(bundle: Path, changes: dict[str, Any]) -> None:
    """The reason stands in GET /bundle, which anybody reads."""
    rewrite_manifest(bundle, **changes)
    with pytest.raises(BundleRefused, match="example_user_ids") as refused:
        read_manifest(bundle)
    assert not re.search("anna|17", str(refused.value).partition("is not a manifest")[2])


@pytest.mark.parametrize("name", ["../escaped", "/etc/passwd", "saved_model/../../escaped"])
def test_a_manifest_that_names_files_outside_of_the_bundle_is_refused(bundle: Path, name: str) -> None:
    rewrite_manifest(bundle, files={name: {"size_bytes": 0, "sha256": ""}})
    with pytest.raises(BundleRefused, match=f"not inside the bundle: {re.escape(name)}"):
        read_manifest(bundle)


def test_a_torn_manifest_is_refused_naming_it(bundle: Path) -> None:
    (bundle / MANIFEST).write_text((bundle / MANIFEST).read_text()[:-3])
    with pytest.raises(BundleRefused, match=r"manifest\.json is not a manifest"):
        read_manifest(bundle)


def test_no_bundle_names_the_command_that_builds_one(tmp_path: Path) -> None:
    (tmp_path / CURRENT).symlink_to("gone")
    with pytest.raises(MissingArtifact, match=r"manifest\.json is missing.*`tandem bundle`.*--root"):
        verify(tmp_path / CURRENT)


def test_a_changed_timestamp_or_metric_in_the_manifest_is_refused(bundle: Path) -> None:
    text = (bundle / MANIFEST).read_text()
    (bundle / MANIFEST).write_text(text.replace("2026-01-01", "2026-02-01"))
    with pytest.raises(BundleRefused, match=r"manifest\.json is altered"):
        read_manifest(bundle)


def test_a_manifest_that_is_not_text_is_refused(bundle: Path) -> None:
    (bundle / MANIFEST).write_bytes(b"\xff\xfe{")
    with pytest.raises(BundleRefused, match="is not a manifest of contract version"):
        read_manifest(bundle)
