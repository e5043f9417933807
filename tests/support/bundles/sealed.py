"""Bundles of a few bytes, sealed as real ones are."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.bundle.files import MANIFEST
from contracts.bundle.manifest import Manifest, manifest_digest, seal, write_bundle

PARTS = {"items.npz": b"items", "ranker.onnx": b"ranker", "saved_model/ranker/saved_model.pb": b"graph"}

FIELDS: dict[str, Any] = {
    "created_at": "2026-01-01T00:00:00+00:00",
    "data_end_timestamp": 2.0,
    "training_cutoff_timestamp": 1.0,
    "time_zone": "UTC",
    "num_items": 3,
    "embedding_dim": 2,
    "example_user_ids": ["u1"],
    "hyper_parameters": {},
    "metrics": {},
}


def fill(folder: Path, parts: Mapping[str, bytes]) -> None:
    for name, content in parts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def make_bundle(bundles: Path, parts: Mapping[str, bytes] = PARTS, **fields: Any) -> Path:
    with write_bundle(bundles) as temporary:
        fill(temporary, parts)
        return seal(temporary, **FIELDS | fields)


def rewrite_manifest(bundle: Path, **changes: Any) -> None:
    """A manifest changed by somebody who knows how to sign it off."""
    manifest = json.loads((bundle / MANIFEST).read_text()) | changes
    with contextlib.suppress(ValidationError):  # of changes that make it no manifest at all
        manifest["manifest_sha256"] = manifest_digest(Manifest.model_validate(manifest))
    (bundle / MANIFEST).write_text(json.dumps(manifest))
