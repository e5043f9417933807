"""The process that computes: `python -m tandem.demo_process`, started by `tandem demo` with a lower priority."""

from serving.runtime import feast_import  # noqa: F401 - before anything imports Feast

# isort: split
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.api import progress
from contracts.api.progress import State
from contracts.errors import TandemError
from tandem.__main__ import app as commands
from tandem.__main__ import main
from tandem.commands.options import HERE, Root, open_project
from tandem.demo.pipeline import Demo, build
from tandem.demo.record import Record
from tandem.demo.run import record_file
from tandem.demo.stages import DvcStages
from tandem.demo.steps import TITLES, Step
from tandem.demo.times import Times

NICE = 10
"""The server answers first."""
INTERRUPTED = 130

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compute(
    root: Root = HERE,
    until: Annotated[Step, typer.Option(help="The last bundle that is made.")] = Step.FULL,
) -> None:
    """Make the demo's bundles, those that are due."""
    project = open_project(root)
    os.nice(NICE)
    os.chdir(project.workspace.root)  # as DVC runs a stage
    steps = [progress.Step(name=step, title=title) for step, title in TITLES.items()]
    file = record_file(project.workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    record = Record(file, steps, Times(file.with_name("times.json")))
    try:
        build(Demo(project.workspace, project.settings, DvcStages(project.workspace.root, _command), record), until)
    except KeyboardInterrupt:
        record.end(State.STOPPED)
        raise typer.Exit(INTERRUPTED) from None
    except TandemError as error:
        record.end(State.FAILED, f"{record.last}: {error}")
        raise TandemError(f"The demo failed at {record.last}: {error}") from error
    except Exception as error:  # of any library underneath: the server goes on, and the trace is kept in a file
        trace = file.with_name("failure.log")
        logging.basicConfig(filename=trace, filemode="w", force=True)
        logging.getLogger(__name__).exception("The demo failed.")
        record.end(State.FAILED, f"{record.last}: {type(error).__name__}: {error}")
        raise TandemError(
            f"The demo failed at {record.last} with {type(error).__name__}: {error}. The trace is in {trace}."
        ) from error


def _command(arguments: Sequence[str]) -> Any:
    return typer.main.get_command(commands).main([*arguments], standalone_mode=False)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    main(sys.argv[1:], app)
