"""Programs that tests start: from the repository's own tools, else from its packages, else from the machine."""

import os
import shutil
import sys
from pathlib import Path

from tests.support.repository import ROOT

TOOLS = ROOT / ".tools" / "bin"  # where `make test-tools` puts them


def program(name: str) -> str | None:
    """The program's path, or None where there is none."""
    return next(iter(programs(name)), None)


def programs(name: str) -> list[str]:
    """The paths of all programs with this name, in the order in which they are looked for."""
    packages = str(Path(sys.executable).parent)  # in PATH only where `make` or an activated environment has put it
    folders = [str(TOOLS), packages, *os.environ.get("PATH", "").split(os.pathsep)]
    return [path for folder in folders if folder and (path := shutil.which(name, path=folder))]
