"""Bundles from a folder and from a real S3 API: what is copied, what is kept, and what is refused on the way."""

import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from contracts.bundle.files import CURRENT, MANIFEST, SIGNATURE
from contracts.bundle.promotions import point_current
from contracts.bundle.retirement import note_retiring
from contracts.bundle.signature import signed_bytes
from contracts.erasure.receipt import LearnedFrom
from contracts.errors import BundleRefused, InvalidInput, MissingArtifact, TandemError
from serving.bundles.signature import check_signed, public_keys
from serving.bundles.sources import DirectorySource, S3Source, source_of
from tests.support.bundles.sealed import PARTS, make_bundle
from training.release.publish import publish
from training.release.signing import new_key, signer

SERVED = {"items.npz", "ranker.onnx", MANIFEST}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundles")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def published(bucket: Any, bundle: Path) -> str:
    return publish(bundle, "s3://shop/bundles")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_published_bundle_is_named_by_its_version_and_whole(bucket: Any, bundle: Path, published: str) -> None:
    assert published == f"s3://shop/bundles/{bundle.name}"
    assert {path.removeprefix(f"shop/bundles/{bundle.name}/") for path in bucket.find(published)} == files(bundle)


def test_only_what_serving_reads_is_copied(bundle: Path, published: str, cache: Path) -> None:
    folder = source_of(published, cache).fetch()
    assert folder == cache / bundle.name
    assert files(folder) == SERVED
    assert (folder / "ranker.onnx").read_bytes() == PARTS["ranker.onnx"]
    assert {path.name for path in cache.iterdir()} == {bundle.name, f".{bundle.name}.lock", f".{bundle.name}.used"}


