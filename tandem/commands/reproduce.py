"""A bundle made again from what its run recorded, and compared with it."""

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tandem.commands.options import HERE, OPERATION, Root
from tandem.console import console

if TYPE_CHECKING:
    from training.release.comparison import ComparedPart

app = typer.Typer()


class Exit(IntEnum):
    """Exit codes, for jobs; 2 is an error, as everywhere."""

    REPRODUCED = 0
    DIFFERS = 3


@app.command(rich_help_panel=OPERATION)
def reproduce(
    version: Annotated[str, typer.Argument(help="Version below bundles/.")],
    root: Root = HERE,
    into: Annotated[
        Path | None, typer.Option(help="Empty folder for the run; default: reproduced/VERSION in the root.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder with the tables that ingest wrote; default: the tables of the root.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="How far NDCG@20 and Recall@20 of a list may be off.")] = 0.02,
    any_code: Annotated[bool, typer.Option("--any-code", help="Whatever commit the bundle was made with.")] = False,
) -> None:
    """Make a bundle again from its recorded commit, parameters and data, and say what is the same and what is not.

    Refused where this checkout or the data are others than its run recorded. Ends with 0: the same within the
    tolerance, 3: it is not, 2: error.

    Example: tandem reproduce 3f4a0503dde1
    """
    from contracts.bundle.manifest import verify
    from tandem.made_again import lay_out, run_steps
    from training.release.comparison import compared, reproduced
    from training.release.origin import origin_of, refuse_other_code, refuse_other_data
    from training.tracking import commit_here
    from training.workspace import Workspace

    workspace = Workspace(root.resolve())
    manifest = verify(workspace.bundles / version)
    origin = origin_of(workspace, version)
    if not any_code:
        refuse_other_code(origin, commit_here())
    tables = (data or workspace.ingested("events").parent).resolve()
    refuse_other_data(origin, tables)
    again = lay_out(workspace, manifest, into or workspace.root / "reproduced" / version, tables)
    parts = compared(workspace.bundles / version, run_steps(again), tolerance)
    _say(parts, version, tolerance)
    raise typer.Exit(Exit.REPRODUCED if reproduced(parts) else Exit.DIFFERS)


def _say(parts: "list[ComparedPart]", version: str, tolerance: float) -> None:
    table = Table("part", "compares", "")
    for part in parts:
        table.add_row(escape(part.name), part.verdict, escape(part.words))
    console.print(table)
    counts: dict[str, int] = {}
    for part in parts:
        counts[part.verdict] = counts.get(part.verdict, 0) + 1
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    console.print(f"  {version} made again: {summary}; metrics may be {tolerance} off", highlight=False, soft_wrap=True)
