"""Business rules: whether a file is right, and what it would change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.commands.options import HERE, OPERATION, BundleOption, Root, open_project
from tandem.console import console

if TYPE_CHECKING:
    from serving.rule_sandbox import DryRun

app = typer.Typer()
rules = typer.Typer(no_args_is_help=True, help="Business rules: pins, boosts, caps, quotas; check and try them out.")
app.add_typer(rules, name="rules", rich_help_panel=OPERATION)
RulesFile = Annotated[Path, typer.Argument(help="YAML file of rules; contracts/rules/rules.py shows one.")]


@rules.command()
def check(file: RulesFile, root: Root = HERE, bundle: BundleOption = "current") -> None:
    """Every fault of a file at once, and the names in it that the bundle's catalogue lacks.

    Example: tandem rules check rules.yaml
    """
    from contracts.errors import InvalidInput
    from serving.bundles.bundle import load_bundle
    from serving.rules.compile import compiled
    from serving.rules.rule_file import read_rules

    found = read_rules(file)
    folder = open_project(root).workspace.bundles / bundle
    if not folder.exists():
        console.print(
            f"rules: {len(found.rules)}, version {found.rules_version}; no bundle here to look the names up in"
        )
        return
    loaded = load_bundle(folder)
    if unknown := compiled(found, loaded.items, loaded.vocabularies).unknown:
        raise InvalidInput(f"{len(unknown)} names in {file} are unknown: {'; '.join(unknown)}.")
    console.print(f"rules: {len(found.rules)}, version {found.rules_version}, every name is in the catalogue")


@rules.command()
def dry_run(
    file: RulesFile,
    root: Root = HERE,
    bundle: BundleOption = "current",
    requests: Annotated[Path | None, typer.Option(help="Impression log to replay; default: the project's.")] = None,
    current: Annotated[Path | None, typer.Option(help="Rules that hold now; default: none.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Replay at most this many of the latest requests.")] = 1000,
    historical: Annotated[bool, typer.Option(help="Freeze the clock at the end of the data.")] = False,
) -> None:
    """What a file of rules would change in the lists that were asked for. Nothing is shown to anybody or recorded.

    Example: tandem rules dry-run rules.yaml --requests data/impressions.jsonl
    """
    from serving.rule_sandbox import dry_run as replay
    from serving.rule_sandbox import recorded_requests
    from tandem.sandbox import recommenders

    workspace = open_project(root).workspace
    asked = recorded_requests(requests or workspace.impression_log, limit)
    now, then = recommenders(workspace, bundle, (current, file), historical=historical)
    _print(replay(asked, now, then))


def _print(done: "DryRun") -> None:
    from rich.table import Table

    share = done.changed / max(done.requests, 1)
    mean = done.positions / max(done.moved, 1)
    console.print(
        f"requests replayed: {done.requests:,}; skipped (later pages, or refused by this bundle): {done.skipped:,}\n"
        f"lists that change: {done.changed:,} ({share:.1%}); items that enter: {done.entered:,}, that leave: "
        f"{done.left:,}, that move: {done.moved:,}, by {mean:.1f} positions on average\n"
        f"lists that become shorter: {done.shortfalls:,}",
        highlight=False,
    )
    table = Table("rule", "lists", "share of lists", "items it acted on")
    for name, touched in done.by_rule.items():
        share = touched.lists / max(done.requests, 1)
        table.add_row(name, f"{touched.lists:,}", f"{share:.1%}", f"{touched.items:,}")
    console.print(table)
