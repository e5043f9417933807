"""The manifest of a release bundle: one folder, one digest; written once, never changed, verified before it serves.

What lies in the folder is said in contracts/bundle/files.py.
"""

import hashlib
import json
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from contracts import CONTRACT_VERSION, OLDEST_CONTRACT
from contracts.bundle.files import (
    CURRENT,
    KINDS,
    MANIFEST,
    OUTSIDE_OF_DIGESTS,
    FileDigest,
    below,
    digests,
    is_served,
    version_of,
)
from contracts.errors import BundleRefused, MissingArtifact, faults_of
from contracts.features import names as features
from contracts.features.text import TEXT_DIM
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES
from contracts.renamed_settings import RENAMED_SETTINGS


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

    def parameters(self, section: str) -> dict[str, Any]:
        """The section's hyper-parameters by today's names, whichever version wrote the bundle."""
        renamed = RENAMED_SETTINGS.get(section, {})
        return {renamed.get(name, name): value for name, value in self.hyper_parameters[section].items()}

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileDigest]) -> dict[str, FileDigest]:
        """A copy is written by these names, so none may lead out of the bundle's folder."""
        if outside := [name for name in files if name.startswith("/") or ".." in PurePosixPath(name).parts]:
            raise ValueError(f"not inside the bundle: {', '.join(outside)}")
        return files


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
        (
            features.SERVING_SERVICE,
            *features.SEQUENCE,
            str(features.SEQUENCE_LENGTH),
            str(features.ENGAGEMENTS_LENGTH),
            *features.SEQUENCE_TYPES,
        ),
        PAIR_FEATURES,
        ENGAGEMENT_FEATURES,
        (str(TEXT_DIM),),
    ]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


@contextmanager
def write_bundle(bundles: Path) -> Iterator[Path]:
    """A temporary folder next to the bundles, to be filled; it is removed unless `seal` has renamed it."""
    bundles.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=bundles))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def seal(temporary: Path, sign: Callable[[Path], None] | None = None, **fields: Any) -> Path:
    """The finished bundle's folder: digests taken, manifest written and signed, renamed to its version.

    sign puts signatures next to the manifest. fields are Manifest's, less files, bundle_version, contract_version and
    schema_hash. Nothing serves it yet: that is contracts/bundle/promotions.py.
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
    if sign is not None:
        sign(temporary)
    temporary.chmod(0o755)  # mkdtemp gives 0700; a server runs as another user
    final = temporary.parent / manifest.bundle_version
    if final.exists():  # same content, built before
        shutil.rmtree(final)
    temporary.rename(final)
    return final


def read_manifest(bundle: Path) -> Manifest:
    """The manifest alone, contract checked, digests not.

    Raises MissingArtifact where there is no bundle and BundleRefused where the manifest is of another contract.
    """
    require_manifest(bundle)
    return manifest_from((bundle / MANIFEST).read_bytes(), bundle)


def require_manifest(bundle: Path) -> None:
    """Raises MissingArtifact where there is no bundle."""
    if (bundle / MANIFEST).is_file():
        return
    versions = sorted(path.parent.name for path in bundle.parent.glob(f"[!.]*/{MANIFEST}"))
    there = ", ".join(versions)
    if there and bundle.name == CURRENT and not bundle.is_symlink():
        one = versions[0] if len(versions) == 1 else "VERSION"
        raise MissingArtifact(
            f"No bundle is promoted in {bundle.parent}. There is {there}: `tandem promote {one}`, or with --force if "
            "its gate refused it."
        )
    remedy = (
        f"Next to it there is {there}."
        if there
        else ("Build one with `tandem bundle`, or name the workspace that has one: --root, or bundle= in a notebook.")
    )
    raise MissingArtifact(f"No bundle at {bundle}: {MANIFEST} is missing. {remedy}")


def manifest_from(content: bytes, bundle: Path) -> Manifest:
    """The manifest in the bytes of a bundle's file. Raises BundleRefused where it is of another contract."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        path = bundle / MANIFEST
        faults = "; ".join(faults_of(error, of=Manifest))  # without its values: ids of users are among them
        raise BundleRefused(f"{path} is not a manifest of contract version {CONTRACT_VERSION}: {faults}") from error
    if not OLDEST_CONTRACT <= manifest.contract_version <= CONTRACT_VERSION:
        raise BundleRefused(
            f"Bundle {manifest.bundle_version} has contract version {manifest.contract_version}, this server reads "
            f"{OLDEST_CONTRACT} to {CONTRACT_VERSION}. Serve it with the matching release or rebuild it with "
            "`tandem bundle`."
        )
    if manifest.manifest_sha256 != manifest_digest(manifest):
        raise BundleRefused(f"Bundle {manifest.bundle_version} is refused: {MANIFEST} is altered.")
    if manifest.schema_hash != schema_hash():
        raise BundleRefused(
            f"Bundle {manifest.bundle_version} was trained on feature schema {manifest.schema_hash}, this server "
            f"computes {schema_hash()}. Rebuild the bundle with this release."
        )
    return manifest


