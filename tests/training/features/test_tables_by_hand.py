"""Every number of the feature tables by hand, from a log in memory: windows to the second, habits, ties and cuts."""

from collections import Counter
from datetime import UTC, datetime
from statistics import mean, pstdev
from typing import Any

import pytest

from contracts.features import names
from contracts.ranking.inputs import NEVER_DAYS
from tests.support.shops.log_in_memory import (
    ADA,
    AT,
    DAY,
    EARLY,
    HOUR,
    LATER,
    OTHERS,
    QUARTER,
    SNAPSHOTS,
    bought,
    by_key,
    days,
    events_of,
    items_table,
    looked,
    statistics_of,
    timeline,
    windows,
)
from training.features.build import pairs_as_of
from training.features.item_features import item_statistics
from training.features.snapshots import engagements_by_quarter
from training.features.user_arrays import user_history, user_sequence
from training.features.user_features import visits_of


@pytest.fixture  # made for each test: a broken version of the code must be asked by all of them
def users() -> dict[Any, Any]:
    return statistics_of(ADA + OTHERS)


def test_every_statistic_of_a_user(users: dict[Any, Any]) -> None:
    gaps = [15, 274 * 1440, 63 * 1440 - 15, 21 * 1440 + 15, 6480, 1080]  # minutes, from "old" on
    since_last = 1.75 - 1200 / DAY  # the second part of basket f; looks are no purchases
    assert users["ada", AT] == pytest.approx(
        {
            **windows("user_purchases", 5, 5, 7, 9),  # d has 2, noon 1, f 2; then b and c; then a with 2
            **windows("user_baskets", 3, 3, 5, 6),
            **windows("user_spend", 14, 14, 22, 29),  # d 4 + 1, noon 3, f 3 + 3; b 2 · 3 and c 2; a 2 + 5
            **windows("user_views", 3, 3, 3, 4),  # two of yesterday, one of an item and one of none; seven days; 91
            **windows("user_cart_adds", 0, 1, 1, 1),
            "user_items_365d": 4,
            "user_new_item_share_91d": 2 / 3,  # bread and salt, of them and milk
            "user_discount_share_365d": 2 / 9,  # b and the milk of d
            "user_saved_share_365d": 2 / 31,  # 2 · ½ + 1 off 29 + 2
            "user_unit_price_365d": 29 / 12,  # a 2, b 2, c 1, d 2, noon 1, f 3 + 1 units
            "user_basket_lines_365d": 9 / 6,
            "user_days_since_last": since_last,
            "user_basket_gap_days": (365 - 1.75) / 5,  # a to f
            "user_basket_gap_variation": pstdev(gaps) / mean(gaps),
            "user_overdue_ratio": since_last / ((365 - 1.75) / 5),
            "user_morning_share_365d": 1 / 6,  # f at 6:00
            "user_afternoon_share_365d": 1 / 6,  # noon
            "user_evening_share_365d": 1 / 6,  # c
            "user_weekend_share_365d": 3 / 6,  # a, c, f
            "user_departments_365d": 2,  # the soap has none
            "user_top_department_share_365d": 6 / 8,  # food: milk 3, bread 3; spices: salt 2
            "user_top_brand_share_365d": 5 / 8,  # farm: milk 3, salt 2; own: bread 3
        },
        rel=1e-6,
    )


def test_rhythm_of_short_gaps_and_of_one_basket(users: dict[Any, Any]) -> None:
    rhythm = ("user_basket_gap_days", "user_basket_gap_variation", "user_overdue_ratio", "user_basket_lines_365d")
    found = {user: [users[user, AT][name] for name in rhythm] for user in ("bob", "cid", "dan")}
    # Bob's gap of half a day counts as one: 3.5 days by 1. Cid's 39 days by 1 stop at 5. Dan has one basket: no gap.
    assert found == {"bob": [0.5, 0, 3.5, 1], "cid": [1, 0, 5, 1], "dan": [0, 0, 0, 2]}


