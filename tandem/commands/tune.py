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

    Example: tandem tune --trials 20
    """
    from training.retrieval.tuning import FEW_ITEMS, RECALL_AT, items_of
    from training.retrieval.tuning import tune as search

    project = open_project(root)
    if (items := items_of(project.workspace)) < FEW_ITEMS:
        console.print(
            f"note: the catalogue has {items:,} items, and trials are judged by what their first {RECALL_AT} hold. "
            f"Below {FEW_ITEMS} items nearly every list finds everything: do not change params.yaml by the result.",
            highlight=False,
            soft_wrap=True,
        )
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
