"""What lies in the folder of a bundle: names, kinds and digests of its files.

bundle/<version>/
    manifest.json            everything below, with the SHA-256 of each file (contracts/bundle/manifest.py)
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
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

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


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, FileDigest]:
    """Digest of every file below folder but the manifest and the signatures, by relative POSIX path."""
    return {name: digest_of(folder / name) for name in files_of(folder)}


def files_of(folder: Path) -> list[str]:
    """The files that `digests` names, by relative POSIX path. A link is none, wherever it leads."""
    plain = (name for name, kind in below(folder).items() if kind == stat.S_IFREG)
    return [name for name in plain if name not in OUTSIDE_OF_DIGESTS]


def below(folder: Path) -> dict[str, int]:
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
