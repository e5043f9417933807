"""Copies a sealed bundle to where a cluster's servers fetch it."""

from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped,unused-ignore]  # ships no types

from contracts.bundle.files import MANIFEST, MODEL_SIGNATURE, SIGNATURE
from contracts.bundle.manifest import verify
from contracts.bundle.retirement import refuse_retired
from contracts.errors import InvalidInput, TandemError


def publish(bundle: Path, url: str) -> str:
    """The published bundle's URL: url/VERSION, every file below it, the manifest last.

    A reader that finds a manifest finds all of its files. Raises BundleRefused for an altered or retired bundle,
    InvalidInput for a URL that no package opens, TandemError where it cannot be written.
    """
    manifest = verify(bundle)
    refuse_retired(bundle.parent, manifest.bundle_version)
    try:
        filesystem, folder = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InvalidInput(f"{url} cannot be opened: {error}") from error
    target = f"{folder.rstrip('/')}/{manifest.bundle_version}"
    signatures = [name for name in (SIGNATURE, MODEL_SIGNATURE) if (bundle / name).is_file()]
    try:
        for name in [*manifest.files, *signatures, MANIFEST]:
            _put(filesystem, bundle / name, f"{target}/{name}")
    except (
        Exception
    ) as error:  # fsspec's file systems have exceptions of their own; each means the same to the operator
        raise TandemError(f"{url} cannot be written: {type(error).__name__}: {error}") from error
    return f"{url.rstrip('/')}/{manifest.bundle_version}"


def _put(filesystem: Any, path: Path, target: str) -> None:
    if "file" in filesystem.protocol:  # object stores need no folders, and s3fs would make a misspelt bucket
        filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
    filesystem.put_file(str(path), target)