def test_shares_of_one_purchase_and_gaps_in_whole_minutes() -> None:
    found = statistics_of([
        bought("one", "a", "milk", days(1), price=3.0, off=1.0),
        looked("two", "view", "milk", days(300)), bought("two", "a", "milk", days(200)),
        bought("two", "b", "milk", days(100)),
        bought("few", "a", "milk", days(2)), bought("few", "b", "milk", days(2) + 150),
        bought("few", "c", "milk", days(2) + 420), bought("few", "c", "salt", days(2) + 480),
    ])  # fmt: skip
    one, two, few = (found[user, AT] for user in ("one", "two", "few"))
    assert [one[f"user_{name}"] for name in ("discount_share_365d", "unit_price_365d", "new_item_share_91d")] == [
        1,
        3,
        1,
    ]
    assert (two["user_basket_gap_days"], two["user_new_item_share_91d"]) == (100, 0)  # from the first purchase on
    assert few["user_basket_gap_variation"] == pytest.approx(1 / 3)  # 2 and 4 minutes, of 150 and 270 seconds
    assert few["user_days_since_last"] == pytest.approx(
        2 - 420 / DAY, rel=1e-7
    )  # where the visit of its quarter begins


def test_a_basket_is_counted_where_it_begins_and_without_one_by_the_quarter_hour() -> None:
    quarters = [bought("long", "a", "milk", days(1) - 600 + QUARTER * at) for at in reversed(range(20))]
    found = statistics_of([
        *quarters,  # from 23:50 on, five hours into the next day
        *(bought("none", None, "milk", days(1) + at) for at in (0, 300, 1000)),  # of two quarters
        looked("fan", "like", "milk", days(1)),
    ])  # fmt: skip
    assert found.keys() == {("long", AT), ("none", AT)}  # likes are in sequences, and in no statistic
    assert [found["long", AT][f"user_{name}_365d"] for name in ("baskets", "purchases", "evening_share")] == [1, 20, 1]
    assert (found["none", AT]["user_baskets_365d"], found["none", AT]["user_basket_lines_365d"]) == (2, 1.5)


def test_visits_are_a_row_a_quarter_hour_in_order_and_hold_what_is_added_up() -> None:
    visits = visits_of(events_of(OTHERS + ADA), timeline()).to_pyarrow()
    rows = list(zip(visits["user_id"].to_pylist(), visits["seconds"].to_pylist(), strict=True))
    # Of Ada nine parts of baskets, and five quarters with views or cart additions.
    counts = {"ada": 9 + 5, "bob": 2, "cid": 2, "dan": 1, "eve": 1}
    assert rows == sorted(rows) and Counter(user for user, _ in rows) == counts
    added = ["lines", "units", "spend", "saved", "discounted", "baskets", "gap_minutes", "views", "cart_adds"]
    types = {"user_id": "string", "seconds": "int64", "local": "int64", **dict.fromkeys(added, "double")}
    assert {field.name: str(field.type) for field in visits.schema} == types
    engaged = engagements_by_quarter(events_of([*OTHERS, *ADA, looked("ada", "view", "milk", days(1) + 60)]), "user_id")
    looks = engaged.to_pyarrow().to_pylist()
    moments = [days(91) - QUARTER, days(28), days(7), days(1), AT]
    assert [(look["user_id"], look["seconds"]) for look in looks] == [
        *(("ada", at) for at in moments),
        ("eve", days(200)),
    ]
    (last,) = (look for look in looks if look["seconds"] == days(1))
    assert last == {"user_id": "ada", "seconds": days(1), "views": 3.0, "cart_adds": 0.0}


def test_who_has_only_looked_has_never_bought(users: dict[Any, Any]) -> None:
    rest = {name: value for name, value in users["eve", AT].items() if value}
    assert rest == {"user_views_365d": 1, "user_days_since_last": NEVER_DAYS}


def test_a_user_has_a_row_at_each_snapshot_asked_for_with_an_event_in_the_year_before() -> None:
    found = statistics_of(ADA + OTHERS, (EARLY, LATER))
    # Bob and Dan come later; Cid came 40 days before AT, Eve 200.
    assert set(found) == {("ada", EARLY), ("ada", LATER), ("cid", LATER), ("eve", EARLY), ("eve", LATER)}
    # At 91 days: "old" and a. What was bought at that very moment is not known, and comes at 28 days, with c.
    assert [found["ada", at]["user_baskets_365d"] for at in (EARLY, LATER)] == [2, 4]
    assert [found["ada", at]["user_items_365d"] for at in (EARLY, LATER)] == [2, 3]


