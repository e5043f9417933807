"""The audit log: who changed what, and whether it is whole."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root
from tandem.console import console

app = typer.Typer()
audit = typer.Typer(no_args_is_help=True, help="Who changed what, and from where.")
app.add_typer(audit, name="audit", rich_help_panel=OPERATION)
LogFile = Annotated[
    Path | None,
    typer.Option("--log", help="The audit log; default: audit/audit.jsonl here.", envvar="TANDEM_AUDIT_LOG"),
]


@audit.command()
def verify(
    root: Root = HERE,
    log: LogFile = None,
    head: Annotated[str, typer.Option(help="A hash that was the last one once, noted elsewhere.")] = "",
) -> None:
    """Whether every line is as it was written and none is missing, or the first that is not: exit code 2.

    A log whose end was cut off is whole up to there. Note the last hash elsewhere now and then, and ask with --head.

    Example: tandem audit verify --head 8a5edab2…
    """
    from contracts.audit.audit_log import verified
    from contracts.errors import TandemError

    found = verified(_path(root, log), head)
    if found.fault:
        raise TandemError(f"The audit log is not whole: {found.fault}. The {found.entries:,} entries before it are.")
    console.print(f"  {found.entries:,} entries, all as they were written", highlight=False)
    console.print(f"  last hash: {found.head}", highlight=False, soft_wrap=True)


@audit.command()
def show(
    root: Root = HERE,
    log: LogFile = None,
    last: Annotated[int, typer.Option(min=1, help="How many entries, the latest last.")] = 20,
) -> None:
    """The latest entries, one line each.

    Example: tandem audit show --last 50
    """
    from contracts.audit.audit_log import entries_of

    lines = [line for _, line in entries_of(_path(root, log))][-last:]
    for line in lines:
        try:
            entry = json.loads(line)
            what = " ".join(f"{name}={value}" for name, value in entry["what"].items())
            said = f"{entry['at']}  {entry['who']}  {entry['channel']} {entry['address']}  {entry['action']}  {what}"
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            said = "a line that cannot be read; see `tandem audit verify`"
        console.print(said, highlight=False, soft_wrap=True)


def _path(root: Path, log: Path | None) -> Path:
    from training.workspace import Workspace

    return log or Workspace(root.resolve()).audit_log
