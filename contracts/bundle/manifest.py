"""The release bundle: one folder, one manifest, one digest; written once, never changed, verified before it serves.

bundle/<version>/
    manifest.json            everything below, with the SHA-256 of each file
    manifest.sig             Ed25519 signature of manifest.json, where it was signed (contracts/bundle/signature.py)
    model.sig                OpenSSF model signature, where one was made (training/release/model_signature.py)
    vocabularies.json        terms of each categorical column; item_id's term i is catalogue row i everywhere else
    items.npz                codes [num_items, 5], statistics [num_items, 25], text [num_items, 16] and prices
                             [num_items], NaN: not known
    text_projection.npy      n-grams of a title to its row of text (contracts/features/text.py)
    neighbours.npz           item-to-item weights (contracts/ranking/neighbours.py); a bundle made before
                             they were known has none
    related.npz              what goes with each item, and from where on two are called similar
                             (contracts/ranking/related.py); a bundle made before it was counted has none
    segments.npz             what people of each profile value buy (contracts/ranking/segments.py)
    display.json             title and department of each catalogue row, for people
    item_embeddings.npy      [num_items, embedding_dim] float32
    index.faiss              nearest-neighbour index over item_embeddings
    query_tower.onnx, candidate_tower.onnx, ranker.onnx
    unseen_ranker.onnx       the ranker of lists that leave out what the user had; without it ranker.onnx is theirs too
    reference.parquet        sample of served features at training time, for drift
    evaluation.parquet       the final list's NDCG@20 of each user of the test window, for the gate of the next release
    model_card.md, .html     what the lists are worth, for people
    saved_model/             the same towers and a neural ranker as TensorFlow SavedModels

A server reads none of the last four (NOT_SERVED), so a copy for serving may lack them; the version and the manifest's
digest are over the whole list, so what such a copy holds is held to the same digests.
"""

import hashlib
import json
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from contracts import CONTRACT_VERSION, OLDEST_CONTRACT
from contracts.errors import BundleRefused, MissingArtifact, faults_of
from contracts.features import names as features
from contracts.features.text import TEXT_DIM
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, PAIR_FEATURES
from contracts.renamed_settings import RENAMED_SETTINGS

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
CURRENT: Final = "current"
"""Symbolic link in the bundles' folder to the version that serves by default."""
MODEL_SIGNATURE: Final = "model.sig"
OUTSIDE_OF_DIGESTS: Final = frozenset({MANIFEST, SIGNATURE, MODEL_SIGNATURE})
"""The manifest holds the digests and the signatures are over the manifest: none of them can be in its list."""
KINDS: Final[Mapping[int, str]] = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
"""Kinds other than a plain file, by stat.S_IFMT; all else is a device."""
VOCABULARIES: Final = "vocabularies.json"
ITEMS: Final = "items.npz"
NEIGHBOURS: Final = "neighbours.npz"
RELATED: Final = "related.npz"
SEGMENTS: Final = "segments.npz"
DISPLAY: Final = "display.json"
TEXT_PROJECTION: Final = "text_projection.npy"
ITEM_EMBEDDINGS: Final = "item_embeddings.npy"
INDEX: Final = "index.faiss"
QUERY_TOWER: Final = "query_tower.onnx"
CANDIDATE_TOWER: Final = "candidate_tower.onnx"
RANKER: Final = "ranker.onnx"
UNSEEN_RANKER: Final = "unseen_ranker.onnx"
GOLDEN: Final = "golden.npz"
REFERENCE: Final = "reference.parquet"
EVALUATION: Final = "evaluation.parquet"
MODEL_CARD: Final = "model_card.md"
MODEL_CARD_PAGE: Final = "model_card.html"
SAVED_MODELS: Final = "saved_model"
NOT_SERVED: Final = (f"{SAVED_MODELS}/", REFERENCE, EVALUATION, MODEL_CARD, MODEL_CARD_PAGE)
"""What a copy for serving may lack, by the beginning of the path."""


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


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, FileDigest]:
    """Digest of every file below folder but the manifest and the signatures, by relative POSIX path."""
    return {name: digest_of(folder / name) for name in files_of(folder)}


def files_of(folder: Path) -> list[str]:
    """The files that `digests` names, by relative POSIX path. A link is none, wherever it leads."""
    plain = (name for name, kind in _below(folder).items() if kind == stat.S_IFREG)
    return [name for name in plain if name not in OUTSIDE_OF_DIGESTS]


def _below(folder: Path) -> dict[str, int]:
    """What everything below folder is (stat.S_IFMT), by relative POSIX path; no link is followed."""
    return {
        path.relative_to(folder).as_posix(): stat.S_IFMT(path.lstat().st_mode) for path in sorted(folder.rglob("*"))
    }


def digest_of(path: Path) -> FileDigest:
    """Size and SHA-256 of one file."""
    return FileDigest(size_bytes=path.stat().st_size, sha256=sha256_of(path))


def is_served(name: str) -> bool:
    """Whether a server reads this file of a bundle."""
    return not name.startswith(NOT_SERVED)


def version_of(files: Mapping[str, FileDigest]) -> str:
    """Twelve hex digits that name the content: equal parts give an equal version."""
    listing = json.dumps({name: digest.sha256 for name, digest in sorted(files.items())})
    return hashlib.sha256(listing.encode()).hexdigest()[:12]


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
    there, listed = _below(bundle), manifest.files.keys()
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
