"""What a user refused later is not a positive; what was bought, taken back or refused too late still is."""

import ibis

from training.dataset.positives import without_refused
from training.engine import connect_duckdb

UNTIL = 1000


def left(*events: tuple[str, str, str, int]) -> list[tuple[str, str, int]]:
    """(user, item, seconds) of the engagements that stay. events: (type, user, item, seconds)."""
    looked = [("a", "milk", 10), ("a", "salt", 10), ("a", "milk", 500), ("b", "milk", 10)]
    names = {"user_id": "string", "item_id": "string", "seconds": "int64"}
    said = {"event_id": "string", "event_type": "string", **names}
    rows = [(f"e{at}", *event) for at, event in enumerate(events)]
    kept = without_refused(
        ibis.memtable(looked, schema=ibis.schema(names)), ibis.memtable(rows, schema=ibis.schema(said)), UNTIL
    )
    table = connect_duckdb().to_pyarrow(kept)
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True))


EVERY = [("a", "milk", 10), ("a", "milk", 500), ("a", "salt", 10), ("b", "milk", 10)]


def test_what_came_before_a_refusal_goes_and_what_came_after_it_stays() -> None:
    assert left(("hide", "a", "milk", 100)) == [("a", "milk", 500), ("a", "salt", 10), ("b", "milk", 10)]
    assert left(("not_interested", "a", "milk", 500)) == [("a", "salt", 10), ("b", "milk", 10)]


def test_a_refusal_that_was_taken_back_counts_for_nothing() -> None:
    assert left(("hide", "a", "milk", 100), ("unhide", "a", "milk", 200)) == EVERY
    assert left(("unhide", "a", "milk", 100), ("hide", "a", "milk", 200)) == EVERY[1:]


def test_what_is_said_after_the_cutoff_is_not_known_yet() -> None:
    assert left(("hide", "a", "milk", UNTIL)) == EVERY
    assert left(("hide", "a", "milk", 600), ("unhide", "a", "milk", UNTIL)) == EVERY[2:]


def test_other_events_and_other_users_change_nothing() -> None:
    assert left(("view", "a", "milk", 900), ("hide", "c", "milk", 900)) == EVERY
    assert left() == EVERY
