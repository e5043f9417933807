"""What was looked at, from the typed sequence: order, the cart, and each of the ranker's columns by hand."""

from math import log1p
from typing import Any

import numpy as np
import pytest

from contracts.features import names
from contracts.features.engagements import NO_ENGAGEMENTS, UserEngagements, user_engagements
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.inputs import ENGAGEMENT_FEATURES, NEVER_DAYS, Catalogue, engagement_features

DAY = 86_400
NOW = 200 * DAY
ITEMS = Vocabulary(["soap", "milk", "yoghurt", "bread"])
SOAP, MILK, YOGHURT, BREAD = range(4)
CATEGORIES = np.array([2, 1, 1, 3], np.int32)  # household, dairy, dairy, bakery
CODES = {column: np.zeros(4, np.int32) for column in names.ITEM_CONTENT} | {"category": CATEGORIES}
CATALOGUE = Catalogue(
    CODES,
    dict.fromkeys(names.ITEM_CONTENT, 1) | {"category": 4},
    np.zeros((4, len(names.ITEM_STATISTICS)), np.float32),
    np.zeros((4, 2), np.float32),
)


def engagements_of(*events: tuple[str, str, float]) -> UserEngagements:
    """(item, event type, days ago), latest first."""
    items, types, days = (list(column) for column in zip(*events, strict=True))
    sequence: dict[str, Any] = dict(zip(names.SEQUENCE, (items, types, [NOW - ago * DAY for ago in days]), strict=True))
    return user_engagements(sequence, ITEMS, NOW)


@pytest.mark.parametrize("sequence", [None, [], ["purchase", "cart_remove"]])
def test_whoever_has_not_looked_has_no_looks(sequence: list[str] | None) -> None:
    ids, times = (None, None) if sequence is None else (["milk"] * len(sequence), [NOW] * len(sequence))
    features = dict(zip(names.SEQUENCE, (ids, sequence, times), strict=True))
    assert user_engagements(features, ITEMS, NOW) is NO_ENGAGEMENTS


def test_items_are_in_the_cart_then_liked_then_viewed_and_the_latest_of_each() -> None:
    engagements = engagements_of(
        ("yoghurt", "view", 1), ("withdrawn", "view", 1), ("soap", "view", 2), ("milk", "cart_add", 3),
        ("yoghurt", "view", 4), ("milk", "view", 4), ("bread", "like", 9),
    )  # fmt: skip
    assert engagements.item_rows.tolist() == [MILK, BREAD, YOGHURT, SOAP]
    assert engagements.counts.tolist() == [2, 1, 2, 1]
    assert ((NOW - engagements.last) / DAY).tolist() == [3, 9, 1, 2]
    assert engagements.in_cart.tolist() == [True, False, False, False]
    assert engagements.event_rows.tolist() == [YOGHURT, SOAP, MILK, YOGHURT, MILK, BREAD]
    assert engagements.event_days.tolist() == [1, 2, 3, 4, 4, 9]


@pytest.mark.parametrize("end", ["cart_remove", "purchase"])
def test_what_has_left_the_cart_is_as_if_liked(end: str) -> None:
    engagements = engagements_of(("bread", "view", 0), ("milk", end, 1), ("milk", "cart_add", 2), ("soap", "like", 3))
    assert engagements.item_rows.tolist() == [MILK, SOAP, BREAD]
    assert not engagements.in_cart.any()


def test_put_in_again_it_is_in_the_cart() -> None:
    engagements = engagements_of(("milk", "cart_add", 1), ("milk", "cart_remove", 2), ("milk", "cart_add", 3))
    assert engagements.in_cart.tolist() == [True]


def test_looks_without_an_item_are_as_if_it_had_never_been_there() -> None:
    events = [("soap", "view", 2.0), ("milk", "cart_add", 3.0), ("bread", "like", 9.0)]
    some = engagements_of(*events).without(np.array([MILK]))
    expected = engagements_of(*(event for event in events if event[0] != "milk"))
    for name, values in vars(expected).items():
        assert getattr(some, name).tolist() == values.tolist(), name


def test_only_unknown_items_are_no_looks() -> None:
    assert engagements_of(("withdrawn", "view", 1)) is NO_ENGAGEMENTS


def described(engagements: UserEngagements) -> list[dict[str, float]]:
    """The columns of every item."""
    columns = engagement_features(engagements, np.arange(4), CATALOGUE, NOW)
    assert columns.dtype == np.float32
    return [dict(zip(ENGAGEMENT_FEATURES, row.tolist(), strict=True)) for row in columns]


NEVER = {
    "look_count": 0, "days_since_look": log1p(NEVER_DAYS), "in_cart": 0, "category_look_share": 0,
    "category_look_days": 0, "category_look_days_91d": 0, "category_days_since_look": log1p(NEVER_DAYS),
}  # fmt: skip


def test_pair_features_of_looks() -> None:
    engagements = engagements_of(
        ("milk", "cart_add", 2), ("milk", "view", 2.5), ("milk", "view", 100), ("soap", "view", 150),
    )  # fmt: skip
    soap, milk, yoghurt, bread = described(engagements)
    dairy = {  # days 2 and 100 of three days with looks
        "category_look_share": 2 / 3, "category_look_days": log1p(2), "category_look_days_91d": log1p(1),
        "category_days_since_look": log1p(2),
    }  # fmt: skip
    assert milk == pytest.approx({"look_count": log1p(3), "days_since_look": log1p(2), "in_cart": 1} | dairy)
    assert yoghurt == pytest.approx(NEVER | dairy)
    assert soap == pytest.approx(
        {
            "look_count": log1p(1), "days_since_look": log1p(150), "in_cart": 0, "category_look_share": 1 / 3,
            "category_look_days": log1p(1), "category_look_days_91d": 0, "category_days_since_look": log1p(150),
        }
    )  # fmt: skip
    assert bread == pytest.approx(NEVER)


def test_without_looks_every_item_was_never_looked_at() -> None:
    assert described(NO_ENGAGEMENTS) == [pytest.approx(NEVER)] * 4


def test_a_look_after_now_is_zero_days_ago() -> None:
    milk = described(engagements_of(("milk", "view", -1)))[MILK]
    assert milk["days_since_look"] == milk["category_days_since_look"] == 0
    assert milk["category_look_days_91d"] == pytest.approx(log1p(1))


def test_looks_of_91_days_ago_are_within_91_days() -> None:
    columns = [described(engagements_of(("milk", "view", ago)))[MILK]["category_look_days_91d"] for ago in (91, 92)]
    assert columns == [pytest.approx(log1p(1)), 0]
