"""Answering: the server, and the demo that ends in one."""

import signal
from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, BundleOption, Port, Root, open_project
from tandem.console import console
from tandem.demo.steps import Step

INTERRUPTED = 130

app = typer.Typer()


@app.command(rich_help_panel=OPERATION)
def serve(
    root: Root = HERE,
    bundle: BundleOption = "current",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8080,
    historical: Annotated[
        bool, typer.Option(help="Freeze the clock at the end of the data, for logs that ended long ago.")
    ] = False,
    event_log: Annotated[
        str, typer.Option(help="Where posted events are kept: sqlite:///path or redis://…; default: data/events.db.")
    ] = "",
) -> None:
    """Answer requests with a bundle, until Ctrl-C.

    Example: tandem serve --port 8080 --historical
    """
    from contracts.bundle.manifest import require_manifest
    from tandem.server import long_ago, require_free, serve_here

    workspace = open_project(root).workspace
    require_manifest(workspace.bundles / bundle)  # before an address is promised
    require_free(host, port)
    if not historical and (ended := long_ago(workspace.bundles / bundle)):
        console.print(f"note: {ended}", highlight=False, soft_wrap=True)
    console.print(f"Serving on http://{host}:{port}/ · metrics at /metrics · Ctrl-C ends it")
    serve_here(workspace, bundle, host, port, historical=historical, event_log=event_log)


@app.command(rich_help_panel=OPERATION)
def demo(
    root: Root = HERE,
    port: Port = 8080,
    check: Annotated[
        Step | None, typer.Option(help="Make the bundles up to this one, ask it once, print the answer and exit.")
    ] = None,
) -> None:
    """The whole way on real purchases: serve within seconds, and change to better bundles while they are trained.

    Ctrl-C ends it, and the same command goes on where it was.

    Example: tandem demo --check first
    """
    from tandem.demo.run import check as ask
    from tandem.demo.run import serve_while_computing

    workspace = open_project(root).workspace
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if check:
            console.print_json(data=ask(workspace, port, check))
        else:
            url = f"http://127.0.0.1:{port}/"
            console.print(f"{url} shows the demo as soon as it can serve · Ctrl-C ends it", highlight=False)
            serve_while_computing(workspace, port)
    except KeyboardInterrupt:
        console.print("Stopped. The same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
