"""Fresh events over batch features, against what the pipeline computes from the same log later."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.events.interactions import FreshEvent
from contracts.features import names
from contracts.features.encoding import unpacked
from contracts.features.freshness import apply_events, decode_events, encode_events, merged
from tests.support.shops.purchases import built
from tests.support.workspaces.workspace import new_workspace
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


def test_everything_that_purchases_change_by_hand() -> None:
    """Two baskets after a history of four lines; ages of exactly 28 and 7 days, parts of a basket, ties, no prices."""
    now = 100 * DAY
    history: dict[str, list[Any]] = dict(zip(names.HISTORY, (
        ["milk", "bread", "soap"], [2, 1, 1], [2, 1, 0], [1, 0, 0],
        [10 * DAY, 20 * DAY, 5 * DAY], [50 * DAY, 20 * DAY, 5 * DAY]), strict=True))  # fmt: skip
    sequence: dict[str, list[Any]] = dict(zip(names.SEQUENCE, (["milk"], ["purchase"], [50 * DAY]), strict=True))
    known = history | sequence | {
        "user_purchases_365d": 4.0, "user_purchases_7d": 1.0, "user_baskets_365d": 3.0, "user_spend_365d": 20.0,
        "user_items_365d": 3.0, "user_discount_share_365d": 0.25, "user_departments_365d": 2.0,
    }  # fmt: skip
    events = [
        bought("bread", 93 * DAY + 1, None),
        bought("salt", 72 * DAY + 900, "b"),  # the same basket a quarter hour later
        bought("milk", 93 * DAY + 1, None),
        bought("salt", 72 * DAY + 600, "b", price=None, discount=None),
        bought("milk", 72 * DAY, "b", quantity=2, price=3.0, discount=1.0),
    ]
    found = apply_events(known, events, now + 1)
    late, first = 93 * DAY + 1, 72 * DAY
    expected = known | {
        names.SEQUENCE_ITEM_IDS: ["bread", "milk", "salt", "salt", "milk", "milk"],
        names.SEQUENCE_EVENT_TYPES: ["purchase"] * 6,
        names.SEQUENCE_TIMESTAMPS: [late, late, first + 900, first + 600, first, 50 * DAY],
        names.HISTORY_ITEM_IDS: ["bread", "milk", "salt", "soap"],
        names.HISTORY_COUNTS: [2, 4, 2, 1],
        names.HISTORY_COUNTS_91D: [2, 4, 2, 0],
        names.HISTORY_COUNTS_28D: [1, 2, 2, 0],  # the milk of basket b is a second older than 28 days
        names.HISTORY_FIRST_TIMESTAMPS: [20 * DAY, 10 * DAY, first + 600, 5 * DAY],
        names.HISTORY_LAST_TIMESTAMPS: [late, late, first + 900, 5 * DAY],
        # The first part of b has two lines, is begun there and older than 28 days; its second part is not. Spend is
        # 2 · 3 and 0, then 2; of the last basket 2 + 2.
        **{f"user_purchases_{days}d": value for days, value in zip(names.WINDOWS_DAYS, (3, 3, 5, 9), strict=True)},
        **{f"user_baskets_{days}d": value for days, value in zip(names.WINDOWS_DAYS, (1, 1, 2, 5), strict=True)},
        **{f"user_spend_{days}d": value for days, value in zip(names.WINDOWS_DAYS, (4, 6, 12, 32), strict=True)},
        "user_items_365d": 4,
        "user_discount_share_365d": (0.25 * 4 + 1) / 9,
        "user_basket_lines_365d": 9 / 5,
        "user_days_since_last": 7,
        "user_basket_gap_days": (88 + 1 / DAY) / 4,  # from day 5, in the history, to day 93
        "user_overdue_ratio": 7 / ((88 + 1 / DAY) / 4),
    }
    assert found == {name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                     for name, value in expected.items()}  # fmt: skip
    # A second earlier both ages are 28 and 7 days to the second, and inside.
    edge = apply_events(
        known, [event._replace(seconds=event.seconds - (event.seconds == late)) for event in events], now
    )
    assert edge[names.HISTORY_COUNTS_28D] == [1, 3, 2, 0]
    assert [edge[f"user_purchases_{days}d"] for days in names.WINDOWS_DAYS] == [3, 5, 5, 9]
    assert [edge[f"user_baskets_{days}d"] for days in names.WINDOWS_DAYS] == [1, 2, 2, 5]


def test_counts_of_91_days_end_at_91_days() -> None:
    milk, salt = bought("milk", 9 * DAY, "a"), bought("salt", 9 * DAY - 1, "b")
    found = apply_events({}, [salt, milk], 100.0 * DAY)
    assert found[names.HISTORY_ITEM_IDS] == ["milk", "salt"]
    assert (found[names.HISTORY_COUNTS], found[names.HISTORY_COUNTS_91D]) == ([1, 1], [1, 0])


def test_rhythm_of_short_gaps_of_one_basket_and_of_the_future() -> None:
    def rhythm(*moments: float) -> list[float]:
        events = [bought("milk", int(moment * DAY), str(moment)) for moment in moments]
        found = apply_events({}, events, 100.0 * DAY)
        return [found[f"user_{name}"] for name in ("days_since_last", "basket_gap_days", "overdue_ratio")]

    assert rhythm(97.0, 97.5) == [2.5, 0.5, 2.5]  # a gap of half a day counts as a day
    assert rhythm(60.0, 61.0) == [39, 1, 5]  # 39 days, and never more than 5
    assert rhythm(40.0) == [60, 0, 0]  # no gap yet
    assert rhythm(101.0) == [0, 0, 0]  # a clock that is ahead: now


def test_a_year_is_a_year_to_the_second() -> None:
    now = 366.0 * DAY
    views = [FreshEvent(f"v{at}", "view", "milk", DAY - at, None, 1, None, None) for at in (0, 1)]
    found = apply_events({}, [bought("milk", DAY), bought("salt", DAY - 1), *views], now)
    assert found[names.HISTORY_ITEM_IDS] == ["milk"]
    assert (found["user_views_365d"], found["user_views_91d"]) == (1, 0)


def test_the_first_second_of_all_is_new_to_who_has_no_sequence() -> None:
    assert apply_events({}, [bought("milk", 1)], 10.0)[names.HISTORY_ITEM_IDS] == ["milk"]
    assert apply_events({names.SEQUENCE_TIMESTAMPS: None}, [bought("milk", 0)], 10.0) == {
        names.SEQUENCE_TIMESTAMPS: None
    }


def test_histories_and_sequences_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "HISTORY_LENGTH", 2)
    known = dict(zip(names.HISTORY, (["a", "b"], [1, 1], [1, 1], [1, 1], [1, 2], [3, 2]), strict=True))
    found = apply_events(known, [bought("c", 9)], 10.0)
    assert found[names.HISTORY_ITEM_IDS] == ["c", "a"]
    assert found[names.HISTORY_LAST_TIMESTAMPS] == [9, 3]


def test_ties_of_a_history_are_by_item_whatever_was_bought_more() -> None:
    known = dict(zip(names.HISTORY, (["a"], [3], [3], [3], [1], [5]), strict=True))
    found = apply_events(known, [bought("b", 9), bought("a", 9)], 10.0)
    assert found[names.HISTORY_ITEM_IDS] == ["a", "b"]
    assert found[names.HISTORY_COUNTS] == [4, 1]


def test_a_basket_begins_with_its_earliest_line_whatever_the_ids_say() -> None:
    early, late = (bought(item, 72 * DAY + at)._replace(event_id=name)
                   for item, at, name in (("milk", -100, "2"), ("salt", 200, "1")))  # fmt: skip
    found = apply_events({}, [late, early], 100.0 * DAY)
    # The first line is older than 28 days, and the basket with it.
    assert (found["user_baskets_28d"], found["user_baskets_91d"], found["user_purchases_28d"]) == (0, 1, 1)


def test_ties_of_a_sequence_are_by_item_then_type() -> None:
    events = [FreshEvent(f"{kind}-{item}", kind, item, 5, None, 1, None, None)
              for item, kind in (("b", "view"), ("a", "view"), ("a", "cart_add"), ("c", "search"))]  # fmt: skip
    found = apply_events({}, events, 10.0)
    assert found[names.SEQUENCE_ITEM_IDS] == ["a", "a", "b"]  # a search stands in no sequence
    assert found[names.SEQUENCE_EVENT_TYPES] == ["cart_add", "view", "view"]


def test_events_are_one_short_line_of_json() -> None:
    event = FreshEvent("é", "view", "milk", 5, None, 1, 2.5, None)
    assert encode_events([event]) == '[["é","view","milk",5,null,1,2.5,null]]'
    assert decode_events("") == []


def test_of_two_events_with_one_id_the_kept_one_stays_and_ties_are_by_id() -> None:
    kept, again = bought("a", 3), bought("a", 3, quantity=2)
    assert merged([kept], [again]) == [kept]
    other = bought("A", 3)
    assert merged([kept], [other]) == [other, kept]


def test_a_year_old_purchase_is_in_no_count() -> None:
    old = apply_events({}, [bought("milk", 0)], 366.0 * DAY)
    assert names.HISTORY_ITEM_IDS not in old


# What can leave a window between two materializes, and is then counted too high until the second.
DECAYING = ("_7d", "_28d")
ARRAYS = (*names.SEQUENCE, *names.HISTORY)
# Habits have no rule: they change slowly, no model reads them, and they stay as the last materialize wrote them.
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
