"""The process that computes: `python -m tandem.demo_process`, started by `tandem demo` with a lower priority."""

from serving.runtime import feast_import  # noqa: F401 - before anything imports Feast

# isort: split
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
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
from tandem.demo.run import END_SECONDS, INTERRUPTED, record_file
from tandem.demo.stages import DvcStages
from tandem.demo.steps import TITLES, Step
from tandem.demo.times import Times
from tandem.failures import in_words

NICE = 10
"""The server answers first."""
TRACE = "failure.log"
WATCH_SECONDS = 0.5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compute(
    root: Root = HERE,
    until: Annotated[Step, typer.Option(help="The last bundle that is made.")] = Step.FULL,
    parent: Annotated[int, typer.Option(help="End when this process does, which started this one (0: go on).")] = 0,
) -> None:
    """Make the demo's bundles, those that are due."""
    project = open_project(root)
    os.nice(NICE)
    os.chdir(project.workspace.root)  # as DVC runs a stage
    steps = [progress.Step(name=step, title=title) for step, title in TITLES.items()]
    file = record_file(project.workspace)
    file.parent.mkdir(parents=True, exist_ok=True)
    record = Record(file, steps, Times(file.with_name("times.json")))
    interruption = Interruption()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, interruption)
    if parent:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        build(Demo(project.workspace, project.settings, DvcStages(project.workspace.root, _command), record), until)
    except (KeyboardInterrupt, Exception) as error:  # of any library underneath: the server goes on
        if interruption.asked:
            record.end(State.STOPPED)
            raise typer.Exit(INTERRUPTED) from None
        said = _message(error, project.workspace.root, file.with_name(TRACE))
        with suppress(OSError):  # a disk that is full is said below
            record.end(State.FAILED, f"{record.last}: {said}")
        raise TandemError(f"The demo failed at {record.last}: {said}") from error


class Interruption:
    """A signal that ends the computation; libraries underneath make another error of it, DuckDB for one."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, *_: object) -> None:
        """Raises KeyboardInterrupt where the program is."""
        self.asked = True
        raise KeyboardInterrupt


def _end_with(parent: int) -> None:
    """Ends this process after its parent, as the parent would have; one that was killed could not."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _message(error: BaseException, root: Path, trace: Path) -> str:
    """The error's words; for a foreign error also its kind, with the trace in a file."""
    if said := in_words(error, ["demo", "--root", str(root)]):
        return said
    if isinstance(error, TandemError):
        return str(error)
    trace.write_text("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error}. The trace is in {trace}."


def _command(arguments: Sequence[str]) -> Any:
    return typer.main.get_command(commands).main([*arguments], standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1:], app)
