"""What `ingest` reads, in a few bytes: DVC cannot watch a folder that params.yaml may or may not name, or a bucket."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.erasure.suppression import hashes_in
from contracts.errors import TandemError
from training.ingest.files.location import locate
from training.settings import IngestSettings
from training.workspace import Workspace

WRITES_TO_PATH = ("synthetic",)
"""Adapters whose path is where they leave files, not where they read them."""
READS_A_LOG = ("event-log",)
"""Adapters that also read a log, to which a server adds while it runs."""


def note_raw_files(workspace: Workspace, settings: IngestSettings) -> int:
    """Writes data/raw_files.json, which changes where a raw file or the mapping has changed; gives how many files.

    What cannot be read is noted as nothing: `ingest` then runs, and says what is wrong.
    """
    files = {} if settings.adapter in WRITES_TO_PATH else _keys(settings)
    mapping = _text(settings.mapping)
    noted: dict[str, object] = {"adapter": settings.adapter, "path": settings.path, "files": files, "mapping": mapping}
    if erased := sorted(hashes_in(workspace.erasures)):  # the tables of before have these people
        noted["erased"] = erased
    if settings.adapter in READS_A_LOG:  # it may have grown at any time, so it is read anew each time
        noted["asked"] = datetime.now(UTC).isoformat()
    workspace.raw_files.parent.mkdir(parents=True, exist_ok=True)
    workspace.raw_files.write_text(json.dumps(noted, indent=1, sort_keys=True))
    return len(files)


def _keys(settings: IngestSettings) -> dict[str, Any]:
    """fsspec's key of each file by path: size, time and other facts that need no reading."""
    try:
        location = locate(settings.path, settings.adapter)
    except TandemError:
        return {}
    found = location.filesystem.find(location.folder)
    return {path.removeprefix(location.folder): location.filesystem.ukey(path) for path in found}


def _text(mapping: str) -> str | None:
    """The mapping file as it stands."""
    try:
        return Path(mapping).read_text(encoding="utf-8") if mapping else None
    except (OSError, UnicodeDecodeError):
        return None
