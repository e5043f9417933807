"""The pipeline as a scheduled job of a cluster."""

from pathlib import Path
from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root
from tandem.console import console

app = typer.Typer()


@app.command(rich_help_panel=OPERATION)
def retrain(
    feature_store: Annotated[Path, typer.Option(help="feature_store.yaml of the servers' online store.")],
    bundles: Annotated[str, typer.Option(help="URL that bundles are published below, like s3://shop/bundles.")],
    root: Root = HERE,
    project: Annotated[Path, typer.Option(help="Folder with the pipeline's files; the training image has one.")] = HERE,
    params: Annotated[Path | None, typer.Option(help="params.yaml whose sections replace the project's.")] = None,
    features_only: Annotated[bool, typer.Option(help="Renew the online features and train nothing.")] = False,
    receipt: Annotated[
        Path | None, typer.Option(help="File that gets the published bundle's URL; `tandem rollout start` reads it.")
    ] = None,
    first: Annotated[
        bool, typer.Option(help="Publish whatever the gates say: for a first bundle, when nothing serves yet.")
    ] = False,
) -> None:
    """Train, hold the result to its gates, publish bundle and features; exit code 2 where a gate fails.

    Example: tandem retrain --feature-store store/feature_store.yaml --bundles s3://shop/bundles
    """
    from tandem.retrain import Publication, lay_out, renew_features
    from tandem.retrain import retrain as run
    from training.workspace import Workspace

    workspace = Workspace(root.resolve())
    publication = Publication(feature_store.resolve(), bundles, gates=not first)
    if project.resolve() != workspace.root:
        lay_out(project, workspace, params)
    if features_only:
        renew_features(workspace, publication)
        console.print("  features are in the online store", highlight=False)
        return
    url = run(workspace, publication)
    if receipt:
        receipt.write_text(f"{url}\n")
    console.print(f"  published {url}", highlight=False, soft_wrap=True)
