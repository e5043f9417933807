"""The release bundle: one folder, one manifest, one digest; written once, never changed, verified before it serves.

bundle/<version>/
    manifest.json            everything below, with the SHA-256 of each file
    vocabularies.json        terms of each categorical column; item_id's term i is catalogue row i everywhere else
    items.npz                codes [num_items, 5] and statistics [num_items, 12]
    display.json             title and department of each catalogue row, for people
    item_embeddings.npy      [num_items, embedding_dim] float32
    index.faiss              nearest-neighbour index over item_embeddings
    query_tower.onnx, candidate_tower.onnx, ranker.onnx
    reference.parquet        sample of served features at training time, for drift
    saved_model/             the same towers and ranker as TensorFlow SavedModels
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts import CONTRACT_VERSION, features
from contracts.errors import BundleRefused, MissingArtifact

MANIFEST: Final = "manifest.json"
VOCABULARIES: Final = "vocabularies.json"
ITEMS: Final = "items.npz"
DISPLAY: Final = "display.json"
ITEM_EMBEDDINGS: Final = "item_embeddings.npy"
INDEX: Final = "index.faiss"
QUERY_TOWER: Final = "query_tower.onnx"
CANDIDATE_TOWER: Final = "candidate_tower.onnx"
RANKER: Final = "ranker.onnx"
REFERENCE: Final = "reference.parquet"
SAVED_MODELS: Final = "saved_model"
CURRENT: Final = "current"
"""Symbolic link beside the versions; the one that serves by default."""


class FileDigest(BaseModel):
    """Size in bytes and SHA-256 of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a bundle holds and how it was made; unknown keys are refused, a newer writer must raise CONTRACT_VERSION."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle_version: str
    contract_version: int
    schema_hash: str
    created_at: str
    data_end_timestamp: float  # Unix seconds; features and history end here
    training_cutoff_timestamp: float  # Unix seconds; no label or weight saw anything later
    time_zone: str  # of the shop; hour and weekday of a request are in it
    num_items: int
    embedding_dim: int
    example_user_ids: list[str]  # of the training data, for the page and for smoke tests
    hyper_parameters: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, FileDigest]
    manifest_sha256: str = ""  # of this manifest's JSON with this field empty


def manifest_digest(manifest: Manifest) -> str:
    """Digest that a manifest must carry: no timestamp, metric or parameter can be changed unnoticed."""
    return hashlib.sha256(manifest.model_copy(update={"manifest_sha256": ""}).model_dump_json().encode()).hexdigest()


def schema_hash() -> str:
    """Digest of every feature name in order; a bundle made with other features does not load."""
    names = [
        features.USER_PROFILE,
        features.USER_STATISTICS,
        features.HISTORY,
        features.ITEM_CONTENT,
        features.ITEM_STATISTICS,
        (features.SERVING_SERVICE, features.SEQUENCE_ITEM_IDS, str(features.SEQUENCE_LENGTH)),
    ]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, FileDigest]:
    """Digest of every file below folder but the manifest, by relative POSIX path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {
        path.relative_to(folder).as_posix(): FileDigest(size_bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in files
    }


def version_of(files: Mapping[str, FileDigest]) -> str:
    """Twelve hex digits that name the content: equal parts give an equal version, whoever built them."""
    listing = json.dumps({name: digest.sha256 for name, digest in sorted(files.items())})
    return hashlib.sha256(listing.encode()).hexdigest()[:12]


@contextmanager
def write_bundle(bundles: Path) -> Iterator[Path]:
    """A temporary folder beside the bundles to fill; removed unless `seal` has renamed it."""
    bundles.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=bundles))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def seal(temporary: Path, **fields: Any) -> Path:
    """The finished bundle's folder: digests taken, manifest written, renamed to its version, `current` pointed at it.

    fields are Manifest's, less files, bundle_version, contract_version and schema_hash.
    """
    files = digests(temporary)
    manifest = Manifest(
        bundle_version=version_of(files),
        contract_version=CONTRACT_VERSION,
        schema_hash=schema_hash(),
        files=files,
        **fields,
    )
    manifest = manifest.model_copy(update={"manifest_sha256": manifest_digest(manifest)})
    (temporary / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
    temporary.chmod(0o755)  # mkdtemp gives 0700; a server runs as another user
    final = temporary.parent / manifest.bundle_version
    if final.exists():  # same content, built before
        shutil.rmtree(final)
    temporary.rename(final)
    point_current(final)
    return final


def point_current(bundle: Path) -> None:
    """Makes `current` name this bundle, in one atomic rename."""
    link = bundle.parent / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(bundle.name)
    link.rename(bundle.parent / CURRENT)


def read_manifest(bundle: Path) -> Manifest:
    """The manifest alone, contract checked, digests not.

    Raises MissingArtifact where there is no bundle and BundleRefused where the manifest is of another contract.
    """
    path = bundle / MANIFEST
    if not path.is_file():
        raise MissingArtifact(f"No bundle at {bundle}: {MANIFEST} is missing. Build one with `tandem bundle`.")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleRefused(f"{path} is not a manifest of contract version {CONTRACT_VERSION}: {error}") from error
    if manifest.contract_version != CONTRACT_VERSION:
        raise BundleRefused(
            f"Bundle {manifest.bundle_version} has contract version {manifest.contract_version}, this server reads "
            f"{CONTRACT_VERSION}. Serve it with the matching release or rebuild it with `tandem bundle`."
        )
    if manifest.manifest_sha256 != manifest_digest(manifest):
        raise BundleRefused(f"Bundle {manifest.bundle_version} is refused: {MANIFEST} is altered.")
    if manifest.schema_hash != schema_hash():
        raise BundleRefused(
            f"Bundle {manifest.bundle_version} was trained on feature schema {manifest.schema_hash}, this server "
            f"computes {schema_hash()}. Rebuild the bundle with this release."
        )
    return manifest


def verify(bundle: Path) -> Manifest:
    """The manifest of a bundle whose every file is present, unaltered and listed.

    Raises BundleRefused naming each altered, missing or unlisted file.
    """
    manifest = read_manifest(bundle)
    found = digests(bundle)
    faults = [f"{name} is missing" for name in manifest.files.keys() - found.keys()]
    faults += [f"{name} is not in the manifest" for name in found.keys() - manifest.files.keys()]
    faults += [
        f"{name} is altered (SHA-256 {found[name].sha256[:12]}…, manifest says {manifest.files[name].sha256[:12]}…)"
        for name in found.keys() & manifest.files.keys()
        if found[name] != manifest.files[name]
    ]
    if version_of(manifest.files) != manifest.bundle_version:
        faults.append("the version does not match the listed digests: parts of several bundles are mixed")
    if faults:
        raise BundleRefused(f"Bundle {manifest.bundle_version} is refused: {'; '.join(sorted(faults))}.")
    return manifest
