"""The command line: parse, read settings, call one function per command (tandem/commands)."""

import atexit
import logging
import os
import sys
from collections.abc import Callable

import typer
from rich.text import Text

from contracts.errors import TandemError
from tandem.commands import (
    audit,
    erasure,
    events,
    experiment,
    init,
    lists,
    off_policy,
    pipeline,
    release,
    replay,
    reports,
    reproduce,
    retrain,
    rollout,
    rules,
    serve,
    tune,
)
from tandem.console import errors

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
GROUPS = (
    init,
    pipeline,
    serve,
    events,
    release,
    experiment,
    off_policy,
    replay,
    lists,
    rules,
    reports,
    reproduce,
    rollout,
    retrain,
    tune,
    erasure,
    audit,
)
for group in GROUPS:
    app.add_typer(group.app)


def main(arguments: list[str] | None = None, run: Callable[..., object] = app) -> None:
    """Runs a command; a TandemError is one clear line and exit code 2."""
    # What libraries say to developers is not for users. Feast resets the filters, so they are not enough.
    end_quietly()
    logging.captureWarnings(True)
    for chatty in ("feast", "py.warnings", "tensorflow", "tf2onnx"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        run(arguments)
    except TandemError as error:
        errors.print(Text("tandem:", "bold red"), str(error), highlight=False, soft_wrap=True)
        sys.exit(2)


def end_quietly() -> None:
    """Leaves out what native code still writes to stderr once Python has ended.

    DuckDB's binding lists each object that was alive then, sixty lines after a server's or a test run's last word.
    """
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2))


if __name__ == "__main__":
    main()
