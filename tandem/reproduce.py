"""The pipeline by DVC, each stage in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from contracts.errors import TandemError
from training.workspace import Workspace


def reproduce(workspace: Workspace, *stages: str) -> None:
    """Runs every pipeline stage whose inputs have changed; with names only those stages and what they need.

    Raises TandemError when a stage fails; the screen shows its message already.
    """
    # DVC's stages call `tandem`, which lies next to the interpreter and maybe nowhere on the PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", *stages]
    done = subprocess.run(command, cwd=workspace.root, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        raise TandemError("A pipeline stage failed, see above. After mending it the same command resumes there.")
