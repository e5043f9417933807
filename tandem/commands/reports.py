"""Pages for people: what was ingested, and how far served features have drifted."""

import typer

from tandem.commands.options import HERE, OPERATION, BundleOption, Root, open_project
from tandem.console import console, working

app = typer.Typer()
reports = typer.Typer(no_args_is_help=True, help="Pages for people about what lies in the workspace.")
app.add_typer(reports, name="report", rich_help_panel=OPERATION)


@app.command(rich_help_panel=OPERATION)
def drift(
    root: Root = HERE,
    bundle: BundleOption = "current",
) -> None:
    """Compare what was served lately with the bundle's reference sample.

    Example: tandem drift
    """
    from monitoring.drift import DriftSettings, drift_report

    workspace = open_project(root).workspace
    output = workspace.reports / "drift"
    with working("drift"):
        result = drift_report(workspace.bundles / bundle, workspace.impression_log, output, DriftSettings())
    console.print(f"  {result.verdict}: see {output / 'drift.html'}")


@reports.command("data")
def report_data(root: Root = HERE) -> None:
    """What was ingested, as one HTML page: volumes, seasons, baskets, funnel, long tail, segments, quality.

    Example: tandem report data
    """
    from training.engine import connect_duckdb
    from training.report.data import data_report

    project = open_project(root)
    with working("report data"):
        page = data_report(project.workspace, connect_duckdb(project.settings.duckdb))
    console.print(f"  open {page}", highlight=False, soft_wrap=True)