def test_a_whole_copy_serves_while_s3_is_away(
    published: str, cache: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    S3Source(published, cache).fetch()
    bucket.rm("shop/bundles", recursive=True)
    assert files(S3Source(published, cache).fetch()) == SERVED


def test_a_copy_that_was_altered_is_fetched_again(published: str, cache: Path) -> None:
    folder = S3Source(published, cache).fetch()
    (folder / "ranker.onnx").write_bytes(b"another")
    assert (S3Source(published, cache).fetch() / "ranker.onnx").read_bytes() == PARTS["ranker.onnx"]


def test_an_interrupted_copy_goes_on_where_it_stopped(bundle: Path, published: str, cache: Path, bucket: Any) -> None:
    bucket.mv(f"{published}/ranker.onnx", f"{published}/away")
    with pytest.raises(MissingArtifact, match=rf"s3://shop/bundles/{bundle.name}/ranker\.onnx cannot be read"):
        S3Source(published, cache).fetch()
    assert not (cache / bundle.name).exists()
    bucket.mv(f"{published}/away", f"{published}/ranker.onnx")
    bucket.rm(f"{published}/items.npz")  # there already, so not asked for
    assert files(S3Source(published, cache).fetch()) == SERVED


def test_a_file_that_was_altered_in_s3_is_refused_and_not_kept(
    bundle: Path, published: str, cache: Path, bucket: Any
) -> None:
    bucket.pipe(f"{published}/ranker.onnx", b"another ranker")
    with pytest.raises(BundleRefused, match=rf"{bundle.name} is refused: ranker\.onnx is altered in s3://shop"):
        S3Source(published, cache).fetch()
    assert not (cache / bundle.name).exists()
    bucket.pipe(f"{published}/ranker.onnx", PARTS["ranker.onnx"])
    assert files(S3Source(published, cache).fetch()) == SERVED


def test_another_version_is_fetched_from_beside_the_first(
    tmp_path: Path, published: str, cache: Path, bucket: Any
) -> None:
    other = make_bundle(tmp_path / "bundles", PARTS | {"items.npz": b"other"})
    source = S3Source(published, cache)
    publish(other, "s3://shop/bundles")
    assert (source.fetch(other.name) / "items.npz").read_bytes() == b"other"
    assert source.identity() == published.rpartition("/")[2]


def test_a_version_under_another_name_is_not_fetched(bundle: Path, published: str, cache: Path, bucket: Any) -> None:
    url = f"{published.rpartition('/')[0]}/another00000"
    bucket.cp(published, url, recursive=True)
    with pytest.raises(BundleRefused, match=f"Bundle another00000 is refused: it holds {bundle.name}"):
        S3Source(url, cache).fetch()


def test_a_retired_version_is_not_changed_to_by_name_and_goes_on_where_it_serves(bundle: Path) -> None:
    point_current(bundle)
    source = DirectorySource(bundle.parent / CURRENT)
    assert source.fetch(bundle.name) == bundle
    note_retiring(bundle.parent, [LearnedFrom(bundle_version=bundle.name, made_at="", retires_on="2020-01-01")])
    with pytest.raises(BundleRefused, match="retired on 2020-01-01"):
        source.fetch(bundle.name)
    assert source.fetch() == bundle


def test_two_servers_that_share_a_cache_fetch_once_and_both_serve(published: str, cache: Path) -> None:
    found: list[Path] = []
    servers = [threading.Thread(target=lambda: found.append(S3Source(published, cache).fetch())) for _ in range(4)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert len(found) == 4
    assert files(found[0]) == SERVED


def copies(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


def test_copies_that_nobody_uses_are_deleted(tmp_path: Path, bundle: Path, published: str, cache: Path) -> None:
    versions = [bundle.name]
    for content in (b"second", b"third"):
        versions.append(make_bundle(tmp_path / "bundles", PARTS | {"items.npz": content}).name)
        publish(tmp_path / "bundles" / versions[-1], "s3://shop/bundles")
    first, second, third = versions
    source, neighbour = S3Source(published, cache), S3Source(published, cache)
    for version in versions:
        source.fetch(version)
    (cache / ".broken-off.partial").mkdir()
    neighbour.fetch(first)
    source.prune({second, third})
    assert copies(cache) == {first, second, third}  # a server that shares the folder reads the first
    neighbour.prune({second})
    source.prune({third})
    assert copies(cache) == {third}
    assert files(source.fetch(first)) == SERVED


def test_a_copy_that_is_being_fetched_is_left_alone(bundle: Path, published: str, cache: Path) -> None:
    source = S3Source(published, cache)
    source.fetch()
    with (cache / f".{bundle.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as a server does that fetches it
        source.prune(set())
        assert copies(cache) == {bundle.name}
    source.prune(set())
    assert copies(cache) == set()


def test_a_signature_travels_with_the_bundle_and_one_that_came_later_is_fetched(
    bundle: Path, published: str, cache: Path, tmp_path: Path
) -> None:
    keys = public_keys(new_key(tmp_path / "key.pem"))
    with pytest.raises(BundleRefused, match="not signed"):
        fetched = S3Source(published, cache).fetch()
        check_signed(fetched, signed_bytes(fetched), keys)
    signer(tmp_path / "key.pem")(bundle)
    publish(bundle, "s3://shop/bundles")
    folder = S3Source(published, cache).fetch()
    assert files(folder) == SERVED | {SIGNATURE}
    check_signed(folder, signed_bytes(folder), keys)


@pytest.mark.parametrize("url", ["s3://", "s3://bucket", "s3://bucket/", "gs://bucket/version"])
def test_a_url_that_names_no_bundle_is_refused(url: str, cache: Path) -> None:
    with pytest.raises(InvalidInput, match="expected s3://bucket/prefix/VERSION"):
        S3Source(url, cache)


def test_an_altered_bundle_is_not_published(bundle: Path, bucket: Any) -> None:
    (bundle / "items.npz").write_bytes(b"other")
    with pytest.raises(BundleRefused, match=r"items\.npz is altered"):
        publish(bundle, "s3://shop/bundles")
    assert bucket.ls("shop") == []


@pytest.mark.parametrize(("url", "error"), [("s3://no-such-bucket/b", TandemError), ("nope://x", InvalidInput)])
def test_a_place_that_cannot_be_written_is_named(bundle: Path, bucket: Any, url: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{url} cannot be"):
        publish(bundle, url)


def test_a_folder_is_a_place_to_publish_to_and_to_serve_from(bundle: Path, tmp_path: Path) -> None:
    """As KServe's storage initializer leaves it: the bundle's files directly below the mount."""
    copied = Path(publish(bundle, str(tmp_path / "volume")))
    mount = copied.rename(tmp_path / "models")
    assert files(source_of(str(mount), tmp_path).fetch()) == files(bundle)


def test_a_link_is_another_source_once_it_has_moved_or_its_bundle_was_written_again(bundle: Path) -> None:
    point_current(bundle)
    source = DirectorySource(bundle.parent / CURRENT)
    first = source.identity()
    assert (source.fetch(), source.identity()) == (bundle, first)
    other = make_bundle(bundle.parent, PARTS | {"items.npz": b"other"})
    point_current(other)
    second = source.identity()
    assert source.fetch() == other
    os.utime(other / MANIFEST, (1, 1))
    assert len({first, second, source.identity()}) == 3
    (bundle.parent / CURRENT).unlink()
    assert source.identity() is None


def test_a_version_that_is_not_there_is_refused_with_those_that_are(bundle: Path) -> None:
    with pytest.raises(MissingArtifact, match=rf"There is no bundle gone\. There is {bundle.name}\."):
        DirectorySource(bundle).fetch("gone")
    with pytest.raises(MissingArtifact, match="There is none"):
        DirectorySource(bundle.parent.parent / "nowhere" / CURRENT).fetch()
