"""Popularity by profile value, counted by hand.

All seven columns have values, so a segment has 150 / 7 = 21.43 people more, who buy as these three do: a third of them
item 0, and two thirds each items 3 and 4.
"""

import numpy as np
import pytest

from contracts.features.names import USER_PROFILE
from contracts.features.vocabulary import Vocabulary
from contracts.ranking.segments import Segments, segments_of

VOCABULARIES = {column: Vocabulary(["a", "b"]) for column in USER_PROFILE}


def rows(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


BUYERS = np.array([1, 0, 0, 2, 2], np.float32)
"""Of each item, among the three users below."""


def three_users() -> Segments:
    """Of the first profile column, two users have value a (code 1) and one has b (code 2); all else is not known."""
    profile = np.zeros((3, len(USER_PROFILE)), np.int32)
    profile[:, 0] = [1, 1, 2]
    return segments_of(profile, [rows(0, 3), rows(3, 4), rows(4)], VOCABULARIES, BUYERS)


def test_items_are_ordered_by_buyers_of_the_segment() -> None:
    found, buyers = three_users().popular(USER_PROFILE[0], 1)
    assert found.tolist() == [3, 4, 0]  # 3 by both; 0 and 4 by one each, and 4 by more of all people
    assert buyers.tolist() == pytest.approx([2 + 14.2857, 1 + 14.2857, 1 + 7.1429], rel=1e-5)


def test_columns_do_not_mix_and_what_is_not_known_is_a_segment() -> None:
    segments = three_users()
    assert segments.popular(USER_PROFILE[0], 2)[0].tolist() == [4, 3, 0]
    assert segments.popular(USER_PROFILE[1], 0)[0].tolist() == [3, 4, 0]  # of nobody the value is known
    assert segments.popular(USER_PROFILE[1], 1)[0].tolist() == []


def test_values_of_several_columns_add_up() -> None:
    """The first column's a has 16.29, 15.29 and 8.14 buyers of 3, 4 and 0; the second's has 14.29, 15.29 and 7.14."""
    profile = np.zeros((3, len(USER_PROFILE)), np.int32)
    profile[:, 0], profile[:, 1] = [1, 1, 2], [0, 0, 1]
    segments = segments_of(profile, [rows(0, 3), rows(3, 4), rows(4)], VOCABULARIES, BUYERS)
    found, scores = segments.likeliest({USER_PROFILE[0]: 1, USER_PROFILE[1]: 1})
    assert found.tolist() == [4, 3, 0]
    expected = [15.2857 / 16.2857 + 1, 1 + 14.2857 / 15.2857, 8.1429 / 16.2857 + 7.1429 / 15.2857]
    assert scores.tolist() == pytest.approx(expected, rel=1e-4)
    assert segments.likeliest({})[0].tolist() == []


def test_nobody_bought_anything() -> None:
    profile = np.zeros((1, len(USER_PROFILE)), np.int32)
    assert (
        segments_of(profile, [rows()], VOCABULARIES, np.zeros(5, np.float32)).popular(USER_PROFILE[0], 0)[0].tolist()
        == []
    )
