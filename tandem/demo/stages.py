"""DVC's stages in this process: what has changed is DVC's to say, and what has run is written where DVC looks."""

import logging
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from contracts.errors import TandemError

COMMAND = "tandem"


class Stages(Protocol):
    """Stages of the pipeline by their names in dvc.yaml."""

    def changed(self, name: str) -> bool:
        """Whether the stage must run."""
        ...

    def run(self, name: str) -> None:
        """Runs it, and keeps account of that."""
        ...


class DvcStages:
    """Stages of a folder with dvc.yaml. A process for each would import everything nine times, a fifth of the time."""

    def __init__(self, root: Path, command: Callable[[Sequence[str]], object]) -> None:
        """command: runs `tandem` with these arguments in this process, in the folder."""
        self._root = root
        self._command = command

    def changed(self, name: str) -> bool:
        """Whether DVC sees other code, parameters or inputs than at the stage's last run. Raises TandemError."""
        return bool(self._ask(lambda repo: repo.status(targets=[name])))

    def run(self, name: str) -> None:
        """The stage's command here, then its account in dvc.lock, as `dvc repro` would have it. Raises TandemError."""
        command = shlex.split(self._ask(lambda repo: repo.stage.load_one(name=name).cmd))
        if command[:1] != [COMMAND]:
            raise TandemError(f"Stage {name} of dvc.yaml runs {command[:1]}, and the demo runs `{COMMAND} …` alone.")
        self._command(command[1:])
        self._ask(lambda repo: repo.commit(target=name, force=True))

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        from dvc.exceptions import DvcException
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)  # its import sets another
        try:
            with Repo(str(self._root)) as repo:  # anew each time: it remembers what files were
                return question(repo)
        except DvcException as error:
            raise TandemError(f"DVC cannot say what has changed in {self._root}: {error}") from error
