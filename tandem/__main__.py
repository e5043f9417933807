"""The command line: parse, read settings, call one function per command.

Heavy libraries are imported inside the commands, so that `tandem --help` answers at once.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import TandemError
from tandem.console import console, errors, ingest_table, metrics_tables, verdict_lines, working
from training.settings import Engine

if TYPE_CHECKING:
    from training.settings import Settings
    from training.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Tandem: from an event log to a monitored recommendation API.\n\n"
    "The pipeline runs [bold]ingest → features → copurchase → materialize → dataset → train-towers → train-ranker → "
    "evaluate → bundle[/], each as a command of its own or all together by [bold]dvc repro[/]. Then [bold]serve[/] "
    "answers and [bold]drift[/] watches.\n\nExample: [cyan]tandem ingest && tandem features[/]",
)
PIPELINE, OPERATION = "Pipeline, in order", "Operation"
reports = typer.Typer(no_args_is_help=True, help="Pages for people about what lies in the workspace.")
app.add_typer(reports, name="report", rich_help_panel=OPERATION)
Root = Annotated[Path, typer.Option(help="Folder with params.yaml and feature_repo; data and bundles lie below it.")]
HERE = Path()
EngineOption = Annotated[Engine, typer.Option("--engine", help="Where the data work runs.")]
MasterOption = Annotated[
    str, typer.Option("--spark-master", help="Spark master URL, for --engine spark.", envvar="SPARK_MASTER")
]
ALL_CORES = "local[*]"


@dataclass(frozen=True)
class Project:
    """Workspace and settings of one root folder."""

    workspace: "Workspace"
    settings: "Settings"


def open_project(root: Path) -> Project:
    """The project in a folder. Raises InvalidInput for a params.yaml that cannot be used."""
    from training.settings import load_settings
    from training.workspace import Workspace

    return Project(Workspace(root.resolve()), load_settings(root / "params.yaml"))


@app.command(rich_help_panel=PIPELINE)
def ingest(
    root: Root = HERE,
    adapter: Annotated[
        str, typer.Option(help="complete-journey, ecommerce, clickstream, retail-baskets, instacart or synthetic.")
    ] = "",
    path: Annotated[str, typer.Option(help="Folder or URL (s3://…) of the raw files.")] = "",
    mapping: Annotated[str, typer.Option(help="YAML file with the names of files and columns.")] = "",
    engine: EngineOption = Engine.DUCKDB,
    spark_master: MasterOption = ALL_CORES,
) -> None:
    """Raw files to the event schema, with a data-quality report. Options override params.yaml.

    Your own shop: put interactions.csv and products.csv (users.csv and sessions.csv if there are any) into a folder and
    say in a mapping file what they are called. A column of the right name needs no line.

    \b
    time_zone: Europe/Paris          # of timestamps that carry none
    interactions:
      file: clicks.csv               # .csv, .tsv or .parquet
      user_id: visitor               # our name: your column
      item_id: sku
      event_timestamp: at
      event_type: action
    event_types:                     # your value: our type
      bought: purchase
      basket: cart_add
    products: {item_id: sku, title: name, category: group}

    All columns, event types and files of the adapters: docs/data.md.

    Example: tandem ingest --adapter ecommerce --path raw/ --mapping shop.yaml
    """
    from training.engine import connect
    from training.ingest import ingest as run

    project = open_project(root)
    settings = project.settings.ingest
    settings = replace(
        settings,
        adapter=adapter or settings.adapter,
        path=path or settings.path,
        mapping=mapping or settings.mapping,
    )
    with working("ingest"):
        report = run(project.workspace, settings, connect(engine, spark_master))
    ingest_table(report)


@app.command(rich_help_panel=PIPELINE)
def features(root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES) -> None:
    """Events to feature tables, each row as of a snapshot.

    Example: tandem features --engine spark --spark-master spark://master:7077
    """
    from training.engine import connect
    from training.features import build_features

    project = open_project(root)
    with working("features") as work:
        build_features(project.workspace, project.settings.features, connect(engine, spark_master), work.note)


@app.command(rich_help_panel=PIPELINE)
def copurchase(root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES) -> None:
    """What is bought together: the top companions of each item.

    Example: tandem copurchase
    """
    from training.copurchase import build_copurchase
    from training.engine import connect

    project = open_project(root)
    with working("copurchase"):
        report = build_copurchase(project.workspace, connect(engine, spark_master))
    console.print(f"  companions of {report.items:,} items, from {report.baskets:,} baskets", highlight=False)


@app.command(rich_help_panel=PIPELINE)
def materialize(root: Root = HERE) -> None:
    """Feast: apply the definitions, write users' latest features and items' companions to the online store.

    Example: tandem materialize
    """
    from training.feature_store import apply_definitions, materialize_copurchase, materialize_users

    project = open_project(root)
    with working("materialize") as work:
        work.note("apply definitions")
        apply_definitions(project.workspace)
        work.note("users")
        materialize_users(project.workspace)
        work.note("companions")
        materialize_copurchase(project.workspace)


@app.command(rich_help_panel=PIPELINE)
def dataset(root: Root = HERE) -> None:
    """Feast: training sets by point-in-time join.

    Example: tandem dataset
    """
    from training.dataset import build_dataset
    from training.engine import connect_duckdb

    project = open_project(root)
    with working("dataset") as work:
        build_dataset(project.workspace, connect_duckdb(), work.note)


@app.command(rich_help_panel=PIPELINE)
def train_towers(root: Root = HERE) -> None:
    """Train the two towers, embed the catalogue, build the index.

    Example: tandem train-towers
    """
    from training.steps import train_towers as run

    project = open_project(root)
    with working("train towers") as work:
        losses = run(project.workspace, project.settings, work.steps)
    console.print(f"  loss by epoch: {_rounded(losses['base'])}; on the latest weeks: {_rounded(losses['fine_tune'])}")


@app.command(rich_help_panel=PIPELINE)
def train_ranker(root: Root = HERE) -> None:
    """Train the ranker on candidates as they are served.

    Example: tandem train-ranker
    """
    from training.steps import train_ranking as run

    project = open_project(root)
    with working("train ranker") as work:
        losses = run(project.workspace, project.settings, work.steps)
    console.print(f"  loss by epoch: {_rounded(losses)}")


@app.command(rich_help_panel=PIPELINE)
def evaluate(root: Root = HERE) -> None:
    """Our lists beside the baselines, on the last days, over the full catalogue.

    Example: tandem evaluate
    """
    from training.evaluate import evaluate as run
    from training.evaluate import verdicts

    project = open_project(root)
    with working("evaluate"):
        metrics = run(project.workspace, project.settings)
    metrics_tables(metrics)
    verdict_lines(verdicts(metrics))


@app.command(rich_help_panel=PIPELINE)
def bundle(root: Root = HERE) -> None:
    """Seal the trained parts into one bundle and log the run to MLflow.

    Example: tandem bundle
    """
    from training.assemble import assemble
    from training.tracking import log_run

    project = open_project(root)
    with working("bundle") as work:
        folder = assemble(project.workspace, project.settings)
        work.note("MLflow")
        log_run(project.workspace, project.settings, folder)
    console.print(f"  bundles/{folder.name}")


@app.command(rich_help_panel=OPERATION)
def serve(
    root: Root = HERE,
    bundle: Annotated[str, typer.Option(help="Version below bundles/, or `current`.")] = "current",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="HTTP port.")] = 8080,
    historical: Annotated[
        bool, typer.Option(help="Freeze the clock at the end of the data, for logs that ended long ago.")
    ] = False,
) -> None:
    """Answer requests with a bundle, until Ctrl-C.

    Example: tandem serve --port 8080 --historical
    """
    from tandem.demo import serve_here

    console.print(f"Serving on [bold]http://{host}:{port}/[/] · metrics at /metrics · Ctrl-C ends it")
    serve_here(open_project(root).workspace, bundle, host, port, historical=historical)


@app.command(rich_help_panel=OPERATION)
def demo(
    root: Root = HERE,
    port: Annotated[int, typer.Option(min=1, max=65535, help="HTTP port.")] = 8080,
    check: Annotated[bool, typer.Option(help="Ask one request, print the answer and exit.")] = False,
) -> None:
    """The whole way on real purchases: run what has changed, show the metrics, serve.

    Example: tandem demo --check
    """
    import json

    from tandem.demo import ask_once, reproduce, serve_here
    from training.evaluate import verdicts

    workspace = open_project(root).workspace
    reproduce(workspace)
    metrics = json.loads(workspace.metrics.read_text())
    metrics_tables(metrics)
    verdict_lines(verdicts(metrics))
    if check:
        console.print_json(data=ask_once(workspace, port))
        return
    console.print(f"\nOpen [bold]http://127.0.0.1:{port}/[/] · metrics at /metrics · Ctrl-C ends it", highlight=False)
    serve_here(workspace, "current", "127.0.0.1", port, historical=True)


@app.command(rich_help_panel=OPERATION)
def batch(
    root: Root = HERE,
    output: Annotated[Path, typer.Option(help="File to write, .parquet or .csv.")] = Path("data/lists.parquet"),
    n: Annotated[int, typer.Option(min=1, max=1000, help="Length of each list.")] = 25,
    before_test: Annotated[
        bool, typer.Option(help="Lists as of the start of the test window, for evaluate-submission.")
    ] = False,
) -> None:
    """Lists for all users as a file: one row a user, user_id and products.

    Example: tandem batch --n 25 --output lists.csv
    """
    from training.batch import AsOf, recommend_all, write_lists

    project = open_project(root)
    with working("batch"):
        table = recommend_all(project.workspace, project.settings, n, AsOf.CUTOFF if before_test else AsOf.DATA_END)
        write_lists(table, output)
    console.print(f"  {table.num_rows:,} users: {output}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=OPERATION)
def evaluate_submission(
    lists: Annotated[Path, typer.Argument(help="File with user_id and products, .parquet or .csv.")],
    root: Root = HERE,
    limit: Annotated[int, typer.Option(min=1, help="Longest list that is allowed.")] = 25,
) -> None:
    """Mean recall per user of a file of lists on the test window; a missing user counts 0.

    Example: tandem batch --before-test --output lists.csv && tandem evaluate-submission lists.csv
    """
    from training.batch import read_lists, submission_recall, truths_of_test_window

    submitted, truths = read_lists(lists), truths_of_test_window(open_project(root).workspace)
    recall = submission_recall(submitted, truths, limit)
    missing = len(truths.keys() - submitted.keys())
    console.print(f"recall {recall:.4f} over {len(truths):,} users, {missing:,} of them missing", highlight=False)


@app.command(rich_help_panel=OPERATION)
def drift(
    root: Root = HERE,
    bundle: Annotated[str, typer.Option(help="Version below bundles/, or `current`.")] = "current",
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

    with working("report data"):
        page = data_report(open_project(root).workspace, connect_duckdb())
    console.print(f"  open {page}", highlight=False, soft_wrap=True)


def _rounded(losses: list[float]) -> str:
    return " → ".join(f"{loss:.3f}" for loss in losses)


def main(arguments: list[str] | None = None, run: Callable[..., object] = app) -> None:
    """Runs a command; a TandemError is one clear line and exit code 2."""
    # What libraries tell each other's developers is not for users. Feast resets the filters, so they are not enough.
    logging.captureWarnings(True)
    for chatty in ("feast", "py.warnings", "tensorflow", "tf2onnx"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        run(arguments)
    except TandemError as error:
        errors.print(f"[bold red]tandem:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
