"""Of the online store an erasure takes the rows of exactly one id, whatever is in it."""

from collections.abc import Callable

import pytest

from contracts.events.interactions import FreshEvent
from serving.features.online_rows import OnlineRows
from serving.features.recent_events import FeastRecentEvents, Recent
from tests.support.odd_ids import ODD_IDS
from tests.support.real_parts.redis_server import RedisServer, use_redis
from training.feature_store.store import apply_definitions
from training.workspace import Workspace


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_an_erasure_takes_the_rows_of_exactly_that_id(
    empty_workspace: Workspace, redis_server: Callable[..., RedisServer], kind: str
) -> None:
    if kind == "redis":
        use_redis(empty_workspace.feature_repo / "feature_store.yaml", redis_server().connection_string)
    apply_definitions(empty_workspace)
    recent, rows = FeastRecentEvents(empty_workspace.feature_repo), OnlineRows(empty_workspace.feature_repo)
    view = FreshEvent("1", "view", "milk", 1_700_000_000, None, 1, None, None)
    recent.write({user_id: Recent([view], 0) for user_id in ODD_IDS})
    left = set(ODD_IDS)
    for user_id in ODD_IDS:
        assert rows.erase(user_id) > 0, user_id
        left.remove(user_id)
        assert {one for one, found in recent.read(ODD_IDS).items() if found.events} == left
