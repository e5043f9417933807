"""Experiments at serving time: what they have shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console

if TYPE_CHECKING:
    from monitoring.experiment import ExperimentStatus, Lift

app = typer.Typer()
experiment = typer.Typer(no_args_is_help=True, help="Two bundles side by side, each for a share of the users.")
app.add_typer(experiment, name="experiment", rich_help_panel=OPERATION)


@experiment.command("status")
def status(
    interactions: Annotated[Path, typer.Option(help="What users did, JSON lines with the request_id of a list.")],
    impressions: Annotated[Path | None, typer.Option(help="Impression log; by default the workspace's.")] = None,
    root: Root = HERE,
) -> None:
    """Users, responses and lift per variant, with a 95 % interval.

    A user counts once: for the variant that was shown, and as responding if any interaction came from such a list.

    Example: tandem experiment status --interactions clicks.jsonl
    """
    from monitoring.experiment import experiment_status
    from monitoring.responses import answered_requests, shown_lists

    shown, malformed_lists = shown_lists(impressions or open_project(root).workspace.impression_log)
    answered, without, malformed = answered_requests(interactions)
    found = experiment_status(shown, answered)
    console.print(_table(found))
    console.print(
        f"  left out: users who were shown several variants: {found.moved:,}; lists that were not drawn (forced, or "
        f"no experiment): {found.outside:,}; interactions without a request_id: {without:,}; lines that cannot be "
        f"read: {malformed_lists + malformed:,}",
        highlight=False,
        soft_wrap=True,
    )
    if found.split_is_off:
        found_off = "  The arms' sizes contradict their shares: find out why before believing a figure."
        console.print(Text(found_off, "bold red"))


def _table(found: "ExperimentStatus") -> Table:
    from monitoring.experiment import lift

    table = Table("variant", "users", "expected", "responded", "rate", "lift, 95 % interval", box=None)
    for arm in found.arms:
        compared = "" if arm is found.arms[0] else _text(lift(arm, found.arms[0]))
        rate = f"{arm.rate:.2%}" if arm.users else ""
        table.add_row(arm.variant, f"{arm.users:,}", f"{arm.expected_users:,.0f}", f"{arm.responded:,}", rate, compared)
    return table


def _text(lift: "Lift | None") -> str:
    return f"{lift.estimate:+.1%} ({lift.low:+.1%} to {lift.high:+.1%})" if lift else "no responses yet"
