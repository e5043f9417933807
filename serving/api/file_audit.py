"""Notes in the audit log that a file which steers this server has changed: such a change passes no route."""

import hashlib
from pathlib import Path

from contracts.audit.audit_log import Actor, Audit
from serving.runtime.file_stamp import FileChanges
from serving.settings import ServingSettings

LOOK_SECONDS = 1.0


def watched_files(settings: ServingSettings) -> dict[str, Path]:
    """The files by what they hold, where there is an audit log to note them in."""
    files = {"rules": settings.rules, "experiment": settings.experiment, "keys": settings.api_keys}
    return {name: path for name, path in files.items() if path is not None and settings.audit_log is not None}


class FileAudit:
    """One file, as it was when the server started and at each change since."""

    def __init__(self, audit: Audit, name: str, path: Path) -> None:
        self._audit = audit
        self._name = name
        self._path = path
        self._changes = FileChanges(path, LOOK_SECONDS, gone_counts=True)
        self._begun = False

    def step(self) -> int:
        """0; an entry is written at the first step and where the file has changed. Raises AuditFailed."""
        if self._begun and not self._changes.happened():
            return 0
        verb = "changed" if self._begun else "read"
        actor = Actor("not known", str(self._path), "file")
        self._audit.record(actor, f"{self._name}.{verb}", sha256=self._digest())
        self._begun = True
        return 0

    def _digest(self) -> str:
        """Digest of the file's content; the keys themselves stay out of the log."""
        try:
            return hashlib.sha256(self._path.read_bytes()).hexdigest()
        except OSError:
            return "gone"
