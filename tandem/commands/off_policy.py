"""What other rules or another bundle would have earned, from a log of explored lists."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from contracts.errors import InvalidInput
from tandem.commands.options import HERE, OPERATION, BundleOption, Root, open_project
from tandem.console import console

if TYPE_CHECKING:
    from contracts.api.records import ImpressionRecord
    from contracts.api.requests import RecommendationRequest
    from training.evaluation.off_policy import LoggedImpressions

app = typer.Typer()
ORDER_LENGTH = 100
"""Items of the judged list, the longest that can be asked for: the log may have shown its later ones."""


@app.command("off-policy", rich_help_panel=OPERATION)
def off_policy(
    interactions: Annotated[Path, typer.Option(help="What users did, JSON lines with request_id and item_id.")],
    impressions: Annotated[Path | None, typer.Option(help="Impression log; by default the workspace's.")] = None,
    rules: Annotated[Path | None, typer.Option(help="The rules to judge; default: none.")] = None,
    bundle: BundleOption = "current",
    limit: Annotated[int, typer.Option(min=1, help="Use at most this many of the latest lists.")] = 10_000,
    historical: Annotated[bool, typer.Option(help="Freeze the clock at the end of the data.")] = False,
    root: Root = HERE,
) -> None:
    """The response rate that a bundle and its rules would have had, estimated before anybody is shown their lists.

    The log must come from a server whose rules explore: each place was then left to chance with a known probability.
    A shown item counts as far as the judged list would have shown it at the same place, given the items above it.

    Example: tandem off-policy --interactions clicks.jsonl --rules new-rules.yaml
    """
    from monitoring.responses import answered_items
    from serving.rule_sandbox import recorded_lists
    from tandem.sandbox import recommenders

    workspace = open_project(root).workspace
    answered, _, malformed = answered_items(interactions)
    (judged,) = recommenders(workspace, bundle, (rules,), historical=historical)
    lists = recorded_lists(impressions or workspace.impression_log, limit)
    logged, left_out = _logged(lists, answered, lambda asked: judged.listed(asked).item_ids)
    console.print(_table(logged))
    console.print(
        f"  {len(logged.rewards):,} explored places, worth {logged.effective:,.0f} equally weighted ones; left out: "
        f"{left_out:,} lists (not explored, later pages, or refused by this bundle), {malformed:,} interactions that "
        "cannot be read",
        highlight=False,
        soft_wrap=True,
    )
    if not logged.says_something:
        console.print(
            "  The judged lists were shown too rarely for an estimate: explore more, or longer.", style="bold red"
        )


def _logged(
    lists: "Iterable[tuple[ImpressionRecord, RecommendationRequest]]",
    answered: set[tuple[str, str | None]],
    order: "Callable[[RecommendationRequest], list[str]]",
) -> "tuple[LoggedImpressions, int]":
    """(the explored places, lists that were left out). Raises InvalidInput where no list was explored."""
    from serving.rule_sandbox import would_show
    from training.evaluation.off_policy import LoggedImpressions

    places, left_out = list[tuple[float, float, float]](), 0
    for record, asked in lists:
        try:
            explored = bool(record.item_propensities) and not record.page_offset
            shows = would_show(record.item_ids, order(asked.model_copy(update={"n": ORDER_LENGTH}))) if explored else []
        except InvalidInput:  # a category that the bundle of then had and this one lacks
            explored = False
        if not explored:
            left_out += 1
            continue
        places += [
            (float((record.request_id, item) in answered), propensity, float(shown))
            for item, propensity, shown in zip(record.item_ids, record.item_propensities, shows, strict=True)
        ]
    if not places:
        raise InvalidInput(
            f"None of the {left_out:,} lists in the log was explored. Serve with a rule that explores, such as "
            "`{name: try-others, explore: {share: 0.05, among: 50}}`, and estimate from the lists of those days."
        )
    return LoggedImpressions(*np.array(places).T), left_out


def _table(logged: "LoggedImpressions") -> Table:
    from training.evaluation.off_policy import ips, snips

    table = Table("estimate of the response rate a place", "mean", "95 % interval", box=None)
    for name, one in (("as it was served", None), ("judged, IPS", ips(logged)), ("judged, SNIPS", snips(logged))):
        mean, interval = (logged.rewards.mean(), "") if one is None else (one.mean, f"{one.low:.2%} to {one.high:.2%}")
        table.add_row(name, f"{mean:.2%}", interval)
    return table
