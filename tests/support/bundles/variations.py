"""Bundles that differ from a trained one in a way that every answer shows."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from contracts.bundle import files as parts
from contracts.bundle.manifest import read_manifest, seal, write_bundle
from training.release.signing import Sign

DERIVED = ("bundle_version", "contract_version", "schema_hash", "files", "manifest_sha256")


def reseal(folder: Path, sign: Sign | None = None, **changes: Any) -> Path:
    """A copied bundle's folder sealed again, after its files were changed."""
    manifest = json.loads((folder / parts.MANIFEST).read_text()) | changes
    (folder / parts.MANIFEST).unlink()
    return seal(folder, sign, **{key: value for key, value in manifest.items() if key not in DERIVED})


def copied(source: Path, folder: Path, *changed: str) -> None:
    """Puts the files that serving reads into a folder; what it does not read is a third of the size.

    changed: those that are written over afterwards. All others are the source's own, by another link.
    """
    names = [*read_manifest(source).files, parts.MANIFEST]
    for name in filter(parts.is_served, names):
        (shutil.copyfile if name in changed else os.link)(source / name, folder / name)


def variation(source: Path, bundles: Path, mark: str, sign: Sign | None = None) -> Path:
    """A bundle of the same shop whose titles end in a mark and whose popular items are others.

    Titles and statistics lie in different files: an answer of mixed parts shows it.
    """
    with write_bundle(bundles) as folder:
        copied(source, folder, parts.DISPLAY, parts.ITEMS)
        display = json.loads((folder / parts.DISPLAY).read_text())
        display["title"] = [f"{title} [{mark}]" for title in display["title"]]
        (folder / parts.DISPLAY).write_text(json.dumps(display))
        with np.load(folder / parts.ITEMS) as matrices:
            items = {name: matrices[name] for name in matrices.files}
        shift = int.from_bytes(mark.encode())
        items["statistics"] = np.roll(items["statistics"], shift, axis=0)
        np.savez(folder / parts.ITEMS, **items)
        return reseal(folder, sign)
