"""The demo's steps: which bundles it makes, from which parameters, and in which folders."""

import shutil
from dataclasses import replace
from typing import Final

import yaml

from tandem.demo.steps import Step
from training.settings import FLAT, Settings
from training.workspace import DEFINITIONS, STORE, Workspace, require

FEW_WEEKS: Final = 8
FEW_EPOCHS: Final = 1
FEW_STEPS: Final = 100
FEW_TREES: Final = 60
FEW_ROWS: Final = 200_000
TREES: Final = "trees"
"""The kind of ranker that learns from one window in seconds; its own module loads TensorFlow."""


def first_settings(settings: Settings) -> Settings:
    """Parameters of the first bundle: of the features only those as of the end of the data are computed."""
    features = settings.features
    # The towers' weeks must reach further back than the label window.
    weeks = max(FEW_WEEKS, features.test_days // 7 + 1)
    if features.two_tower_weeks:  # else as many as the log asks for
        weeks = min(weeks, features.two_tower_weeks)
    return replace(settings, features=replace(features, ranker_windows=1, two_tower_weeks=weeks))


def small_settings(settings: Settings) -> Settings:
    """Parameters of the small bundle: one label window, a few weeks and epochs, and trees, which learn in seconds."""
    lean, tower, ranker = first_settings(settings), settings.two_tower, settings.ranker
    epochs, fine_tune = min(FEW_EPOCHS, tower.epochs), min(1, tower.fine_tune_epochs)
    steps = min(FEW_STEPS, tower.min_steps)
    return replace(
        lean,
        index=replace(settings.index, factory=FLAT),  # nothing to learn, for the minutes that it serves
        two_tower=replace(tower, epochs=epochs, fine_tune_epochs=fine_tune, min_steps=steps),
        ranker=replace(
            ranker, model=TREES, trees=min(FEW_TREES, ranker.trees), tree_rows=min(FEW_ROWS, ranker.tree_rows)
        ),
    )


def lean_workspace(workspace: Workspace, step: Step) -> Workspace:
    """A folder of the step's own below data/, with the project's ingested data, bundles and online store.

    What DVC keeps an account of stays untouched. Raises MissingArtifact where the project has no feature definitions.
    """
    lean = Workspace(workspace.data / step)
    shutil.rmtree(lean.root, ignore_errors=True)
    for path in (lean.data, lean.feature_repo, workspace.bundles):
        path.mkdir(parents=True, exist_ok=True)
    (lean.data / "ingested").symlink_to(workspace.data / "ingested", target_is_directory=True)
    lean.bundles.symlink_to(workspace.bundles, target_is_directory=True)
    shutil.copy(require(workspace.feature_repo / DEFINITIONS, "git checkout feature_repo"), lean.feature_repo)
    store = yaml.safe_load(require(workspace.feature_repo / STORE, "git checkout feature_repo").read_text())
    if store["online_store"]["type"] == "sqlite":  # other stores have an address, not a path below the repository
        store["online_store"]["path"] = str(workspace.feature_repo / store["online_store"]["path"])
    (lean.feature_repo / STORE).write_text(yaml.safe_dump(store))
    return lean