def test_hours_are_the_local_ones_before_and_after_the_clocks_change() -> None:
    # 10:30 UTC is 5:30 in New York on 1 February 2023 and 6:30 on 1 July: the morning begins at 6.
    moments = [int(datetime(2023, month, 1, 10, 30, tzinfo=UTC).timestamp()) for month in (2, 7)]
    rows = [bought("ada", str(at), "milk", at) for at in moments]
    assert statistics_of(rows, time_zone="America/New_York")["ada", AT]["user_morning_share_365d"] == 0.5
    # A year before the first snapshot clocks were still those of summer: 6:30 on 2 November 2022.
    autumn = [bought("ada", "a", "milk", int(datetime(2022, 11, 2, 10, 30, tzinfo=UTC).timestamp()))]
    assert statistics_of(autumn, (EARLY,), "America/New_York")["ada", EARLY]["user_morning_share_365d"] == 1
    # And on 27 January 2024, a Saturday, 3:00 UTC is Friday evening there.
    friday = statistics_of([bought("ada", "a", "milk", days(2) + 3 * HOUR)], time_zone="America/New_York")["ada", AT]
    assert (friday["user_evening_share_365d"], friday["user_weekend_share_365d"]) == (1, 0)


@pytest.fixture
def items() -> dict[Any, Any]:
    events = events_of(ADA + OTHERS)
    pairs = pairs_as_of(events.filter(events.event_type == "purchase").mutate(in_run_up=False), SNAPSHOTS)
    return by_key(
        item_statistics(engagements_by_quarter(events, "item_id"), pairs, items_table(), timeline()), "item_id"
    )


NOTHING = dict.fromkeys(names.ITEM_STATISTICS, 0.0) | {
    "item_relative_price": 1,
    "item_trend_7d": 1,
    "item_trend_28d": 1,
}


EXPECTED: dict[str, dict[str, float]] = {
    "milk": {  # by ada alone, 365, 28 and 7 days ago
        **windows("item_purchases", 1, 1, 2, 3), **windows("item_buyers", 1, 1, 1, 1),
        **windows("item_views", 1, 1, 1, 2), **windows("item_cart_adds", 0, 1, 1, 1),
        "item_trend_7d": 2 / (1 / 4 + 1), "item_trend_28d": 2 / (2 * 28 / 91 + 1),
        "item_season_28d": 1,  # a year ago
        "item_repeat_share_365d": 1, "item_repeat_gap_days": (365 - 7) / 2, "item_discount_share_91d": 1 / 2,
        "item_price": 8 / 3, "item_age_days": 365,
    },
    "tea": {  # bob twice, half a day apart; cid twice, a day apart; dan once
        **windows("item_purchases", 2, 3, 5, 5), **windows("item_buyers", 1, 2, 3, 3),
        "item_trend_7d": 3 / (3 / 4 + 1), "item_trend_28d": 4 / (5 * 28 / 91 + 1),
        "item_repeat_share_365d": 2 / 3, "item_repeat_gap_days": (0.5 + 1) / 2,
        "item_price": 6,  # bob 3, cid 6, dan 9
        "item_relative_price": 6 / 5.5,  # the soap, of no subcategory either, costs 5
        "item_age_days": 50,
    },
    "soap": {
        **windows("item_purchases", 0, 0, 0, 1), **windows("item_buyers", 0, 0, 0, 1), "item_season_28d": 1,
        "item_price": 5, "item_relative_price": 5 / 5.5, "item_age_days": 365,
    },
    "sample": {  # costs nothing, as does all of its subcategory
        **windows("item_purchases", 0, 1, 1, 1), **windows("item_buyers", 0, 1, 1, 1),
        "item_trend_7d": 1 / (1 / 4 + 1), "item_trend_28d": 2 / (28 / 91 + 1), "item_age_days": 20,
        "item_discount_share_91d": 1,  # of one purchase
    },
    "pepper": windows("item_views", 1, 1, 1, 2),  # only viewed, of no known age
    "salt": {  # to be had in five days, and bought before
        **windows("item_purchases", 2, 2, 2, 2), **windows("item_buyers", 1, 1, 1, 1), "item_price": 1,
        "item_trend_7d": 3 / (2 / 4 + 1), "item_trend_28d": 3 / (2 * 28 / 91 + 1),
        "item_repeat_share_365d": 1, "item_repeat_gap_days": 7 - 1.75,
    },
}  # fmt: skip


