"""Answering: the server, and the demo that ends in one."""

from typing import Annotated

import typer

from tandem.commands.options import HERE, OPERATION, BundleOption, Port, Root, open_project
from tandem.console import console, metrics_tables, verdict_lines

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
    from tandem.demo import serve_here

    console.print(f"Serving on http://{host}:{port}/ · metrics at /metrics · Ctrl-C ends it")
    serve_here(open_project(root).workspace, bundle, host, port, historical=historical, event_log=event_log)


@app.command(rich_help_panel=OPERATION)
def demo(
    root: Root = HERE,
    port: Port = 8080,
    check: Annotated[bool, typer.Option(help="Ask one request, print the answer and exit.")] = False,
) -> None:
    """The whole way on real purchases: run what has changed, show the metrics, serve.

    Example: tandem demo --check
    """
    import json

    from tandem.demo import ask_once, reproduce, serve_here
    from training.evaluation.evaluate import verdicts

    workspace = open_project(root).workspace
    reproduce(workspace)
    metrics = json.loads(workspace.metrics.read_text())
    metrics_tables(metrics)
    verdict_lines(verdicts(metrics))
    if check:
        console.print_json(data=ask_once(workspace, port))
        return
    console.print(f"\nOpen http://127.0.0.1:{port}/ · metrics at /metrics · Ctrl-C ends it", highlight=False)
    serve_here(workspace, "current", "127.0.0.1", port, historical=True)
