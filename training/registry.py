"""MLflow's registry follows what serves: a version a bundle, alias `champion` and alias `challenger`."""

import logging
import re
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from contracts.bundle.promotions import current_version, promotions
from contracts.errors import MissingArtifact
from training.settings import mlflow_url
from training.workspace import Workspace

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

MODEL: Final = "tandem"
STORE: Final = "mlflow.db"
ENDS_A_URL: Final = re.compile(r"[?#%]")
"""Letters of a path that mean something else in a URL."""
CHAMPION: Final = "champion"  # the bundle that `current` names
CHALLENGER: Final = "challenger"  # the newest bundle that was never promoted
BUNDLE_TAG: Final = "bundle_version"


def store_uri(workspace: Workspace) -> str:
    """The store of runs and of the registry: a shared MLflow, or the workspace's own in SQLite."""
    if url := mlflow_url():
        return url
    path = (workspace.root / STORE).absolute()
    if not ENDS_A_URL.search(str(path)):
        return f"sqlite:///{path}"
    # As SQLite's own URI, which MLflow takes for a path as well: it makes an empty folder `file:` where it is called.
    return f"sqlite:///{path.as_uri()}?uri=true"


def has_store(workspace: Workspace) -> bool:
    """Whether there is a store: asking MLflow for a missing one would make it."""
    return bool(mlflow_url()) or (workspace.root / STORE).is_file()


def register(workspace: Workspace, bundle_version: str, run_id: str) -> None:
    """Makes a bundle a version of the registered model, linked to its run; one that is there already stays."""
    client = _client(workspace)
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    if bundle_version not in _versions(client):
        source = (workspace.bundles / bundle_version).as_uri()
        client.create_model_version(MODEL, source, run_id, tags={BUNDLE_TAG: bundle_version})


def run_tags(workspace: Workspace, bundle_version: str) -> dict[str, str]:
    """Tags of the run that made a bundle. Raises MissingArtifact where none is known."""
    found = _versions(_client(workspace)).get(bundle_version) if has_store(workspace) else None
    if found is None:
        raise MissingArtifact(
            f"No run of bundle {bundle_version} is in {mlflow_url() or workspace.root / STORE}: it was made elsewhere, "
            "or before runs were registered. Name the workspace that made it with --root."
        )
    tags: dict[str, str] = _client(workspace).get_run(found.run_id).data.tags
    return tags


def follow(workspace: Workspace) -> str | None:
    """Points both aliases to where the history of promotions says; gives what keeps it from that, for people, or None.

    A promotion or rollback holds whatever becomes of the aliases: they are for people who look into MLflow.
    """
    if not has_store(workspace):
        return None  # nothing was trained here
    promoted = {change.bundle_version for change in promotions(workspace.bundles)}
    return point(workspace, current_version(workspace.bundles), promoted)


def follow_rollout(workspace: Workspace, stable: Sequence[str], refused: Collection[str]) -> str | None:
    """The same after a rollout on a cluster; URLs or paths of bundles that were stable, latest last, or taken back.

    A version that the registry does not know moves nothing: it was trained elsewhere.
    """
    served = [_version_in(url) for url in stable]
    tried = {*served, *(_version_in(url) for url in refused)}
    return point(workspace, served[-1] if served else None, tried)


def _version_in(url: str) -> str:
    """s3://bucket/prefix/VERSION or a path."""
    return url.rstrip("/").rpartition("/")[2]


def point(workspace: Workspace, serving: str | None, tried: Collection[str]) -> str | None:
    """Champion is the version that serves, challenger the newest that was never tried; as `follow` says it."""
    if not has_store(workspace):
        return None  # nothing was trained here
    if find_spec("mlflow") is None:
        return "MLflow is not installed here, so its aliases champion and challenger are left as they are"
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError  # MLflow passes on what opening the store raises

    try:
        client = _client(workspace)
        versions = _versions(client)
        waiting = [version for version in versions if version not in tried]
        _point(client, CHAMPION, versions.get(serving or ""))
        _point(client, CHALLENGER, versions[waiting[-1]] if waiting else None)
    except (MlflowException, SQLAlchemyError) as error:
        return f"MLflow's aliases champion and challenger could not be moved: {error}"
    return None


def _client(workspace: Workspace) -> "MlflowClient":
    from mlflow import MlflowClient

    for chatty in ("alembic", "mlflow"):  # both announce the creation of the store table by table
        logging.getLogger(chatty).setLevel(logging.ERROR)
    return MlflowClient(store_uri(workspace), store_uri(workspace))


def _versions(client: "MlflowClient") -> "dict[str, ModelVersion]":
    """Registered version by bundle version, oldest first."""
    found = sorted(client.search_model_versions(f"name = '{MODEL}'"), key=lambda version: int(version.version))
    return {version.tags[BUNDLE_TAG]: version for version in found}


def _point(client: "MlflowClient", alias: str, to: "ModelVersion | None") -> None:
    if to is not None:
        client.set_registered_model_alias(MODEL, alias, to.version)
    elif client.search_registered_models(f"name = '{MODEL}'"):
        client.delete_registered_model_alias(MODEL, alias)
