"""Which event is learned from, how far back, and what is refused for want of it."""

import ibis
import numpy as np
import pytest

from contracts.errors import DataRejected, InvalidInput
from contracts.events.schema import EventType
from contracts.features.vocabulary import Vocabulary
from training.features.horizon import label_windows, tower_weeks
from training.settings import FeatureSettings
from training.target import in_role, require_enough, require_target


def test_another_target_is_the_purchase_and_a_purchase_the_next_best() -> None:
    events = ibis.memtable({"event_type": ["like", "purchase", "view"]})
    assert in_role(events, EventType.LIKE).event_type.execute().tolist() == ["purchase", "cart_add", "view"]
    assert in_role(events, EventType.PURCHASE) is events
    with pytest.raises(InvalidInput, match=r"features\.target is 'search', expected one of purchase, like"):
        in_role(events, EventType.SEARCH)


def test_a_log_without_the_target_is_refused_with_what_it_has() -> None:
    require_target({"purchase": 1}, EventType.PURCHASE)
    with pytest.raises(DataRejected, match=r"no purchase, .*; it has 360 view\..*`target: view`"):
        require_target({"view": 360}, EventType.PURCHASE)
    with pytest.raises(
        DataRejected, match=r"it has 3 search\. None of these can stand for it, as like, cart_add, view could\.$"
    ):
        require_target({"search": 3}, EventType.PURCHASE)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ({"users": 1}, "Too few users have a cart add before the test window: 1. At least 2"),
        ({"items": 1}, "Too few items have a cart add before the test window: 1"),
        ({"test": 0}, "no cart add in the test window"),
        ({"ranker": 0}, r"in the label windows \(features\.ranker_windows\)"),
        ({"towers": 0}, r"features\.two_tower_weeks"),
    ],
)
def test_a_window_with_nothing_to_learn_from_is_refused(lacking: dict[str, int], message: str) -> None:
    enough = {"users": 2, "items": 2, "test": 1, "ranker": 1, "towers": 1}
    require_enough(enough, EventType.CART_ADD)
    with pytest.raises(DataRejected, match=message):
        require_enough(enough | lacking, EventType.CART_ADD)


def test_weeks_fit_the_log_where_the_settings_do_not_say() -> None:
    settings = FeatureSettings(test_days=28)
    days = np.arange(0, 400, dtype=np.int64)
    assert tower_weeks(settings, days, np.full(400, 100_000)) == 26  # five days would be enough
    assert tower_weeks(settings, days, np.full(400, 2_000)) == 36  # 14,000 a week: 35.7 weeks hold half a million
    assert tower_weeks(settings, days, np.full(400, 1)) == 54  # the whole log: 371 days before the last 28, in weeks
    assert tower_weeks(FeatureSettings(two_tower_weeks=10), days, np.full(400, 1)) == 10
    assert tower_weeks(settings, days[:0], days[:0]) == 26


@pytest.mark.parametrize(
    ("weeks", "days", "users", "windows"),
    [
        (100, 1000, [2000] * 20, 3),  # one window has enough, and chance is in one
        (100, 1000, [300] * 20, 4),
        (100, 1000, [10] * 20, 12),  # half of the weeks are the towers'
        (200, 1000, [10] * 20, 13),  # a year
        (26, 1000, [10] * 20, 3),
        (26, 139, [300] * 3, 3),  # three windows, the test window and as long a history
        (26, 138, [300] * 3, 2),
        (26, 83, [300], 1),
        (26, 20, [], 1),  # too short for any, which plan_timeline says
    ],
)
def test_label_windows_fit_the_log_where_the_settings_do_not_say(
    weeks: int, days: int, users: list[int], windows: int
) -> None:
    by_window = np.array(users, np.int64)
    assert label_windows(FeatureSettings(test_days=28), weeks, days, by_window) == windows
    assert label_windows(FeatureSettings(ranker_windows=5), weeks, days, by_window) == 5


def test_one_of_several_categories_finds_the_item() -> None:
    vocabulary = Vocabulary(["Animation | Comedy", "Comedy", "Drama"])
    assert vocabulary.spelled("comedy") == [1, 2]
    assert vocabulary.spelled("animation | comedy") == [1]
