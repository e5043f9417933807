"""The command line: parse, read settings, call one function per command (tandem/commands)."""

import sys
from collections.abc import Callable
from typing import NoReturn

import typer
from rich.text import Text

from contracts.errors import TandemError
from serving.runtime.screen import keep_libraries_quiet
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
from tandem.failures import in_words

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
    """Runs a command; a TandemError, a full disk and a fault of an engine are one clear line and exit code 2."""
    keep_libraries_quiet()
    try:
        run(arguments)
    except TandemError as error:
        _end(str(error))
    except Exception as error:
        said = in_words(error, sys.argv[1:] if arguments is None else arguments)
        if said is None:
            raise
        _end(said)


def _end(said: str) -> NoReturn:
    errors.print(Text("tandem:", "bold red"), said, highlight=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
