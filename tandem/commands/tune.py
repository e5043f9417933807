"""The search for better parameters of the towers."""

from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console, working

app = typer.Typer()


@app.command(rich_help_panel=OPERATION)
def tune(
    root: Root = HERE, trials: Annotated[int, typer.Option(min=1, help="Settings to try, the present ones first.")] = 20
) -> None:
    """Search the towers' parameters on the last label window before the cutoff; every trial is a run in MLflow.

    Trials that lag are stopped early. params.yaml is not changed: put what is printed there, then run dvc repro.

    Example: tandem tune --trials 30
    """
    from training.retrieval.tuning import RECALL_AT
    from training.retrieval.tuning import tune as search

    project = open_project(root)
    with working("tune") as work:
        tuned = search(project.workspace, project.settings, trials, work.steps)
    console.print(
        f"  best of {tuned.trials} trials ({tuned.stopped_early} stopped early): Recall@{RECALL_AT} on items new to "
        f"the user {tuned.recall:.4f}, with params.yaml as it is {tuned.recall_as_is:.4f}",
        highlight=False,
    )
    console.print(
        "two_tower:", *(f"  {name}: {value}" for name, value in tuned.chosen.items()), sep="\n", highlight=False
    )
