"""A list counts once for a click rate."""

from serving.events.attribution import FollowedLists


def test_each_type_of_event_follows_a_list_once() -> None:
    lists = FollowedLists()
    seen = [("a-stable", "view"), ("a-stable", "view"), ("a-stable", "purchase"), ("b-stable", "view")]
    assert [lists.first(*one) for one in seen] == [True, False, True, True]


def test_the_list_that_was_followed_longest_ago_is_forgotten() -> None:
    lists = FollowedLists(max_lists=2)
    assert [lists.first(name, "view") for name in ("a", "b", "a", "c", "a", "b")] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
