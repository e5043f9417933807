"""Fresh events over batch features, against what the pipeline computes from the same log later."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from contracts.events.interactions import FreshEvent, Interaction, fresh_event
from contracts.features import names
from contracts.features.encoding import unpacked
from contracts.features.freshness import apply_events, decode_events, encode_events, merged
from tests.support.purchases import built
from tests.support.workspaces import new_workspace
from training.workspace import Workspace

DAY = 86_400
Purchase = tuple[str, str, str, int, int, float, float]


def bought(item: str, seconds: int, basket: str | None = "b", **more: Any) -> FreshEvent:
    fields: dict[str, Any] = {"quantity": 1, "price": 2.0, "discount": 0.0} | more
    return FreshEvent(f"{basket}-{item}-{seconds}", "purchase", item, seconds, basket, **fields)


def test_a_purchase_of_a_stranger_becomes_his_history() -> None:
    now = 100 * DAY
    features = apply_events({}, [bought("milk", now - 30 * DAY, price=3.0, quantity=2), bought("salt", now - DAY)], now)
    assert features[names.SEQUENCE_ITEM_IDS] == ["salt", "milk"]
    assert features[names.HISTORY_ITEM_IDS] == ["salt", "milk"]
    assert features[names.HISTORY_COUNTS_28D] == [1, 0]
    assert features[names.HISTORY_COUNTS_91D] == [1, 1]
    assert features["user_days_since_last"] == 1.0
    assert (features["user_spend_28d"], features["user_spend_91d"]) == (2.0, 3.0 * 2 + 2.0)
    assert (features["user_baskets_28d"], features["user_baskets_91d"]) == (0, 1)  # it counts where it begins
    assert (features["user_basket_lines_365d"], features["user_overdue_ratio"]) == (2, 0)


def test_purchases_without_a_basket_are_baskets_by_the_quarter_hour() -> None:
    now = 100 * DAY
    loose = [bought(item, now - 900 * at - 1, None) for at, item in ((1, "a"), (1, "b"), (3, "c"))]
    assert apply_events({}, loose, now)["user_baskets_7d"] == 2


def test_looks_count_in_their_windows_and_the_sequence() -> None:
    now = 1000 * DAY
    engagements = [FreshEvent(f"e{at}", kind, "milk", now - at * DAY, None, 1, None, None)
             for at, kind in ((1, "view"), (10, "view"), (2, "cart_add"), (3, "like"), (400, "view"))]  # fmt: skip
    features = apply_events({"user_views_28d": 5.0}, engagements, now)
    assert [features[f"user_views_{days}d"] for days in names.WINDOWS_DAYS] == [1, 7, 2, 2]
    assert features["user_cart_adds_7d"] == 1
    assert features[names.SEQUENCE_EVENT_TYPES] == ["view", "cart_add", "like", "view", "view"]
    assert "user_baskets_7d" not in features


def test_what_the_pipeline_has_seen_is_not_counted_twice() -> None:
    known = {
        names.SEQUENCE_ITEM_IDS: ["milk"], names.SEQUENCE_TIMESTAMPS: [50 * DAY],
        **dict(zip(names.HISTORY, (["milk"], [1], [1], [1], [50 * DAY], [50 * DAY]), strict=True)),
    }  # fmt: skip
    assert apply_events(known, [bought("milk", 50 * DAY)], 51 * DAY) == known
    again = apply_events(known, [bought("milk", 50 * DAY), bought("milk", 50 * DAY + 1, "c")], 51 * DAY)
    assert again[names.HISTORY_COUNTS] == [2]
    assert again[names.SEQUENCE_ITEM_IDS] == ["milk", "milk"]


def test_events_that_carry_no_feature_change_none() -> None:
    view = FreshEvent("e", "visit", None, 5, None, 1, None, None)
    assert apply_events({"user_baskets_7d": 3.0}, [view], 10.0) == {"user_baskets_7d": 3.0}


def test_what_falls_behind_the_latest_events_stays_where_it_is_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SEQUENCE_LENGTH", 2)
    monkeypatch.setattr(names, "ENGAGEMENTS_LENGTH", 4)
    kinds, times = ["view", "purchase", "like", "view"], [9, 8, 7, 6]
    known = dict(zip(names.SEQUENCE, (["a", "b", "c", "d"], kinds, times), strict=True))
    events = [FreshEvent(item, kind, item, at, None, 1, None, None) for item, kind, at in
              (("e", "purchase", 10), ("f", "cart_add", 11))]  # fmt: skip
    features = apply_events(known, events, 12.0)
    assert features[names.SEQUENCE_ITEM_IDS] == ["f", "e", "a", "c"]  # b was bought, d is one too many
    assert features[names.SEQUENCE_TIMESTAMPS] == [11, 10, 9, 7]


def test_merging_again_or_in_another_order_changes_nothing() -> None:
    one, two, three = (bought(item, at) for item, at in (("a", 3), ("b", 1), ("c", 2)))
    assert merged([one], [two, three]) == merged([three, one, one], [two, three]) == [two, three, one]
    assert decode_events(encode_events([one, two])) == [one, two]
    assert decode_events(None) == []


def test_a_year_old_purchase_is_in_no_count() -> None:
    old = apply_events({}, [bought("milk", 0)], 366.0 * DAY)
    assert names.HISTORY_ITEM_IDS not in old


# What can leave a window between two materializes, and is then counted too high until the second.
DECAYING = ("_7d", "_28d")
ARRAYS = (*names.SEQUENCE, *names.HISTORY)
# Habits have no rule: they change slowly, no model reads them, and they are those of the last materialize.
HABITS = {
    "user_new_item_share_91d", "user_saved_share_365d", "user_unit_price_365d", "user_basket_gap_variation",
    "user_departments_365d", "user_top_department_share_365d", "user_top_brand_share_365d",
    *(f"user_{part}_share_365d" for part in ("morning", "afternoon", "evening", "weekend")),
}  # fmt: skip


def random_purchases(users: int, days: Sequence[int]) -> list[Purchase]:
    """Baskets of several lines with repeats and ties in time; the days of January 2024 and on."""
    dice = random.Random(5)
    rows: list[Purchase] = []
    for user in range(1, users + 1):
        for day in days:
            if dice.random() < 0.5:
                for item in dice.sample(("bread", "milk", "salt"), dice.randint(1, 3)):
                    discount = dice.choice((0.0, 0.5))
                    rows.append((f"u{user}", f"b{user}-{day}", item, day, dice.randint(1, 3), 2.0, discount))
    return rows


def features_of(workspace: Workspace, user: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for view in (names.USER_STATISTICS_VIEW, names.USER_SEQUENCE_VIEW, names.USER_HISTORY_VIEW):
        rows = [row for row in pq.read_table(workspace.feature_table(view)).to_pylist() if row["user_id"] == user]
        found |= max(rows, key=lambda row: row["event_timestamp"])
    return unpacked({name: value for name, value in found.items() if name not in ("user_id", "event_timestamp")})


def as_posted(purchases: Sequence[Purchase], user: str) -> list[FreshEvent]:
    return [
        FreshEvent(
            f"{basket}-{item}", "purchase", item, int(datetime(2024, 1, day, 12, tzinfo=UTC).timestamp()), basket,
            quantity, price, discount,
        )
        for who, basket, item, day, quantity, price, discount in purchases
        if who == user
    ]  # fmt: skip


def test_fresh_features_are_what_the_pipeline_computes_from_the_log_later(tmp_path: Path) -> None:
    """No training/serving skew: every value is equal but the counts of windows that something has left since."""
    opening: list[Purchase] = [(user, f"{user}-first", "salt", 1, 1, 1.0, 0.0) for user in ("u1", "u2")]
    opening.append(("u2", "u2-last", "bread", 29, 1, 1.0, 0.0))  # the log must end on a known day
    before, after = random_purchases(8, range(1, 30)), random_purchases(8, range(30, 32))
    early, late = (new_workspace(tmp_path / name, "{}") for name in ("early", "late"))
    built(early, opening + before)
    later = built(late, opening + before + after)
    users = sorted({row[0] for row in after})
    assert len(users) >= 4
    for user in users:
        posted = as_posted(after, user)
        fresh = apply_events(features_of(early, user), posted, later.data_end)
        batch = features_of(late, user)
        assert fresh.keys() == batch.keys()
        assert not HABITS & set(names.MODELLED_USER_STATISTICS)
        exact = {name for name in batch if not name.endswith(DECAYING)} - HABITS
        for name in exact:
            assert fresh[name] == (batch[name] if name in ARRAYS else pytest.approx(batch[name])), name
        for name in batch.keys() - exact - HABITS - {names.HISTORY_COUNTS_28D}:
            assert fresh[name] >= batch[name]
        assert all(kept >= own for kept, own in zip(
            fresh[names.HISTORY_COUNTS_28D], batch[names.HISTORY_COUNTS_28D], strict=True))  # fmt: skip


def interaction(**fields: Any) -> Interaction:
    return Interaction.model_validate({"event_id": "e1", "event_type": "purchase", "user_id": "u"} | fields)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "item_id is required for purchase"),
        ({"item_id": "i", "event_type": "buy"}, "Input should be 'view'"),
        ({"item_id": "i", "event_timestamp": "2024-01-01T10:00:00"}, "timezone"),
        ({"item_id": "i", "quantity": 0}, "greater than or equal to 1"),
        ({"item_id": "i", "price": -1.0}, "greater than or equal to 0"),
        ({"item_id": "i", "price": float("inf")}, "less than or equal to"),
        ({"item_id": "x" * 129}, "at most 128 characters"),
        ({"item_id": "i", "colour": "red"}, "Extra inputs"),
    ],
)
def test_an_impossible_event_is_refused_with_what_was_expected(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        interaction(**fields)


def test_an_event_without_a_moment_has_that_of_its_arrival() -> None:
    arrived = datetime(2024, 5, 1, tzinfo=UTC)
    own = datetime(2024, 4, 1, tzinfo=UTC)
    assert interaction(item_id="i").at(arrived).event_timestamp == arrived
    assert interaction(item_id="i", event_timestamp=own).at(arrived).event_timestamp == own
    assert fresh_event(interaction(item_id="i").at(arrived)).seconds == int(arrived.timestamp())
    with pytest.raises(ValueError, match="no moment"):
        fresh_event(interaction(item_id="i"))
