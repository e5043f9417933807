"""What a user has hidden, from the events that say so."""

from contracts.events.interactions import FreshEvent
from contracts.features.feedback import MAX_HIDDEN, bounded, hidden_items, latest_feedback
from contracts.features.names import DAY_SECONDS

NOW = 100 * DAY_SECONDS


def said(event_type: str, item_id: str, day: int, event_id: str = "") -> FreshEvent:
    return FreshEvent(
        event_id or f"{event_type}-{item_id}-{day}", event_type, item_id, day * DAY_SECONDS, None, 1, None, None
    )


def test_hide_is_for_good_and_not_interested_for_some_days() -> None:
    events = [said("hide", "a", 1), said("not_interested", "b", 90), said("not_interested", "c", 60)]
    # b: from day 90 for 28 days to day 118; c: from day 60 to day 88, which is over
    assert hidden_items(events, NOW, 28) == {"a": None, "b": 118 * DAY_SECONDS}


def test_the_days_end_at_their_last_second() -> None:
    events = [said("not_interested", "b", 90)]
    assert hidden_items(events, NOW, 10) == {}
    assert hidden_items(events, NOW - 1, 10) == {"b": NOW}


def test_what_was_said_last_counts() -> None:
    assert hidden_items([said("hide", "a", 1), said("unhide", "a", 2)], NOW) == {}
    assert hidden_items([said("unhide", "a", 2), said("hide", "a", 3)], NOW) == {"a": None}
    assert hidden_items([said("hide", "a", 1), said("not_interested", "a", 99)], NOW, 28) == {"a": 127 * DAY_SECONDS}


def test_other_events_hide_nothing_and_do_not_take_back() -> None:
    assert hidden_items([said("hide", "a", 1), said("purchase", "a", 2), said("view", "b", 3)], NOW) == {"a": None}


def test_feedback_is_not_crowded_out_by_other_events() -> None:
    events = [said("hide", "a", 1), *(said("view", "b", day) for day in range(2, 50))]
    kept = bounded(events, 10)
    assert [event.event_type for event in kept] == ["hide", *["view"] * 10]
    assert kept[-1].seconds == 49 * DAY_SECONDS


def test_of_feedback_on_one_item_the_last_is_kept() -> None:
    events = [said("hide", "a", 1), said("unhide", "a", 2), said("hide", "a", 3)]
    assert [event.seconds for event in bounded(events, 0)] == [3 * DAY_SECONDS]


def test_feedback_has_a_bound_of_its_own_and_the_latest_stays() -> None:
    events = [said("hide", f"i{number}", number) for number in range(MAX_HIDDEN + 5)]
    kept = latest_feedback(events)
    assert len(kept) == MAX_HIDDEN
    assert (kept[0].item_id, kept[-1].item_id) == ("i5", f"i{MAX_HIDDEN + 4}")
