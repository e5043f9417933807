"""A history by hand, and what is asked for as if it had just been bought."""

import numpy as np

from contracts.features.history import UserHistory

NOW = 1000.0


def history() -> UserHistory:
    """Row 7 four times, last at 900, and row 2 once."""
    counts, last_28d = np.array([4, 1], np.float32), np.array([2, 0], np.float32)
    return UserHistory(np.array([7, 2]), counts, counts, last_28d, np.array([100.0, 300.0]), np.array([900.0, 300.0]))


def test_what_is_bought_now_comes_first_and_counts_once() -> None:
    found = history().and_now(np.array([5, 2]), NOW)
    assert found.item_rows.tolist() == [5, 2, 7]
    assert found.counts.tolist() == found.counts_91d.tolist() == [1, 2, 4]
    assert found.counts_28d.tolist() == [1, 1, 2]
    assert found.first.tolist() == [NOW, 300, 100]
    assert found.last.tolist() == [NOW, NOW, 900]


def test_somebody_without_a_history_has_one_then() -> None:
    none = np.zeros(0)
    counts = none.astype(np.float32)
    nobody = UserHistory(none.astype(np.int64), counts, counts, counts, none, none)
    found = nobody.and_now(np.array([5]), NOW)
    assert [found.item_rows.tolist(), found.counts.tolist(), found.first.tolist()] == [[5], [1], [NOW]]
    before = history()
    assert before.and_now(np.zeros(0, np.int64), NOW) is before
