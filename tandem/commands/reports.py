"""Pages for people: what was ingested, and how far served features have drifted."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console, working
from training.workspace import Workspace

app = typer.Typer()
reports = typer.Typer(no_args_is_help=True, help="Pages for people about what lies in the workspace.")
app.add_typer(reports, name="report", rich_help_panel=OPERATION)


@app.command(rich_help_panel=OPERATION)
def drift(
    root: Root = HERE,
    bundle: Annotated[
        str, typer.Option(help="Version below bundles/, `current`, or the URL of a published one.")
    ] = "current",
    impressions: Annotated[
        Path | None, typer.Option(help="Impression log, or a folder of them; default: the workspace's.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder of the report; default: data/reports/drift.")] = None,
) -> None:
    """Compare what was served lately with the bundle's reference sample.

    Example: tandem drift
    """
    from monitoring.drift import DriftSettings, drift_report
    from monitoring.published import fetch_reference

    workspace = Workspace(root.resolve())
    log, folder = impressions or workspace.impression_log, output or workspace.reports / "drift"
    with working("drift"), TemporaryDirectory() as copied:
        reference = fetch_reference(bundle, Path(copied)) if "://" in bundle else workspace.bundles / bundle
        result = drift_report(reference, log, folder, DriftSettings())
    console.print(f"  {result.verdict}: see {folder / 'drift.html'}", soft_wrap=True)


@reports.command("data")
def report_data(root: Root = HERE) -> None:
    """What was ingested, as one HTML page: volumes, seasons, baskets, funnel, long tail, segments, quality.

    Example: tandem report data
    """
    from training.data_report.data import data_report
    from training.engine import connect_duckdb

    project = open_project(root)
    with working("report data"):
        page = data_report(project.workspace, connect_duckdb(project.settings.duckdb))
    console.print(f"  open {page}", highlight=False, soft_wrap=True)
