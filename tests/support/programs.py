"""Programs that tests start: from the repository's own tools, else from the machine."""

import os
import shutil

from tests.support.workspaces import ROOT

TOOLS = ROOT / ".tools" / "bin"  # where `make test-tools` puts them


def program(name: str) -> str | None:
    """The program's path, or None where there is none."""
    return shutil.which(name, path=f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
