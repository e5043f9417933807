"""Windows of every event type; event types that most sources lack are in views of their own."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.events.schema import EventType
from contracts.features import names
from contracts.features.feedback import FEEDBACK_TYPES
from tests.support.shops.purchases import ACTIVITY, LOOKS, PURCHASES, Look, built, row, seconds
from tests.support.workspaces.workspace import new_workspace
from training.feature_store.store import apply_definitions, features_as_of, open_store
from training.workspace import Workspace


def windows(workspace: Workspace, view: str, key: str, value: str, at: int) -> dict[str, float]:
    """Those that are not zero."""
    numbers, values = {
        names.USER_ACTIVITY_VIEW: (names.USER_ACTIVITY, names.USER_ACTIVITY_VALUES),
        names.ITEM_ACTIVITY_VIEW: (names.ITEM_ACTIVITY, names.ITEM_ACTIVITY_VALUES),
    }[view]
    counts = row(workspace, view, key, value, at)[values]
    return {name: count for name, count in zip(numbers, counts, strict=True) if count}


def test_each_event_type_has_windows_of_users_and_of_items() -> None:
    counted = {EventType.PURCHASE, EventType.VIEW, EventType.CART_ADD}
    assert counted.isdisjoint(names.ACTIVITY.values())
    assert counted | set(names.ACTIVITY.values()) | FEEDBACK_TYPES == set(EventType)  # what is hidden is not counted
    for kinds in ("purchases", "views", "cart_adds", *names.ACTIVITY):
        for days in (7, 28, 91, 365):
            assert f"user_{kinds}_{days}d" in (*names.USER_STATISTICS, *names.USER_ACTIVITY)
            assert f"item_{kinds}_{days}d" in (*names.ITEM_STATISTICS, *names.ITEM_ACTIVITY)


def test_events_are_counted_by_window_and_type(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, ACTIVITY)
    users, items = (names.USER_ACTIVITY_VIEW, names.USER_ID), (names.ITEM_ACTIVITY_VIEW, names.ITEM_ID)
    assert windows(empty_workspace, *users, "u1", timeline.cutoff) == {
        "user_likes_7d": 2, "user_likes_28d": 3, "user_likes_91d": 3, "user_likes_365d": 3,
        **{f"user_{kind}_{days}d": 1 for kind in ("cart_removes", "searches") for days in names.WINDOWS_DAYS},
    }  # fmt: skip
    assert windows(empty_workspace, *users, "u2", timeline.cutoff) == {
        f"user_{kind}_{days}d": 1 for kind in ("cart_clears", "cart_views") for days in names.WINDOWS_DAYS
    }
    assert windows(empty_workspace, *users, "u2", timeline.data_end)["user_visits_7d"] == 1
    assert windows(empty_workspace, *users, "u3", timeline.cutoff) == {
        f"user_category_views_{days}d": 1 for days in (28, 91, 365)
    }
    assert windows(empty_workspace, *items, "salt", timeline.cutoff) == {
        "item_likes_7d": 1, "item_likes_28d": 2, "item_likes_91d": 2, "item_likes_365d": 2
    }  # fmt: skip


def test_what_a_source_lacks_takes_no_row(empty_workspace: Workspace) -> None:
    timeline = built(empty_workspace, PURCHASES, LOOKS)
    for view in (names.USER_ACTIVITY_VIEW, names.ITEM_ACTIVITY_VIEW):
        assert pq.read_table(empty_workspace.feature_table(view)).num_rows == 0
    known = joined(empty_workspace, timeline.cutoff)
    assert known == dict.fromkeys((names.USER_ID, *names.USER_ACTIVITY)) | {names.USER_ID: "u1"}


def test_a_planted_future_event_is_in_no_window(tmp_path: Path) -> None:
    future: list[Look] = [("u1", kind.value, "milk", day, 0) for kind in names.ACTIVITY.values() for day in (24, 29)]
    clean, planted = (new_workspace(tmp_path / name, "{}") for name in ("clean", "planted"))
    cutoff = built(clean, PURCHASES, ACTIVITY).cutoff
    timeline = built(planted, PURCHASES, ACTIVITY + future)
    assert timeline.cutoff == cutoff == seconds(24)
    assert joined(clean, cutoff) == joined(planted, cutoff)
    after = joined(planted, timeline.data_end)
    assert after["user_visits_7d"] == 2


def joined(workspace: Workspace, at: int) -> dict[str, Any]:
    """What Feast says was known of u1."""
    apply_definitions(workspace)
    (known,) = features_as_of(open_store(workspace), names.USER_ACTIVITY_SERVICE, names.USER_ID, ["u1"], at).to_pylist()
    return dict(known)


@pytest.mark.parametrize("service", [names.SERVING_SERVICE, names.ONLINE_SERVICE])
def test_no_answer_reads_them(service: str, empty_workspace: Workspace) -> None:
    """The online row of a user is as wide as it was, whatever the source holds."""
    apply_definitions(empty_workspace)
    read = open_store(empty_workspace).get_feature_service(service).feature_view_projections
    assert not {names.USER_ACTIVITY_VIEW, names.ITEM_ACTIVITY_VIEW} & {projection.name for projection in read}