def verify(bundle: Path, version: str | None = None, *, for_serving: bool = False) -> Manifest:
    """The manifest of a bundle whose every file is present, unaltered and listed.

    version: what it must hold, by default what its folder is called. for_serving lets NOT_SERVED files be absent; where
    they are present they are held to their digests too.
    Raises BundleRefused for another version, or naming each altered, missing or unlisted file.
    """
    manifest = read_manifest(bundle)
    require_version(manifest, version or bundle.name)
    faults = listing_faults(manifest, bundle, for_serving=for_serving)
    found = digests(bundle)
    faults += [
        altered(name, found[name].sha256, manifest.files[name].sha256)
        for name in found.keys() & manifest.files.keys()
        if found[name] != manifest.files[name]
    ]
    refuse(manifest, faults)
    return manifest


def require_version(manifest: Manifest, asked: str) -> None:
    """Returns for the version that was asked for. Raises BundleRefused for another one.

    Whatever is known of a version, such as that it is retired, would not be found under another name.
    """
    if manifest.bundle_version != asked:
        raise BundleRefused(
            f"Bundle {asked} is refused: it holds {manifest.bundle_version}. Ask for that version; its folder must "
            "have that name."
        )


def listing_faults(manifest: Manifest, bundle: Path, *, for_serving: bool) -> list[str]:
    """What is wrong with the names and kinds of what lies in a bundle's folder, before any of it is read."""
    there, listed = below(bundle), manifest.files.keys()
    missing = listed - there.keys()
    faults = [f"{name} is missing" for name in missing if is_served(name) or not for_serving]
    for name, kind in there.items():
        is_known = name in listed or name in OUTSIDE_OF_DIGESTS
        if kind == stat.S_IFDIR and not is_known:
            continue  # a SavedModel has empty ones; what lies in it is looked at by itself
        if kind != stat.S_IFREG:
            faults.append(f"{name} is {KINDS.get(kind, 'a device')}, and only plain files may lie there")
        elif not is_known:
            faults.append(f"{name} is not in the manifest")
    if version_of(manifest.files) != manifest.bundle_version:
        faults.append("the version does not match the listed digests: parts of several bundles are mixed")
    return faults


def altered(name: str, found: str, listed: str) -> str:
    """The fault of a file whose SHA-256 is another than the manifest's."""
    return f"{name} is altered (SHA-256 {found[:12]}…, manifest says {listed[:12]}…)"


def refuse(manifest: Manifest, faults: Sequence[str]) -> None:
    """Raises BundleRefused naming the faults, if there are any."""
    if faults:
        raise BundleRefused(f"Bundle {manifest.bundle_version} is refused: {'; '.join(sorted(faults))}.")
