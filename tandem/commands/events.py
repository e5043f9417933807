"""Posted events: from the durable log to the online store."""

from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, Root, open_project
from tandem.console import console

app = typer.Typer()
events = typer.Typer(no_args_is_help=True, help="Events that clients have posted.")
app.add_typer(events, name="events", rich_help_panel=OPERATION)
LogOption = Annotated[
    str, typer.Option("--log", help="sqlite:///path or redis://host:port/db; default: data/events.db here.",
                      envvar="TANDEM_EVENT_LOG")
]  # fmt: skip


@events.command()
def consume(
    root: Root = HERE,
    log: LogOption = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the consumer's own /metrics.")] = 9464,
) -> None:
    """Apply posted events to the online store, until Ctrl-C. `tandem serve` does it too; on a cluster this runs alone.

    Example: tandem events consume --log redis://127.0.0.1:6379/0
    """
    from serving.events.__main__ import consume as run
    from serving.settings import ServingSettings

    workspace = open_project(root).workspace
    settings = ServingSettings(
        feature_repo=workspace.feature_repo, event_log=log or workspace.event_log, consumer_port=port
    )
    run(settings, lambda: console.print(f"Applying events · metrics on port {port} · Ctrl-C ends it", highlight=False))


@events.command()
def status(root: Root = HERE, log: LogOption = "") -> None:
    """How many events were kept, and how many of them are in the features.

    Example: tandem events status
    """
    from contracts.events.log import INTERACTIONS, ITEMS
    from serving.events.consumer import CONSUMER
    from serving.events.open_log import open_log

    url = log or open_project(root).workspace.event_log
    interactions, items = (open_log(url, stream, vouched=True) for stream in (INTERACTIONS, ITEMS))
    kept, applied = interactions.end(), interactions.position(CONSUMER)
    console.print(f"  {kept:,} events kept, {applied:,} applied, {kept - applied:,} waiting", highlight=False)
    console.print(f"  {items.end():,} changes to the catalogue", highlight=False)
    interactions.close()
    items.close()
