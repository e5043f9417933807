"""The parts of a published bundle that drift is measured against."""

from pathlib import Path

import fsspec  # type: ignore[import-untyped,unused-ignore]  # ships no types

from contracts.bundle.files import MANIFEST, REFERENCE
from contracts.errors import MissingArtifact


def fetch_reference(url: str, folder: Path) -> Path:
    """A folder with the bundle's manifest and reference sample, copied from where `tandem bundle --publish` put them.

    Raises MissingArtifact where they cannot be read.
    """
    for name in (MANIFEST, REFERENCE):
        source = f"{url.rstrip('/')}/{name}"
        try:
            filesystem, path = fsspec.core.url_to_fs(source)
            filesystem.get_file(path, str(folder / name))
        except Exception as error:  # fsspec's file systems have exceptions of their own; each means the same here
            raise MissingArtifact(f"{source} cannot be read: {type(error).__name__}: {error}") from error
    return folder
