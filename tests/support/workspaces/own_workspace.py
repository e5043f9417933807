"""The trained slice with stores of a test's own."""

import shutil
from pathlib import Path

from tests.support.real_parts.redis_server import RedisServer, use_redis
from training.feature_store.store import materialize_copurchase, materialize_users
from training.workspace import Workspace


def own_workspace(trained: Workspace, root: Path, redis: RedisServer | None) -> Workspace:
    """The trained slice with an online store of its own: Redis where there is one, else SQLite."""
    workspace = Workspace(root)
    shutil.copytree(trained.feature_repo, workspace.feature_repo)
    shutil.copyfile(trained.root / "params.yaml", root / "params.yaml")
    workspace.data.mkdir()
    tried = trained.data / "bundle-cache"  # notes which bundles were tried in a process of their own
    tried.mkdir(exist_ok=True)
    for shared in (trained.bundles, trained.data / "features", trained.copurchase, tried):
        (root / shared.relative_to(trained.root)).symlink_to(shared)
    if redis is not None:
        use_redis(workspace.feature_repo / "feature_store.yaml", redis.connection_string)
        materialize_users(workspace)
        materialize_copurchase(workspace)
    return workspace
