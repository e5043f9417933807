"""The pipeline's steps, in the order in which `dvc repro` runs them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.text import Text

from tandem.commands.options import ALL_CORES, HERE, PIPELINE, EngineOption, MasterOption, Root, open_project
from tandem.console import console, ingest_table, metrics_tables, verdict_lines, working
from training.settings import Engine

LOSSES_SHOWN = 8

app = typer.Typer()


@app.command(rich_help_panel=PIPELINE)
def raw_files(root: Root = HERE) -> None:
    """Note names, sizes and times of the raw files, by which `dvc repro` sees that they have changed.

    Example: tandem raw-files
    """
    from training.ingest.raw_files import note_raw_files

    project = open_project(root)
    files = note_raw_files(project.workspace, project.settings.ingest)
    if files:  # a package's data has none
        console.print(f"  {files:,} raw files noted", highlight=False)


@app.command(rich_help_panel=PIPELINE)
def ingest(
    root: Root = HERE,
    adapter: Annotated[
        str,
        typer.Option(
            help="complete-journey, ecommerce, clickstream, retail-baskets, instacart, synthetic or event-log."
        ),
    ] = "",
    path: Annotated[str, typer.Option(help="Folder or URL (s3://…) of the raw files.")] = "",
    mapping: Annotated[str, typer.Option(help="YAML file with the names of files and columns.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read, judge and report; write nothing.")] = False,
    engine: EngineOption = Engine.DUCKDB,
    spark_master: MasterOption = ALL_CORES,
) -> None:
    """Raw files to the event schema, with a data-quality report. Options override params.yaml.

    Your own shop: put interactions.csv and products.csv (users.csv and sessions.csv if there are any) into a folder and
    say in a mapping file what they are called. A column of the right name needs no line.

    \b
    time_zone: Europe/Paris          # of timestamps that carry none
    interactions:
      file: clicks.csv               # .csv, .tsv, .jsonl or .parquet
      user_id: visitor               # our name: your column
      item_id: sku
      event_timestamp: at
      event_type: action
    event_types:                     # your value: our type
      bought: purchase
      basket: cart_add
    products: {item_id: sku, title: name, category: group}

    All columns and event types: docs/how-to/your-data.md. Files of the other adapters: docs/how-to/other-sources.md.

    Example: tandem ingest --adapter ecommerce --path raw/ --mapping shop.yaml
    """
    from contracts.erasure.suppression import SuppressionList
    from training.engine import connect
    from training.ingest.ingest import ingest as run
    from training.ingest.ingest import judge_only

    project = open_project(root)
    settings = project.settings.ingest
    settings = replace(
        settings,
        adapter=adapter or settings.adapter,
        path=path or _from_root(project.workspace.root, settings.path),
        mapping=mapping or _from_root(project.workspace.root, settings.mapping),
    )
    with working("ingest, nothing written" if dry_run else "ingest"):
        connection = connect(engine, spark_master, project.settings.duckdb)
        erased = SuppressionList(project.workspace.erasures)
        report = judge_only(settings, connection, erased) if dry_run else run(project.workspace, settings, connection)
    ingest_table(report)


@app.command(rich_help_panel=PIPELINE)
def features(root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES) -> None:
    """Events to feature tables, each row as of a snapshot.

    Example: tandem features --engine spark --spark-master spark://master:7077
    """
    from training.engine import connect
    from training.features.build import build_features

    project = open_project(root)
    with working("features") as work:
        connection = connect(engine, spark_master, project.settings.duckdb)
        build_features(project.workspace, project.settings.features, connection, work.note)


@app.command(rich_help_panel=PIPELINE)
def copurchase(root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES) -> None:
    """What is bought together: the top companions of each item.

    Example: tandem copurchase
    """
    from training.engine import connect
    from training.features.copurchase import build_copurchase

    project = open_project(root)
    with working("copurchase"):
        report = build_copurchase(project.workspace, connect(engine, spark_master, project.settings.duckdb))
    console.print(f"  companions of {report.items:,} items, from {report.baskets:,} baskets", highlight=False)


@app.command(rich_help_panel=PIPELINE)
def materialize(
    root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES
) -> None:
    """Feast: apply the definitions, write users' latest features and items' companions to the online store.

    Example: tandem materialize
    """
    from training.engine import connect
    from training.feature_store.store import apply_definitions, materialize_copurchase, materialize_users

    project = open_project(root)
    with working("materialize") as work:
        connect(engine, spark_master)  # Feast reads on the session that is active
        work.note("apply definitions")
        apply_definitions(project.workspace)
        work.note("users")
        materialize_users(project.workspace, engine, project.settings.duckdb)
        work.note("companions")
        materialize_copurchase(project.workspace, engine, project.settings.duckdb)


@app.command(rich_help_panel=PIPELINE)
def dataset(root: Root = HERE, engine: EngineOption = Engine.DUCKDB, spark_master: MasterOption = ALL_CORES) -> None:
    """Feast: training sets by point-in-time join, on either engine.

    Example: tandem dataset --engine spark --spark-master spark://master:7077
    """
    from training.dataset.build import build_dataset
    from training.engine import connect

    project = open_project(root)
    with working("dataset") as work:
        limits = project.settings.duckdb
        build_dataset(project.workspace, connect(engine, spark_master, limits), work.note, engine, limits)


@app.command(rich_help_panel=PIPELINE)
def train_towers(root: Root = HERE) -> None:
    """Train the two towers, embed the catalogue, build the index.

    Example: tandem train-towers
    """
    from training.retrieval.train import told
    from training.retrieval.train import train_towers as run

    project = open_project(root)
    with working("train towers") as work:
        losses = run(project.workspace, project.settings, work.steps)
    console.print(f"  loss by epoch: {_rounded(losses['base'])}; on the latest weeks: {_rounded(losses['fine_tune'])}")
    console.print(f"  {told(project.workspace)}")


@app.command(rich_help_panel=PIPELINE)
def train_ranker(root: Root = HERE) -> None:
    """Train the ranker on candidates as they are served.

    Example: tandem train-ranker
    """
    from training.ranking.train import train_ranking as run

    project = open_project(root)
    with working("train ranker") as work:
        losses = run(project.workspace, project.settings, work.steps)
    console.print(f"  loss by epoch: {_rounded(losses)}")


@app.command(rich_help_panel=PIPELINE)
def evaluate(root: Root = HERE) -> None:
    """Our lists and the baselines, on the last days and on earlier windows, over the full catalogue.

    Example: tandem evaluate
    """
    from training.evaluation.evaluate import evaluate as run
    from training.evaluation.evaluate import verdicts
    from training.evaluation.list_names import named
    from training.release.model_card import details

    project = open_project(root)
    with working("evaluate") as work:
        metrics = run(project.workspace, project.settings, work.steps)
    metrics_tables(metrics, named)
    console.print(Markdown(details(metrics)))
    verdict_lines(verdicts(metrics))


@app.command(rich_help_panel=PIPELINE)
def bundle(
    root: Root = HERE,
    sign_key: Annotated[
        Path | None, typer.Option(help="Private key to sign with (tandem keys new).", envvar="TANDEM_SIGNING_KEY")
    ] = None,
    model_sign_key: Annotated[
        Path | None,
        typer.Option(
            help="Private key of an OpenSSF model signature next to ours (tandem keys new-model).",
            envvar="TANDEM_MODEL_SIGNING_KEY",
        ),
    ] = None,
    publish: Annotated[str, typer.Option(help="Folder or URL (s3://bucket/prefix) to copy the bundle to.")] = "",
    promote: Annotated[bool, typer.Option(help="Make it the one that serves: servers here change to it.")] = True,
    force: Annotated[bool, typer.Option(help="Publish and promote whatever the gate says.")] = False,
) -> None:
    """Seal the trained parts into one bundle, promote it and log the run to MLflow.

    A bundle whose final list is worse than another list of `tandem evaluate`, or than the one that serves, is sealed
    and not promoted, if the difference is beyond chance. To publish it is an error.

    Example: tandem bundle --sign-key signing.pem --publish s3://shop/bundles
    """
    from contracts.bundle.manifest import read_manifest
    from training.evaluation.gate import require_no_loss
    from training.registry import follow
    from training.release.bundle import assemble
    from training.release.model_signature import signers
    from training.release.publish import publish as copy_to
    from training.tracking import log_run

    project = open_project(root)
    with working("bundle") as work:
        folder = assemble(project.workspace, project.settings, signers(sign_key, model_sign_key))
        work.note("MLflow")
        log_run(project.workspace, project.settings, folder)
        if publish:
            if not force:
                require_no_loss(read_manifest(folder).metrics)
            work.note(f"publish to {publish}")
            copy_to(folder, publish)
    console.print(f"  bundles/{folder.name}, with model_card.html")
    if promote:
        promote_if_good(folder, force=force)
    else:
        console.print(f"  not promoted, as asked: `tandem promote {folder.name}` does it", highlight=False)
    if change := follow(project.workspace):
        console.print(f"  {change}", highlight=False, soft_wrap=True)


def promote_if_good(bundle: Path, *, force: bool) -> None:
    """Makes the bundle the one that serves, or says why it does not; the run has done its work either way."""
    from contracts.bundle import promotions
    from contracts.bundle.manifest import read_manifest
    from training.evaluation.gate import losses

    lost = [] if force else losses(read_manifest(bundle).metrics["gate"])
    if not lost:
        promotions.promote(bundle)
        console.print("  promoted: `tandem serve` serves it, and a server that runs changes to it", highlight=False)
    for reason in lost:
        console.print(Text("not promoted:", "red"), reason, highlight=False, soft_wrap=True)
    if lost:
        console.print(f"  `tandem promote {bundle.name} --force` makes it serve", highlight=False, soft_wrap=True)


def _from_root(root: Path, path: str) -> str:
    """A path of params.yaml: as it stands where it leads somewhere, else from the folder of params.yaml."""
    return str(root / path) if path and not Path(path).exists() and (root / path).exists() else path


def _rounded(losses: list[float]) -> str:
    """On one line: of many epochs the first three and the last three, and their number. MLflow has all."""
    texts = [f"{loss:.3f}" for loss in losses]
    if len(texts) <= LOSSES_SHOWN:
        return " → ".join(texts)
    return f"{' → '.join([*texts[:3], '…', *texts[-3:]])} ({len(texts)} epochs)"
