"""Options that several commands share, and the project that they open."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.settings import Engine

if TYPE_CHECKING:
    from training.settings import Settings
    from training.workspace import Workspace

PIPELINE, OPERATION = "Pipeline, in order", "Operation"
Root = Annotated[Path, typer.Option(help="Folder with params.yaml and feature_repo; data and bundles lie below it.")]
HERE = Path()
EngineOption = Annotated[Engine, typer.Option("--engine", help="Where the data work runs.")]
MasterOption = Annotated[
    str, typer.Option("--spark-master", help="Spark master URL, for --engine spark.", envvar="SPARK_MASTER")
]
ALL_CORES = "local[*]"
Port = Annotated[int, typer.Option(min=1, max=65535, help="HTTP port.")]
BundleOption = Annotated[str, typer.Option(help="Version below bundles/, or `current`.")]


@dataclass(frozen=True)
class Project:
    """Workspace and settings of one root folder."""

    workspace: "Workspace"
    settings: "Settings"


def open_project(root: Path) -> Project:
    """The project in a folder. Raises InvalidInput for a params.yaml that cannot be used."""
    from training.params_file import load_settings
    from training.workspace import Workspace

    return Project(Workspace(root.resolve()), load_settings(root / "params.yaml"))
