"""The audit log of the commands that change what serves, and the option that names another one."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from contracts.audit.audit_log import Actor, Audit, AuditLog, NoAudit

AuditOption = Annotated[
    Path | None,
    typer.Option(
        "--audit-log",
        help="Log that gets a line; default: audit/audit.jsonl of a workspace.",
        envvar="TANDEM_AUDIT_LOG",
    ),
]


def open_audit(root: Path, given: Path | None) -> Audit:
    """The audit log that is named, or the one of a workspace; elsewhere nothing is noted."""
    from training.workspace import Workspace

    workspace = Workspace(root.resolve())
    if given is None and not workspace.is_made:
        return NoAudit()
    return AuditLog(given or workspace.audit_log)


def note(root: Path, given: Path | None, action: str, **what: object) -> None:
    """Notes a change before it is made. Raises AuditFailed, and then it is not made."""
    open_audit(root, given).record(Actor("command line", socket.gethostname()), action, **what)
