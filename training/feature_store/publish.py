"""Features into the online store that a cluster's servers read, from a workspace whose own stores are embedded."""

import shutil
from pathlib import Path

from training.feature_store.store import apply_definitions, materialize_copurchase, materialize_users
from training.params_file import load_settings
from training.workspace import DEFINITIONS, STORE, Workspace, require


def publish_features(workspace: Workspace, feature_store: Path) -> None:
    """Applies the definitions to the store that a feature_store.yaml describes and materializes everything into it.

    Raises MissingArtifact where that file, or a feature table, is missing.
    """
    published = with_store(workspace, require(feature_store, "helm upgrade"))
    limits = load_settings(workspace.root / "params.yaml").duckdb
    apply_definitions(published)
    materialize_users(published, limits=limits)
    materialize_copurchase(published, limits=limits)


def with_store(workspace: Workspace, feature_store: Path) -> Workspace:
    """The same data with another feature_store.yaml: the pipeline's own stores stay as DVC knows them."""
    published = Workspace(workspace.root / "published")
    shutil.rmtree(published.root, ignore_errors=True)
    published.feature_repo.mkdir(parents=True)
    shutil.copy(workspace.feature_repo / DEFINITIONS, published.feature_repo)
    shutil.copy(feature_store, published.feature_repo / STORE)
    # The definitions name files below the folder next to their own.
    published.data.symlink_to(workspace.data.resolve(), target_is_directory=True)
    return published