def test_every_statistic_of_every_item(items: dict[Any, Any]) -> None:
    assert {item for item, at in items if at == AT} == EXPECTED.keys() | {"bread"}
    for item, expected in EXPECTED.items():
        found = {name: items[item, AT][name] for name in names.ITEM_STATISTICS}
        assert found == pytest.approx(NOTHING | expected), item


def test_items_have_rows_at_the_snapshots_that_know_them(items: dict[Any, Any]) -> None:
    early = {item for item, at in items if at == EARLY}
    assert early == {"milk", "soap", "pepper"}
    assert items["milk", EARLY]["item_purchases_365d"] == 2  # with "old", which is 274 days old then


def test_histories_are_aligned_latest_first_with_ties_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    events = events_of(ADA + OTHERS)
    pairs = pairs_as_of(events.filter(events.event_type == "purchase").mutate(in_run_up=False), SNAPSHOTS)
    found = by_key(user_history(pairs, timeline()), "user_id")
    assert set(found) == {(user, AT) for user in ("ada", "bob", "cid", "dan")}
    assert {name: found["ada", AT][name] for name in names.HISTORY} == {
        names.HISTORY_ITEM_IDS: ["bread", "salt", "milk", "soap"],
        names.HISTORY_COUNTS: [3, 2, 3, 1],
        names.HISTORY_COUNTS_91D: [3, 2, 2, 0],
        names.HISTORY_COUNTS_28D: [2, 2, 1, 0],
        names.HISTORY_FIRST_TIMESTAMPS: [days(91), days(7), days(365), days(365)],
        names.HISTORY_LAST_TIMESTAMPS: [days(1.75) + 1200, days(1.75), days(7), days(365)],
    }
    assert found["dan", AT][names.HISTORY_ITEM_IDS] == ["sample", "tea"]
    monkeypatch.setattr(names, "HISTORY_LENGTH", 2)
    cut = by_key(user_history(pairs, timeline()), "user_id")
    assert cut["ada", AT][names.HISTORY_ITEM_IDS] == ["bread", "salt"]


def test_sequences_are_written_where_something_is_new_and_at_the_end() -> None:
    found = by_key(user_sequence(events_of([*ADA, *OTHERS]), timeline()), "user_id")
    expected = {"ada": SNAPSHOTS, "bob": (AT,), "cid": (LATER, AT), "dan": (AT,), "eve": (EARLY, AT)}
    assert set(found) == {(user, at) for user, moments in expected.items() for at in moments}
    early = found["ada", EARLY]  # the bread of that very moment is not known yet, a view a quarter hour before is
    assert early[names.SEQUENCE_ITEM_IDS] == ["milk", "milk", "soap", "milk"]
    assert early[names.SEQUENCE_EVENT_TYPES] == ["view", *["purchase"] * 3]
    moments = [days(91) - QUARTER, days(365), days(365), days(365) - QUARTER]
    assert early[names.SEQUENCE_TIMESTAMPS] == moments
    assert found["dan", AT][names.SEQUENCE_ITEM_IDS] == ["sample", "tea"]


def test_behind_the_latest_events_a_sequence_keeps_looks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SEQUENCE_LENGTH", 3)
    monkeypatch.setattr(names, "ENGAGEMENTS_LENGTH", 5)
    rows = [*ADA, looked("ada", "search", "milk", days(1))]  # of a kind that no sequence has
    ada = by_key(user_sequence(events_of(rows), timeline()), "user_id")["ada", AT]
    # Yesterday's like and view, then the bread; of what is older two looks: seven and 28 days ago, not the third.
    assert ada[names.SEQUENCE_EVENT_TYPES] == ["like", "view", "purchase", "view", "cart_add"]
    assert ada[names.SEQUENCE_ITEM_IDS] == ["milk", "milk", "bread", "pepper", "milk"]
    assert ada[names.SEQUENCE_TIMESTAMPS] == [days(1), days(1), days(1.75) + 1200, days(7), days(28)]
