"""`tandem init`: a workspace of one's own, with a mapping guessed from the files."""

from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.options import PIPELINE
from tandem.console import console

app = typer.Typer()


@app.command(rich_help_panel=PIPELINE)
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make the workspace in.")],
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Raw files, or the folder of them; the mapping is guessed. A folder in it is a table in parts.",
        ),
    ] = None,
) -> None:
    """Make a workspace: params.yaml, feature_repo, dvc.yaml, .gitignore and a guessed mapping.

    Files that are there already are left as they are.

    Example: tandem init shop --from exports/
    """
    from tandem.new_workspace import make

    made = make(folder, files or [])
    for name in made.written:
        console.print(f"  {folder / name}", highlight=False, soft_wrap=True)
    for name in made.left:
        console.print(f"  {folder / name} is there already and was left as it is", highlight=False, soft_wrap=True)
    for name in made.passed_over:
        console.print(f"  {name} was not looked at: it is no table that can be read", highlight=False, soft_wrap=True)
    if made.unsure:
        console.print(f"  {made.unsure} lines of mapping.yaml are marked with `# ?`: look at them", highlight=False)
    console.print(f"next: cd {folder}; tandem ingest --dry-run; then tandem ingest", highlight=False, soft_wrap=True)
